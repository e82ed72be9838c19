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
    select f.status, f.container,
      case when f.claimed_by is null and f.finished is null then case
        when f.run_after = 'infinity' then 'held' when f.run_after <= v_now then 'due' when f.attempts > 0 then 'retrying' else 'scheduled' end
      end as wait, count(*) as files
    from locaria.files f group by 1, 2, 3
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
  'How many files there are, by status, container and kind of waiting. A count of a million rows takes a while: the last one is good for fifty times as long as it took, ten minutes at most.';
