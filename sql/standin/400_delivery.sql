-- Writing an invocation by a session of its own, so that it is out whatever the caller's transaction does next.

create or replace function aws_lambda._connect()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_writer aws_lambda.writer;
begin
  select * into strict v_writer from aws_lambda.writer;
  perform dblink_connect(
    'aws_lambda',
    format(
      'host=''%s'' port=%s dbname=''%s'' user=''%s'' password=''%s'' connect_timeout=5 '
        'application_name=''aws_lambda stand-in''',
      v_writer.host,
      current_setting('port'),
      replace(replace(current_database(), '\', '\\'), '''', '\'''),
      v_writer.role_name,
      v_writer.password
    )
  );
end
$$;
comment on function aws_lambda._connect() is 'Opens the writing connection of this session; it stays open.';

create or replace function aws_lambda._remotely(p_query text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_result text;
begin
  if not 'aws_lambda' = any (coalesce(dblink_get_connections(), '{}')) then
    perform aws_lambda._connect();
  end if;
  begin
    select r.result into v_result from dblink('aws_lambda', p_query) as r (result text);
  exception
    when connection_exception or connection_failure or connection_does_not_exist
      or sqlclient_unable_to_establish_sqlconnection or admin_shutdown or crash_shutdown then
      -- The connection was cut since it was last used.
      perform dblink_disconnect('aws_lambda');
      perform aws_lambda._connect();
      select r.result into v_result from dblink('aws_lambda', p_query) as r (result text);
  end;
  return v_result;
end
$$;
comment on function aws_lambda._remotely(text) is
  'Runs a query that gives one text on the writing connection, in a transaction of its own.';

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
begin
  return aws_lambda._remotely(
    format(
      $sql$
        with request (request_id) as materialized (select gen_random_uuid()),
        written as (
          insert into aws_lambda.invocations
            (function_name, payload, invocation_type, client_context, qualifier, request_id, state, finished_at)
          select %L, %L::json, %L, %L::json, %L, request_id, %L, %s
            from request, generate_series(1, %s)
          returning id
        )
        select min(id)::text from written
      $sql$,
      p_function_name,
      p_payload,
      p_invocation_type,
      case p_invocation_type when 'RequestResponse' then p_context end,
      p_qualifier,
      case when p_fault = 'drop' then 'dropped' else 'queued' end,
      case when p_fault = 'drop' then 'clock_timestamp()' else 'null::timestamptz' end,
      case when p_fault = 'duplicate' then 2 else 1 end
    )
  )::bigint;
end
$$;
comment on function aws_lambda._enqueue(text, text, text, text, text, text) is
  'Writes an invocation and returns its id. It is committed when this returns.';

create or replace function aws_lambda._await(p_id bigint, p_timeout_ms integer)
returns aws_lambda.invocations
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz := clock_timestamp() + p_timeout_ms * interval '1 millisecond';
  v_row text;
  v_pause double precision := 0.002;
begin
  loop
    -- By the other connection: a caller in repeatable read would never see the answer.
    v_row := aws_lambda._remotely(
      format('select i::text from aws_lambda.invocations i where id = %s and finished_at is not null', p_id)
    );
    if v_row is not null then
      return v_row::aws_lambda.invocations;
    end if;
    if clock_timestamp() >= v_until then
      perform aws_lambda._raise_api('curlCode: 28, Timeout was reached');
    end if;
    perform pg_sleep(v_pause);
    v_pause := least(v_pause * 1.5, 0.05);
  end loop;
end
$$;
comment on function aws_lambda._await(bigint, integer) is
  'Waits for the answer to a synchronous invocation; raises when it takes longer than the request timeout.';

-- dblink lives where its first user put it: the two functions that call it look there, and in no schema that others
-- can write to.
do $$
declare
  v_schema name := (
    select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'dblink'
  );
begin
  execute format('alter function aws_lambda._connect() set search_path = pg_catalog, %I, pg_temp', v_schema);
  execute format('alter function aws_lambda._remotely(text) set search_path = pg_catalog, %I, pg_temp', v_schema);
end
$$;
