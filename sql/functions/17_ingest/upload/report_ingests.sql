create or replace function locaria.report_ingests(
  p_run bigint,
  p_received jsonb
)
returns setof bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform locaria.require_run(p_run);
  update locaria.ingest_jobs j
  set bytes_received = (r.value)::text::bigint, last_update = locaria.clock()
  from jsonb_each(p_received) as r
  where j.job_id = r.key::bigint and j.phase = 'uploading' and j.bytes_received <> (r.value)::text::bigint;
  return query
  select r.key::bigint from jsonb_each(p_received) as r
  where not exists (select from locaria.ingest_jobs j where j.job_id = r.key::bigint and j.phase = 'uploading');
end
$$;
comment on function locaria.report_ingests(bigint, jsonb) is
  'How many bytes of each job have arrived, {"17": 1048576}. Returns the jobs that shall not be received any '
  'further: they were set to failed. Errors: LC001, LC008.';
