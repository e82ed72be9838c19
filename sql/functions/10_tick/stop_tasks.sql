create or replace function locaria.stop_tasks()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_task record;
  v_count integer := 0;
begin
  perform
    set_config('aws_lambda.connect_timeout_ms',
      locaria.get_parameter('dispatch_config', 'connect_timeout_ms', '500'), true),
    set_config('aws_lambda.request_timeout_ms',
      locaria.get_parameter('dispatch_config', 'request_timeout_ms', '1000'), true);
  for v_task in
    select t.id, t.task_arn, t.container, coalesce(t.stopped_reason, 'stopped by Locaria') as reason,
      coalesce(p.parameter -> t.container ->> 'cluster', p.parameter -> 'default' ->> 'cluster') as cluster
    from locaria.tasks t
    join locaria.parameters p on p.parameter_name = 'fargate_config'
    where t.stop_requested is not null and t.stop_sent is null
      and t.last_status <> 'STOPPED' and t.task_arn like 'arn:%'
      and t.stop_requested > locaria.clock() - interval '1 hour'
      and not exists (
        select from locaria.circuits c where c.function_arn = locaria.get_dispatch_circuit(t.container)
      )
    limit 20
    for update of t skip locked
  loop
    begin
      perform locaria.aws_lambda_interface(jsonb_build_object(
        'config', 'fargate_config', 'function', v_task.container, 'mode', 'Event',
        'parameters', jsonb_build_object('version', 1, 'action', 'stop_task', 'cluster', v_task.cluster,
          'task_arn', v_task.task_arn, 'reason', left(v_task.reason, 200))));
      update locaria.tasks set stop_sent = locaria.clock() where id = v_task.id;
      v_count := v_count + 1;
    exception when others then
      -- The next tick tries again. Until then, the fence keeps the task from writing.
      raise warning 'task % could not be stopped: %', v_task.task_arn, sqlerrm;
      exit;
    end;
  end loop;
  return v_count;
end
$$;
comment on function locaria.stop_tasks() is 'Asks ECS to stop tasks for which a stop was requested.';
