create or replace function locaria.invoke_dispatch(
  p_dispatch bigint,
  p_asked integer
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_dispatch locaria.dispatches;
  v_config jsonb;
  v_reply jsonb;
  v_error text;
  v_detail text;
  v_circuit text;
  v_now timestamptz := locaria.clock();
  v_connect_timeout text := current_setting('aws_lambda.connect_timeout_ms', true);
  v_request_timeout text := current_setting('aws_lambda.request_timeout_ms', true);
begin
  select * into strict v_dispatch from locaria.dispatches where id = p_dispatch;
  v_circuit := locaria.get_dispatch_circuit(v_dispatch.container);
  select coalesce(parameter -> 'default', '{}') || coalesce(parameter -> v_dispatch.container, '{}') into v_config
  from locaria.parameters where parameter_name = 'fargate_config';
  perform
    set_config('aws_lambda.connect_timeout_ms',
      locaria.get_parameter('dispatch_config', 'connect_timeout_ms', '500'), true),
    set_config('aws_lambda.request_timeout_ms',
      locaria.get_parameter('dispatch_config', 'request_timeout_ms', '1000'), true);
  begin
    v_reply := locaria.aws_lambda_interface(jsonb_build_object(
      'config', 'fargate_config',
      'function', v_dispatch.container,
      'parameters', jsonb_strip_nulls(jsonb_build_object(
        'version', 1,
        'action', 'run_task',
        'dispatch', v_dispatch.id,
        'launch', v_dispatch.launch,
        'xact', pg_current_xact_id()::text,
        'origin', locaria.get_parameter('installation', 'origin'),
        'container', v_dispatch.container,
        'count', p_asked,
        'task', coalesce(v_config ->> 'task', v_dispatch.container),
        'cluster', v_config ->> 'cluster',
        'subnets', v_config -> 'subnets',
        'security_groups', v_config -> 'security_groups',
        'assign_public_ip', v_config ->> 'assign_public_ip',
        'platform_version', v_config ->> 'platform_version',
        'capacity_provider', v_config ->> 'capacity_provider'
      ))
    ));
  exception when others then
    get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail;
    v_error := v_error || coalesce(': ' || nullif(v_detail, ''), '');
  end;
  perform set_config('aws_lambda.connect_timeout_ms', coalesce(nullif(v_connect_timeout, ''), '1000'), true),
    set_config('aws_lambda.request_timeout_ms', coalesce(nullif(v_request_timeout, ''), '3000'), true);
  if v_error is null then
    update locaria.dispatches d
    set status = 'invoked', asked = p_asked, invoked = v_now, xact = pg_current_xact_id(), next_try = null,
      deadline = v_now + c.launch_timeout, status_code = (v_reply ->> 'status_code')::integer, error = null
    from locaria.containers c
    where d.id = p_dispatch and c.name = d.container;
    return true;
  end if;
  perform locaria.open_circuit(v_circuit, v_error);
  update locaria.dispatches d
  set asked = p_asked, failures = d.failures + 1, error = v_error, xact = pg_current_xact_id(),
    next_try = coalesce((select c.retry_at from locaria.circuits c where c.function_arn = v_circuit), v_now)
  where d.id = p_dispatch;
  return false;
end
$$;
comment on function locaria.invoke_dispatch(bigint, integer) is
  'Calls the Lambda function for one dispatch, with short timeouts. Never raises: an error is recorded on the row '
  'and opens the circuit.';
