create or replace function locaria.fail_lost_ingests()
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job record;
  v_count integer := 0;
begin
  for v_job in
    select j.job_id, locaria.ingest_loss(j) as reason from locaria.ingest_jobs j
    where j.phase = 'uploading' and locaria.ingest_loss(j) is not null
    order by j.job_id
    for update skip locked
  loop
    if locaria.fail_ingest(v_job.job_id, v_job.reason) then
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end
$$;
comment on function locaria.fail_lost_ingests() is
  'Fails the uploads whose listener has ended, and resumable ones that expired. A step of tick(); the listener '
  'calls it, too.';
