create or replace function locaria.fail_ingest(
  p_job bigint,
  p_reason text
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_job locaria.ingest_jobs;
begin
  update locaria.ingest_jobs
  set phase = 'failed', exception = left(coalesce(nullif(p_reason, ''), 'no reason was given'), 10000),
    last_update = v_now, settled = null
  where job_id = p_job and phase = 'uploading'
  returning * into v_job;
  if not found then
    return false;
  end if;
  -- The row of files begins as held, so that it is never claimed, and ends in the same transaction.
  insert into locaria.files (id, container, run_after, attributes)
  overriding system value
  values (p_job, 'bundle_processor', 'infinity', jsonb_build_object('kind', 'failed upload', 'user',
    v_job.ingest_user));
  perform set_config('locaria.reason', v_job.exception, true);
  update locaria.files set status = 'ERROR', last_error = v_job.exception where id = p_job;
  perform set_config('locaria.reason', '', true);
  return true;
end
$$;
comment on function locaria.fail_ingest(bigint, text) is
  'Ends an upload that can''t be completed: the job is FAILED, with the reason. False if it was no longer '
  'uploading.';
