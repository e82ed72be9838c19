create or replace function locaria.get_resumable(p_job bigint)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'job', coalesce(j.duplicate_of, j.job_id),
    'phase', j.phase,
    'length', j.bytes_expected,
    'offset', case when j.phase in ('registered', 'duplicate') then j.bytes_expected else j.bytes_received end,
    'expires_s', extract(epoch from j.expires - locaria.clock()),
    'details', j.details
  )
  from locaria.ingest_jobs j where j.job_id = p_job and j.kind = 'resumable'
$$;
comment on function locaria.get_resumable(bigint) is
  'The state of a resumable upload, for the listener that resumes it; null: there is none.';
