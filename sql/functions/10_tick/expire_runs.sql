create or replace function locaria.expire_runs()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_run record;
  v_count integer := 0;
begin
  for v_run in
    select r.id, c.lease
    from locaria.files f
    join locaria.runs r on r.id = f.claimed_by
    join locaria.containers c on c.name = r.container
    left join locaria.run_progress p on p.run_id = r.id
    where f.claimed_by is not null and greatest(p.lease_until, r.lease_until) < v_now
    order by f.claimed_by
    limit 1000
    for update of f skip locked
  loop
    perform locaria.end_run(v_run.id, 'lost', 'infrastructure',
      format('no heartbeat for %s: the task was killed, lost its network or hangs', locaria.in_words(v_run.lease)),
      p_retry_in => '0');
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function locaria.expire_runs() is
  'Ends runs whose lease has expired. A row locked by another session is left for the next tick.';
