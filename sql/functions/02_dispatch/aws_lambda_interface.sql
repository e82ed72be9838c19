-- A request names a key in parameters, never an ARN, so that callers cannot choose which function is called.
create or replace function locaria.aws_lambda_interface(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted text := p_request ->> 'config';
  v_config_name text;
  v_function text := p_request ->> 'function';
  v_config jsonb;
  v_mode text;
  v_log_type text := coalesce(p_request ->> 'log_type', 'None');
  v_reply record;
begin
  if v_function is null or v_function = '' then
    raise exception using errcode = 'LC007',
      message = 'aws_lambda_interface: "function" is missing',
      hint = 'Name a key of parameters.lambda_config or parameters.fargate_config.';
  end if;
  select p.parameter_name,
    coalesce(p.parameter -> 'default', '{}')
    || case when jsonb_typeof(p.parameter -> v_function) = 'object' then p.parameter -> v_function else '{}' end
  into v_config_name, v_config
  from locaria.parameters p
  where p.parameter_name = any (
      case when v_wanted is null then array['lambda_config', 'fargate_config'] else array[v_wanted] end
    )
    and (p.parameter ? v_function or p.parameter ? 'default')
  order by (p.parameter ? v_function) desc, p.parameter_name desc
  limit 1;
  if not found then
    raise exception using errcode = 'LC006',
      message = format('no configuration for "%s" in parameters.%s',
        v_function, coalesce(v_wanted, 'lambda_config or fargate_config')),
      hint = format(
        'As the owner: update locaria.parameters set parameter = parameter || '
        '''{"%s": {"arn": "…", "region": "…"}}'' where parameter_name = ''%s''',
        v_function, coalesce(v_wanted, 'lambda_config'));
  end if;
  if v_config ->> 'arn' is null then
    raise exception using errcode = 'LC006',
      message = format('the configuration of "%s" in parameters.%s has no "arn"', v_function, v_config_name),
      hint = 'Set the ARN of the Lambda function there.';
  end if;
  v_mode := coalesce(p_request ->> 'mode', v_config ->> 'mode', 'Event');
  if v_mode not in ('Event', 'RequestResponse') then
    raise exception using errcode = 'LC007',
      message = format('aws_lambda_interface: mode "%s" is not one of Event, RequestResponse', v_mode);
  end if;
  if v_log_type not in ('None', 'Tail') then
    raise exception using errcode = 'LC007',
      message = format('aws_lambda_interface: log_type "%s" is not one of None, Tail', v_log_type);
  end if;
  -- Named notation: positional arguments (text, jsonb, text) would silently call the overload with a region.
  select i.status_code, i.payload, i.executed_version, i.log_result into v_reply
  from aws_lambda.invoke(
    function_name => aws_commons.create_lambda_function_arn(v_config ->> 'arn', v_config ->> 'region'),
    payload => coalesce(p_request -> 'parameters', '{}'),
    invocation_type => v_mode,
    log_type => v_log_type
  ) as i;
  return jsonb_build_object(
    'status_code', v_reply.status_code,
    'payload', v_reply.payload,
    'executed_version', v_reply.executed_version,
    'log_result', v_reply.log_result
  );
end
$$;
comment on function locaria.aws_lambda_interface(jsonb) is
  'Calls a Lambda function through the aws_lambda extension. Takes {"function": key in parameters, "config": '
  'lambda_config|fargate_config|…, "parameters": the payload, "mode": Event|RequestResponse, "log_type": '
  'None|Tail}; returns {"status_code", "payload", "executed_version", "log_result"}. Errors: LC006 no '
  'configuration, LC007 invalid request; errors of aws_lambda are passed on.';
