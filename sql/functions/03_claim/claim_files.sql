-- The planner settings force one generic plan that uses the indexes. Planning each claim would take as long as the
-- claim itself, and a plan made while the table was small would read the whole table once it has grown.
create or replace function locaria.claim_files(
  p_task bigint,
  p_count integer default 1
)
returns table (
  run_id bigint,
  file_id bigint,
  attempt integer,
  max_attempts integer,
  requested_status text,
  attributes jsonb,
  parameters jsonb,
  checkpoint jsonb,
  previous_run bigint,
  lease interval,
  timeout interval,
  stall_timeout interval
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  v_now timestamptz := locaria.clock();
  v_task record;
  v_below integer[];
  v_key integer;
  v_priority integer;
  v_left integer := p_count;
  v_claimed integer;
  v_last_run bigint;
begin
  if p_count is null or p_count not between 1 and 10000 then
    raise exception using errcode = 'LC007',
      message = format('claim_files: p_count is %s and must be between 1 and 10000', coalesce(p_count::text, 'null'));
  end if;
  select t.stopped, t.stopped_reason, t.idle_since, c.name, c.paused, c.max_attempts, c.defaults, c.lease, c.timeout,
    c.stall_timeout,
    array[c.name] || array(select s.status from locaria.statuses s where s.container = c.name) as keys,
    case c.type when 'listener' then locaria.task_listens(t.id) else false end as listens
  into v_task
  from locaria.tasks t
  join locaria.containers c on c.name = t.container
  where t.id = p_task;
  if not found then
    raise exception using errcode = 'LC008', message = format('there is no task %s', p_task),
      hint = 'Call start_task first.';
  elsif v_task.stopped is not null then
    raise exception using errcode = 'LC001',
      message = format('task %s is no longer alive: %s', p_task, coalesce(v_task.stopped_reason, 'it has stopped'));
  elsif v_task.paused then
    return;
  end if;
  if locaria.is_watched() then
    v_last_run := coalesce(pg_sequence_last_value('locaria.runs_id_seq'), 0);
  end if;
  perform set_config('locaria.hot_path', 'on', true);
  v_below := array_fill(32768, array[cardinality(v_task.keys)]);
  while v_left > 0 loop
    -- Find the queue whose first file has the highest priority, then the greatest age. This takes one index probe per
    -- queue, so that a million files scheduled for later cost nothing.
    select k.n, head.priority into v_key, v_priority
    from unnest(v_task.keys) with ordinality as k (key, n),
      lateral (
        select f.priority, f.run_after, f.id from locaria.files f
        where coalesce(f.container, f.status) = k.key and f.claimed_by is null and f.finished is null
          and f.priority < v_below[k.n] and (not v_task.listens or f.attributes ? 'command')
        order by f.priority desc, f.run_after, f.id limit 1
      ) as head
    order by head.priority desc, head.run_after, head.id
    limit 1;
    exit when not found;
    return query
    with picked as (
      select f.id, f.status from locaria.files f
      where coalesce(f.container, f.status) = v_task.keys[v_key] and f.claimed_by is null and f.finished is null
        and f.priority = v_priority and f.run_after <= v_now and (not v_task.listens or f.attributes ? 'command')
      order by f.run_after, f.id
      limit v_left
      for update skip locked
    ), claimed as (
      update locaria.files f
      set status = 'FARGATE_PROCESSING', claimed_by = nextval('locaria.runs_id_seq'), attempts = f.attempts + 1,
        last_update = v_now
      from picked p
      where f.id = p.id
      returning f.claimed_by as run_id, f.id as file_id, f.attempts, p.status as requested_status, f.attributes,
        -- Every function that gives a file back sets run_after. If run_after is unchanged, there are no earlier runs.
        f.run_after <> f.created as may_have_runs
    ), recorded as (
      insert into locaria.runs (id, file_id, container, task_id, attempt, requested_status, started, lease_until)
      overriding system value
      select c.run_id, c.file_id, v_task.name, p_task, c.attempts, c.requested_status, v_now, v_now + v_task.lease
      from claimed c
    )
    select c.run_id, c.file_id, c.attempts, v_task.max_attempts, c.requested_status, c.attributes,
      v_task.defaults || case when jsonb_typeof(c.attributes -> 'parameters') = 'object'
        then c.attributes -> 'parameters' else c.attributes end
        || coalesce((
          select jsonb_build_object('credentials', k.credentials) from locaria.file_credentials k
          where k.file_id = c.file_id
        ), '{}'),
      before.checkpoint, before.id, v_task.lease, v_task.timeout, v_task.stall_timeout
    from claimed c
    left join lateral (
      -- All runs since the file was last requested by hand, including released ones. The newest checkpoint may belong
      -- to an earlier run than the newest, because a run may end before its first checkpoint.
      select max(r.id) as id,
        (array_agg(r.checkpoint order by r.id desc) filter (where r.checkpoint is not null))[1] as checkpoint
      from locaria.runs r
      where c.may_have_runs and r.file_id = c.file_id and r.id < c.run_id
        and not exists (
          select from locaria.transitions t
          where t.file_id = r.file_id and t.at >= r.ended and t.from_status <> t.to_status
        )
    ) as before on true;
    get diagnostics v_claimed = row_count;
    v_left := v_left - v_claimed;
    v_below[v_key] := v_priority;
  end loop;
  if v_left < p_count and v_task.idle_since is not null then
    update locaria.tasks set idle_since = null, lease_until = v_now + v_task.lease where id = p_task;
  end if;
  perform set_config('locaria.hot_path', '', true);
  if v_last_run is not null and v_left < p_count then
    perform locaria.notify_changes(array(
      select r.file_id from locaria.runs r
      where r.id > v_last_run and r.task_id = p_task and r.started = v_now limit 201
    ));
  end if;
end
$$;
comment on function locaria.claim_files(bigint, integer) is
  'Claims up to p_count due files for a task, by priority and then by age. Uses FOR UPDATE SKIP LOCKED: no two '
  'tasks get the same file, and none waits. A listening task gets only commands. Returns no rows if there is '
  'nothing to do. Errors: LC001 the task is not alive, LC008 no such task.';
