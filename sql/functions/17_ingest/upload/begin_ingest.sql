create or replace function locaria.begin_ingest(
  p_run bigint,
  p_job bigint,
  p_kind text,
  p_user text,
  p_bytes_expected bigint default null,
  p_expires_in interval default null,
  p_details jsonb default '{}'
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
  insert into locaria.ingest_jobs (job_id, kind, ingest_user, run_id, expires, bytes_expected, created, last_update,
    details)
  values (p_job, p_kind, left(p_user, 255), p_run, v_now + p_expires_in, p_bytes_expected, v_now, v_now, p_details)
  on conflict (job_id) do nothing; -- Said again, because the answer got lost.
end
$$;
comment on function locaria.begin_ingest(bigint, bigint, text, text, bigint, interval, jsonb) is
  'A bundle begins to arrive: its job is UPLOADING as long as the listener''s run p_run lives, or, if it is '
  'resumable, until it expires. Errors: LC001, LC008.';
