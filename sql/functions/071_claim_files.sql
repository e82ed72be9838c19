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
as $$
#variable_conflict use_column
declare
  v_now timestamptz := locaria.clock();
  v_task locaria.tasks;
  v_container locaria.containers;
  v_keys text[];
  v_below integer[];
  v_key integer;
  v_priority integer;
  v_left integer := p_count;
  v_ids bigint[];
  v_picked bigint[] := '{}';
begin
  if p_count is null or p_count not between 1 and 10000 then
    raise exception using errcode = 'LC007', message = 'claim_files: p_count must be between 1 and 10000';
  end if;
  select * into v_task from locaria.tasks where id = p_task;
  if not found then
    raise exception using errcode = 'LC008', message = format('there is no task %s', p_task),
      hint = 'start_task comes first.';
  elsif v_task.stopped is not null then
    raise exception using errcode = 'LC001',
      message = format('task %s is no longer alive: %s', p_task, coalesce(v_task.stopped_reason, 'it stopped'));
  end if;
  select * into v_container from locaria.containers where name = v_task.container;
  if not found or v_container.paused then
    return;
  end if;
  v_keys := locaria.queue_keys(v_task.container);
  v_below := array_fill(32768, array[cardinality(v_keys)]);
  while v_left > 0 loop
    -- The best head among the queues: by priority, then by age. One index probe each.
    select k.n, head.priority into v_key, v_priority
    from unnest(v_keys) with ordinality as k (key, n),
      lateral (
        select f.priority, f.run_after, f.id from locaria.files f
        where coalesce(f.container, f.status) = k.key and f.claimed_by is null and f.finished is null
          and f.priority < v_below[k.n]
        order by f.priority desc, f.run_after, f.id limit 1
      ) as head
    order by head.priority desc, head.run_after, head.id
    limit 1;
    exit when not found;
    v_ids := array(
      select f.id from locaria.files f
      where coalesce(f.container, f.status) = v_keys[v_key] and f.claimed_by is null and f.finished is null
        and f.priority = v_priority and f.run_after <= v_now
      order by f.run_after, f.id
      limit v_left
      for update skip locked
    );
    v_picked := v_picked || v_ids;
    v_left := v_left - cardinality(v_ids);
    v_below[v_key] := v_priority;
  end loop;
  if cardinality(v_picked) = 0 then
    return;
  end if;
  if v_task.idle_since is not null then
    update locaria.tasks set idle_since = null, lease_until = v_now + v_container.lease where id = p_task;
  end if;
  perform set_config('locaria.hot_path', 'on', true);
  return query
  with new_runs as (
    insert into locaria.runs as r (file_id, container, task_id, attempt, requested_status, started, lease_until)
    select f.id, v_container.name, p_task, f.attempts + 1, f.status, v_now, v_now + v_container.lease
    from unnest(v_picked) with ordinality as p (id, n)
    join locaria.files f on f.id = p.id
    order by p.n
    returning r.id, r.file_id, r.requested_status
  ), claimed as (
    update locaria.files f
    set status = 'FARGATE_PROCESSING', claimed_by = n.id, attempts = f.attempts + 1, last_update = v_now
    from new_runs n
    where f.id = n.file_id
    returning n.id as run_id, f.id as file_id, f.attempts, n.requested_status, f.attributes
  )
  select c.run_id, c.file_id, c.attempts, v_container.max_attempts, c.requested_status, c.attributes,
    v_container.parameters || case when jsonb_typeof(c.attributes -> 'parameters') = 'object'
      then c.attributes -> 'parameters' else c.attributes end,
    before.checkpoint, before.id, v_container.lease, v_container.timeout, v_container.stall_timeout
  from claimed c
  left join lateral (
    -- Runs since the file was last requested by hand, released ones too; the newest checkpoint among them, because
    -- a run may end before its own first.
    select max(r.id) as id, (array_agg(r.checkpoint order by r.id desc) filter (where r.checkpoint is not null))[1] as checkpoint
    from locaria.runs r
    where r.file_id = c.file_id and r.id < c.run_id
      and not exists (select from locaria.transitions t where t.file_id = r.file_id and t.at >= r.ended)
  ) as before on true
  order by c.run_id;
  perform set_config('locaria.hot_path', '', true);
end
$$;
comment on function locaria.claim_files(bigint, integer) is
  'Takes up to p_count due files for a task: by priority, then by age; FOR UPDATE SKIP LOCKED, so that no two tasks get one file and none waits. No rows: nothing to do now. Errors: LC001 the task is not alive, LC008 no such task.';
