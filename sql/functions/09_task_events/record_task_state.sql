create or replace function locaria.record_task_state(p_detail jsonb)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_arn text := p_detail ->> 'taskArn';
  v_started_by text[] := regexp_match(p_detail ->> 'startedBy', '^locaria-([0-9]+)-([0-9]+)-?(.*)$');
  v_name text := p_detail -> 'overrides' -> 'containerOverrides' -> 0 ->> 'name';
  v_stopped boolean := p_detail ->> 'lastStatus' = 'STOPPED';
  v_container jsonb;
  v_task locaria.tasks;
  v_reason text;
begin
  if v_arn is null then
    raise exception using errcode = 'LC007', message = 'record_task_event: detail.taskArn is missing';
  elsif v_started_by is null and not exists (select from locaria.tasks where task_arn = v_arn) then
    return 'ignored: not a task of Locaria';
  end if;
  -- The cluster may be shared with other databases and with tasks that are not Locaria's.
  if v_started_by[3] not in ('', coalesce(locaria.get_parameter('installation', 'origin'), '')) then
    return 'ignored: a task of another database';
  elsif v_started_by is null and not exists (select from locaria.tasks where task_arn = v_arn) then
    return 'ignored: not a task of Locaria';
  end if;
  -- Find the container by name: a sidecar may come first, and a task that never started has no containers.
  select c into v_container
  from jsonb_array_elements(
    case when jsonb_typeof(p_detail -> 'containers') = 'array' then p_detail -> 'containers' else '[]' end
  ) as c
  where c ->> 'name' = v_name
  limit 1;
  v_reason := concat_ws('; ', nullif(p_detail ->> 'stoppedReason', ''), nullif(v_container ->> 'reason', ''));
  insert into locaria.tasks as t (container, task_arn, last_status, dispatch_id, launch, event_version)
  values (
    coalesce(v_name, 'unknown'), v_arn, p_detail ->> 'lastStatus', v_started_by[1]::bigint, v_started_by[2]::integer,
    coalesce((p_detail ->> 'version')::bigint, 0)
  )
  on conflict (task_arn) do update
  -- A task that has reported its end stays STOPPED, even while ECS still reports other statuses.
  set last_status = case t.last_status when 'STOPPED' then 'STOPPED' else excluded.last_status end,
    event_version = excluded.event_version, dispatch_id = coalesce(t.dispatch_id, excluded.dispatch_id),
    launch = coalesce(t.launch, excluded.launch)
  where t.event_version < excluded.event_version
  returning t.* into v_task;
  if not found then
    return 'ignored: a later event of this task is known';
  elsif not v_stopped then
    return 'recorded ' || (p_detail ->> 'lastStatus');
  end if;
  update locaria.tasks
  set stopped = coalesce(stopped, v_now), idle_since = null, last_status = 'STOPPED',
    exit_code = coalesce((v_container ->> 'exitCode')::integer, exit_code),
    stop_code = p_detail ->> 'stopCode',
    stopped_reason = coalesce(nullif(v_reason, ''), stopped_reason)
  where id = v_task.id
  returning * into v_task;
  perform locaria.end_runs_of_task(v_task, (v_container ->> 'exitCode')::integer, v_reason);
  if v_task.started is null and v_task.dispatch_id is not null then
    perform locaria.relaunch_dispatch(v_task.dispatch_id, v_task.launch,
      format('a task stopped before it started: %s', coalesce(nullif(v_reason, ''), 'no reason was given')));
  end if;
  return 'recorded STOPPED';
end
$$;
comment on function locaria.record_task_state(jsonb) is
  'Records the detail of an "ECS Task State Change" event on the row of the task, and ends the runs of a stopped '
  'task.';
