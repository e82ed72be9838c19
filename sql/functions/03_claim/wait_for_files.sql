create or replace function locaria.wait_for_files(
  p_task bigint,
  p_xact text default null,
  p_idle_for interval default null,
  out what text,
  out for_s double precision
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_task locaria.tasks;
  v_container locaria.containers;
  v_idle_for interval;
  v_xact_status text;
  v_listens boolean;
begin
  for_s := 0;
  select * into v_task from locaria.tasks where id = p_task;
  if not found or v_task.stopped is not null then
    what := 'leave';
    return;
  end if;
  select * into v_container from locaria.containers where name = v_task.container;
  v_idle_for := coalesce(p_idle_for, v_container.idle_timeout);
  if p_xact is not null then
    -- The Lambda function is called before its caller commits: ask Postgres for the state of that transaction.
    v_xact_status := pg_xact_status(p_xact::xid8);
    if v_xact_status = 'in progress' then
      what := 'wait';
      for_s := 0.1;
      return;
    end if;
  end if;
  v_listens := v_container.type = 'listener' and locaria.task_listens(p_task);
  if locaria.has_claimable_file(v_container, v_listens) then
    what := 'claim';
    return;
  elsif v_listens then
    what := 'wait';
    for_s := 5;
    return;
  end if;
  -- A task becomes idle, or leaves, only while it holds the exclusive lock and after it has checked the queue under the
  -- lock: then no commit that relies on this task is in progress. The lock is only tried, because a waiting request
  -- would block commits.
  if v_task.idle_since is null or v_now - v_task.idle_since >= v_idle_for or v_xact_status = 'aborted' then
    if not pg_try_advisory_xact_lock(4242001, hashtext(v_task.container)) then
      what := 'wait';
      for_s := 0.05;
      return;
    end if;
    if locaria.has_claimable_file(v_container) then
      what := 'claim';
      return;
    end if;
    if v_xact_status = 'aborted' or v_idle_for <= '0' or v_now - v_task.idle_since >= v_idle_for then
      update locaria.tasks set stopped = v_now, idle_since = null, exit_code = 0, last_status = 'STOPPED',
        stopped_reason = case
          when v_xact_status = 'aborted' then 'the insert that asked for it was rolled back' else 'nothing more to do'
        end
      where id = p_task;
      what := 'leave';
      return;
    end if;
    update locaria.tasks set idle_since = v_now, lease_until = v_now + v_container.lease where id = p_task;
    v_task.idle_since := v_now;
  end if;
  what := 'wait';
  -- There is no notification when a file becomes due; an idle task sees it at most two seconds late.
  for_s := greatest(0.05, least(2, extract(epoch from v_idle_for - (v_now - v_task.idle_since))));
end
$$;
comment on function locaria.wait_for_files(bigint, text, interval) is
  'What a task without work should do next: claim (try again at once), wait (for_s seconds, or until NOTIFY '
  'locaria_files_<container>) or leave (it is marked as stopped; exit with code 0). p_xact: LOCARIA_XACT, as long '
  'as the task has not claimed anything. A listening task never gets leave.';
