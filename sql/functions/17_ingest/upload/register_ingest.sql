create or replace function locaria.register_ingest(
  p_run bigint,
  p_job bigint,
  p_digest text,
  p_attributes jsonb,
  p_again boolean default false
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_job locaria.ingest_jobs;
  v_other bigint;
begin
  perform locaria.require_run(p_run);
  -- Two posts of the same bytes: the second waits here for the first, and then finds it.
  perform pg_advisory_xact_lock(4242006, hashtext(p_digest));
  select * into v_job from locaria.ingest_jobs where job_id = p_job for update;
  if not found then
    raise exception using errcode = 'LC008', message = format('there is no job %s', p_job);
  elsif v_job.phase = 'registered' then
    return p_job;
  elsif v_job.phase = 'duplicate' then
    return v_job.duplicate_of;
  elsif v_job.phase = 'failed' then
    raise exception using errcode = 'LC009', message = format('job %s has failed: %s', p_job, v_job.exception);
  end if;
  if p_digest is not null and not p_again then
    select j.job_id into v_other from locaria.ingest_jobs j
    join locaria.files f on f.id = j.job_id
    join locaria.statuses s on s.status = f.status
    where j.ingest_user = v_job.ingest_user and j.digest = p_digest and j.original
      and s.kind in ('requested', 'processing', 'done');
    if found then
      update locaria.ingest_jobs
      set phase = 'duplicate', duplicate_of = v_other, digest = p_digest, last_update = v_now, settled = null
      where job_id = p_job;
      return v_other;
    end if;
    -- One that failed does not answer for a new attempt.
    update locaria.ingest_jobs set original = false where ingest_user = v_job.ingest_user and digest = p_digest
      and original;
  end if;
  insert into locaria.files (id, container, attributes)
  overriding system value
  values (p_job, 'bundle_processor', p_attributes
    || jsonb_build_object('kind', case v_job.kind when 'move' then 'move' else 'bundle' end,
    'user', v_job.ingest_user, 'digest', p_digest));
  update locaria.ingest_jobs
  set phase = 'registered', digest = p_digest, original = p_digest is not null and not p_again, last_update = v_now,
    bytes_received = coalesce((p_attributes ->> 'bytes')::bigint, bytes_received)
  where job_id = p_job;
  return p_job;
end
$$;
comment on function locaria.register_ingest(bigint, bigint, text, jsonb, boolean) is
  'All bytes of a bundle are stored: its row of files is inserted, which starts its processing. Returns the job; '
  'that of an earlier post of the same bytes by the same user, if it is at work or done, unless p_again. Twice is '
  'fine. Errors: LC001, LC008, LC009 the job was failed meanwhile.';
