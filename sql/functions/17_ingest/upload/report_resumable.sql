create or replace function locaria.report_resumable(
  p_run bigint,
  p_job bigint,
  p_offset bigint,
  p_store jsonb,
  p_expires_in interval
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
begin
  perform locaria.require_run(p_run);
  update locaria.ingest_jobs
  set run_id = p_run, bytes_received = p_offset, details = details || jsonb_build_object('store', p_store),
    expires = v_now + p_expires_in, last_update = v_now
  where job_id = p_job and kind = 'resumable' and phase = 'uploading';
  if not found then
    raise exception using errcode = 'LC009', message = format('job %s is not uploading any more', p_job);
  end if;
end
$$;
comment on function locaria.report_resumable(bigint, bigint, bigint, jsonb, interval) is
  'So many bytes of a resumable upload are stored durably, and where; it can be resumed for p_expires_in. '
  'Errors: LC001, LC008, LC009.';
