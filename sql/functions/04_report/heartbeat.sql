create or replace function locaria.heartbeat(
  p_task bigint,
  p_runs bigint[] default '{}'
)
returns table (
  run_id bigint,
  state text,
  cancel_reason text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now timestamptz := locaria.clock();
  v_lease interval;
begin
  update locaria.tasks t
  set lease_until = v_now + c.lease
  from locaria.containers c
  where t.id = p_task and t.stopped is null and c.name = t.container
  returning c.lease into v_lease;
  if v_lease is not null then
    insert into locaria.run_progress as p (run_id, heartbeat, lease_until)
    select f.claimed_by, v_now, v_now + v_lease
    from locaria.files f
    where f.claimed_by = any (p_runs)
    order by f.claimed_by
    on conflict (run_id) do update set heartbeat = excluded.heartbeat, lease_until = excluded.lease_until;
  end if;
  return query
  select r.id,
    case
      when v_lease is null or f.id is null then 'lost' when p.cancel_requested is not null then 'cancel' else 'running'
    end,
    p.cancel_reason
  from unnest(p_runs) as r (id)
  left join locaria.files f on f.claimed_by = r.id
  left join locaria.run_progress p on p.run_id = r.id;
end
$$;
comment on function locaria.heartbeat(bigint, bigint[]) is
  'Renews the leases of a task and of its runs. Returns for each run: running, cancel (stop it) or lost (the task '
  'no longer owns it).';
