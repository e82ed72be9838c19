create or replace function locaria.record_task_event(p_event jsonb)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_event ->> 'detail-type' = 'ECS Task State Change' then
    return locaria.record_task_state(p_event -> 'detail');
  elsif p_event -> 'requestPayload' ->> 'action' = 'run_task' then
    return coalesce(locaria.relaunch_dispatch(
      (p_event -> 'requestPayload' ->> 'dispatch')::bigint,
      (p_event -> 'requestPayload' ->> 'launch')::integer,
      format('%s (request %s, %s)',
        coalesce(p_event -> 'responsePayload' ->> 'errorMessage', 'the Lambda function could not be called'),
        coalesce(p_event -> 'requestContext' ->> 'requestId', '?'),
        coalesce(p_event -> 'requestContext' ->> 'condition', 'no condition')),
      coalesce(p_event -> 'responsePayload' ->> 'errorType', '') in ('PermanentLaunchError', 'PayloadError')
    ), 'ignored: that launch is over');
  elsif p_event -> 'requestPayload' ->> 'action' = 'stop_task' then
    return 'ignored: a task that could not be stopped can''t write anyway';
  end if;
  raise exception using errcode = 'LC007',
    message = 'record_task_event: neither an "ECS Task State Change" event nor a failure record of ecs_run_task';
end
$$;
comment on function locaria.record_task_event(jsonb) is
  'Takes an EventBridge event "ECS Task State Change" or a failure record of Lambda, as received. Late, repeated '
  'or reordered events do no harm; if an event is missing, tick() repairs it later. Returns what it did. Error: '
  'LC007.';
