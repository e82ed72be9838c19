create or replace function locaria.count_files()
returns locaria.file_counts
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_last locaria.file_counts;
  v_began timestamptz := clock_timestamp();
  v_now timestamptz := locaria.clock();
begin
  select * into v_last from locaria.file_counts;
  if v_last.counted between v_began - least(v_last.took * 50, '10 minutes') and v_began then
    return v_last;
  end if;
  select coalesce(jsonb_agg(to_jsonb(n)), '[]') into v_last.counts
  from (
    select f.status, f.container, locaria.get_phase(s.kind, f.run_after, f.attempts, v_now, 'due') as phase,
      count(*) as files
    from locaria.files f
    join locaria.statuses s on s.status = f.status
    group by 1, 2, 3
  ) as n;
  v_last.counted := v_began;
  v_last.took := clock_timestamp() - v_began;
  if not current_setting('transaction_read_only')::boolean and pg_try_advisory_xact_lock(4242005, 0) then
    update locaria.file_counts set counted = v_last.counted, took = v_last.took, counts = v_last.counts;
  end if;
  return v_last;
end
$$;
comment on function locaria.count_files() is
  'How many files there are, by status, container and phase; phase due stands for that of get_due_phase(). Counting '
  'a million rows takes a while, so a count is reused for fifty times as long as it took, at most ten minutes.';
