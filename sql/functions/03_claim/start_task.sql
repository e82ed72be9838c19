create or replace function locaria.start_task(
  p_container text,
  p_task_arn text default null,
  p_dispatch bigint default null,
  p_launch integer default null,
  p_info jsonb default '{}',
  out task_id bigint,
  out accepted boolean,
  out reason text,
  out lease interval,
  out heartbeat_every interval,
  out idle_timeout interval,
  out schema_version text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now timestamptz := locaria.clock();
  v_arn text := coalesce(nullif(p_task_arn, ''), 'process:' || gen_random_uuid());
  v_container locaria.containers;
  v_living integer;
begin
  -- The row lock serialises tasks that start at the same time, so that never more than max_tasks are alive.
  select * into v_container from locaria.containers where name = p_container for no key update;
  if not found then
    raise exception using errcode = 'LC004',
      message = format('there is no container "%s"', p_container),
      hint = 'Set LOCARIA_CONTAINER to one of: ' || coalesce(
        (select string_agg(name, ', ' order by name) from locaria.containers), '(none is registered)'
      );
  end if;
  -- The shared lock, as taken by commits, keeps the living tasks from exiting before the refusal of this task is
  -- visible. Otherwise a commit in between could still count on the refused task, and no task would process its files.
  perform pg_advisory_xact_lock_shared(4242001, hashtext(p_container));
  select count(*) into v_living from locaria.tasks t
  where t.container = p_container and t.stopped is null and t.started is not null
    and t.lease_until > v_now and t.task_arn <> v_arn;
  accepted := not v_container.paused and v_living < v_container.max_tasks;
  if v_container.paused then
    reason := format('container %s is paused', p_container);
  elsif not accepted then
    reason := format('%s of %s tasks of %s are alive already', v_living, v_container.max_tasks, p_container);
  end if;
  insert into locaria.tasks as t (
    container, task_arn, last_status, dispatch_id, launch, started, lease_until, stopped, stopped_reason, host, info
  ) values (
    p_container, v_arn, case when accepted then 'RUNNING' else 'STOPPED' end, p_dispatch, p_launch, v_now,
    v_now + v_container.lease, case when not accepted then v_now end, reason, p_info ->> 'host', coalesce(p_info, '{}')
  )
  on conflict (task_arn) do update
  set started = coalesce(t.started, excluded.started), last_status = excluded.last_status,
    lease_until = excluded.lease_until,
    dispatch_id = coalesce(t.dispatch_id, excluded.dispatch_id), launch = coalesce(t.launch, excluded.launch),
    stopped = excluded.stopped, stopped_reason = excluded.stopped_reason, host = excluded.host, info = excluded.info
  returning t.id into task_id;
  lease := v_container.lease;
  heartbeat_every := v_container.lease / 3;
  idle_timeout := v_container.idle_timeout;
  schema_version := locaria.schema_version();
  if p_dispatch is not null then
    update locaria.dispatches d
    set status = 'started', ended = v_now, error = null
    where d.id = p_dispatch and d.status = 'invoked' and d.launch = coalesce(p_launch, d.launch)
      and d.asked <= (
        select count(*) from locaria.tasks t
        where t.dispatch_id = d.id and t.launch = d.launch and t.started is not null
      );
  end if;
end
$$;
comment on function locaria.start_task(text, text, bigint, integer, jsonb) is
  'Registers a container process as a task. If accepted is false (container paused, or max_tasks alive), the '
  'process must exit with code 0. Error: LC004 unknown container.';
