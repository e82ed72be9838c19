create or replace function locaria.count_throughput()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Two seconds of grace, because a file is committed a little later than its time of finishing.
  v_over timestamptz := date_trunc('minute', locaria.clock() - interval '2 seconds') - interval '1 minute';
  v_minute timestamptz;
  v_last locaria.throughput;
  v_last_id bigint;
begin
  select * into v_last from locaria.throughput order by minute desc limit 1;
  if v_last.minute >= v_over then
    return 0;
  end if;
  v_last_id := coalesce(pg_sequence_last_value('locaria.files_id_seq'), 0);
  for v_minute in
    select g
    from generate_series(
      greatest(v_last.minute + interval '1 minute', v_over - interval '59 minutes'), v_over, '1 minute'
    ) as g
    where v_last.minute is not null or g = v_over
  loop
    insert into locaria.throughput (minute, inserted, done, failed, queue, last_file_id)
    select v_minute,
      case when v_minute = v_over then greatest(0, v_last_id - coalesce(v_last.last_file_id, 0)) else 0 end,
      n.done, n.failed,
      (select count(*) from locaria.files f where f.claimed_by is null and f.finished is null), v_last_id
    from locaria.count_finished(v_minute) as n;
  end loop;
  delete from locaria.throughput where minute < v_over - interval '7 days';
  return 0;
end
$$;
comment on function locaria.count_throughput() is
  'Once a minute: writes the counts of the past minute to throughput. After a pause of tick(), ids assigned in the '
  'meantime count for the last minute. Always returns 0.';
