-- aws_lambda.invoke, in its four real overloads. They are written in SQL as the real ones are: PL/pgSQL refuses a
-- signature in which an input and an output bear one name.

create or replace function aws_lambda._invoke(
  p_function text,
  p_region text,
  p_payload text,
  p_invocation_type text,
  p_log_type text,
  p_context text,
  p_qualifier text,
  out status_code integer,
  out payload text,
  out executed_version text,
  out log_result text
)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_connect_ms integer := aws_lambda._timeout_ms('aws_lambda.connect_timeout_ms', 1000);
  v_request_ms integer := aws_lambda._timeout_ms('aws_lambda.request_timeout_ms', 3000);
  v_target record;
  v_id bigint;
  v_done aws_lambda.invocations;
begin
  perform aws_lambda._check_limits(p_payload, p_invocation_type, p_log_type, p_context);
  v_target := aws_lambda._resolve(p_function, p_region, p_qualifier);
  case v_target.fault
    when 'denied' then
      raise insufficient_privilege using message = 'permission denied for function invoke';
    when 'unreachable' then
      perform pg_sleep(v_connect_ms / 1000.0);
      perform aws_lambda._raise_api('Unable to connect to endpoint');
    when 'throttled' then
      perform aws_lambda._raise_api('Rate Exceeded.');
    else
      null;
  end case;
  if p_invocation_type = 'DryRun' then
    status_code := 204;
    return;
  end if;
  v_id := aws_lambda._enqueue(
    v_target.function_name, p_payload, p_invocation_type, p_context, v_target.qualifier, v_target.fault
  );
  if v_target.fault = 'slow' then
    perform pg_sleep(v_request_ms / 1000.0);
    perform aws_lambda._raise_api('curlCode: 28, Timeout was reached');
  end if;
  if p_invocation_type = 'Event' then
    status_code := 202;
    return;
  end if;
  v_done := aws_lambda._await(v_id, v_request_ms);
  if v_done.function_error is not null then
    raise external_routine_exception
      using message = 'lambda invocation failed',
        detail = format(
          '"%s" returned error "%s", details: "<%s>".', v_target.arn, v_done.function_error, v_done.response
        );
  end if;
  status_code := 200;
  payload := v_done.response::text;
  executed_version := '$LATEST';
  if p_log_type = 'Tail' then
    log_result := translate(encode(convert_to(coalesce(v_done.log_tail, ''), 'UTF8'), 'base64'), E'\n', '');
  end if;
end
$$;
comment on function aws_lambda._invoke(text, text, text, text, text, text, text) is
  'What the four overloads of invoke do. Fires at once: a rollback of the caller does not take it back.';

create or replace function aws_lambda.invoke(
  in function_name text,
  in payload json,
  in region text default null,
  in invocation_type text default 'RequestResponse',
  in log_type text default 'None',
  in context json default null,
  in qualifier varchar(128) default null,
  out status_code integer,
  out payload json,
  out executed_version text,
  out log_result text
)
language sql
as $$
  select i.status_code, i.payload::json, i.executed_version, i.log_result
    from aws_lambda._invoke($1, $3, $2::text, $4, $5, $6::text, $7) as i
$$;
comment on function aws_lambda.invoke(text, json, text, text, text, json, varchar) is
  'Invokes a Lambda function; stand-in for the function of the extension aws_lambda.';

create or replace function aws_lambda.invoke(
  in function_name aws_commons._lambda_function_arn_1,
  in payload json,
  in invocation_type text default 'RequestResponse',
  in log_type text default 'None',
  in context json default null,
  in qualifier varchar(128) default null,
  out status_code integer,
  out payload json,
  out executed_version text,
  out log_result text
)
language sql
as $$
  select i.status_code, i.payload::json, i.executed_version, i.log_result
    from aws_lambda._invoke(($1).function_name, ($1).region, $2::text, $3, $4, $5::text, $6) as i
$$;
comment on function aws_lambda.invoke(aws_commons._lambda_function_arn_1, json, text, text, json, varchar) is
  'Invokes a Lambda function named by its ARN; stand-in for the function of the extension aws_lambda.';

create or replace function aws_lambda.invoke(
  in function_name text,
  in payload jsonb,
  in region text default null,
  in invocation_type text default 'RequestResponse',
  in log_type text default 'None',
  in context jsonb default null,
  in qualifier varchar(128) default null,
  out status_code integer,
  out payload jsonb,
  out executed_version text,
  out log_result text
)
language sql
as $$
  select i.status_code, i.payload::jsonb, i.executed_version, i.log_result
    from aws_lambda._invoke($1, $3, $2::text, $4, $5, $6::text, $7) as i
$$;
comment on function aws_lambda.invoke(text, jsonb, text, text, text, jsonb, varchar) is
  'Invokes a Lambda function; stand-in for the function of the extension aws_lambda.';

create or replace function aws_lambda.invoke(
  in function_name aws_commons._lambda_function_arn_1,
  in payload jsonb,
  in invocation_type text default 'RequestResponse',
  in log_type text default 'None',
  in context jsonb default null,
  in qualifier varchar(128) default null,
  out status_code integer,
  out payload jsonb,
  out executed_version text,
  out log_result text
)
language sql
as $$
  select i.status_code, i.payload::jsonb, i.executed_version, i.log_result
    from aws_lambda._invoke(($1).function_name, ($1).region, $2::text, $3, $4, $5::text, $6) as i
$$;
comment on function aws_lambda.invoke(aws_commons._lambda_function_arn_1, jsonb, text, text, jsonb, varchar) is
  'Invokes a Lambda function named by its ARN; stand-in for the function of the extension aws_lambda.';
