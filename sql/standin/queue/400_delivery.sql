-- For agents (`locaria agent`): writing an invocation within the caller's transaction. Needs no superuser and no
-- dblink, and is kinder than the real service: a rollback takes the invocation back, and no task starts before the commit.

create or replace function aws_lambda._enqueue(
  p_function_name text,
  p_payload text,
  p_invocation_type text,
  p_context text,
  p_qualifier text,
  p_fault text
)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id bigint;
begin
  if p_invocation_type <> 'Event' then
    raise feature_not_supported
      using message = 'agents take invocations of type Event only', hint = 'In parameters, set "mode": "Event".';
  end if;
  insert into aws_lambda.invocations
    (function_name, payload, invocation_type, client_context, qualifier, state, finished_at)
  values (
    p_function_name, p_payload::json, p_invocation_type, p_context::json, p_qualifier,
    case when p_fault = 'drop' then 'dropped' else 'queued' end,
    case when p_fault = 'drop' then clock_timestamp() end
  )
  returning id into v_id;
  return v_id;
end
$$;
comment on function aws_lambda._enqueue(text, text, text, text, text, text) is
  'Writes an invocation and returns its id; it counts when the caller commits.';

create or replace function aws_lambda._await(p_id bigint, p_timeout_ms integer)
returns aws_lambda.invocations
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  raise feature_not_supported using message = 'agents take invocations of type Event only';
end
$$;
comment on function aws_lambda._await(bigint, integer) is
  'Raises: within one transaction there is no answer to wait for.';
