create or replace function locaria.set_ingest_job(
  p_job bigint,
  p_state text,
  p_task text default null,
  p_task_percent numeric default null,
  p_exception text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_reason text := coalesce(nullif(p_exception, ''), format('failed by %s', session_user));
  v_file locaria.files;
begin
  if p_state is distinct from 'FAILED' then
    raise exception using errcode = 'LC007', message = format('set_ingest_job: a job can be set to FAILED, not to '
      '"%s"', coalesce(p_state, 'null')),
      hint = format('To run it again: select * from locaria.retry(%s)', p_job);
  elsif p_task_percent not between 0 and 100 then
    raise exception using errcode = 'LC007', message = format('set_ingest_job: task percent %s is not between 0 and '
      '100', p_task_percent);
  elsif locaria.get_ingest_state(p_job) is null then
    raise exception using errcode = 'LC008', message = format('there is no job %s', p_job);
  end if;
  if not locaria.fail_ingest(p_job, v_reason) then
    select * into v_file from locaria.files where id = p_job for update;
    if v_file.finished is null then
      perform set_config('locaria.reason', v_reason, true);
      update locaria.files set status = 'ERROR' where id = p_job;
      perform set_config('locaria.reason', '', true);
    elsif v_file.status not in ('ERROR', 'CANCELLED') then
      raise exception using errcode = 'LC003', message = format('job %s can''t go from %s to FAILED', p_job,
        v_file.status),
        hint = 'It is complete: its files are archived.';
    end if;
    update locaria.files set last_error = v_reason where id = p_job;
  end if;
  insert into locaria.ingest_jobs as j (job_id, kind, phase, failed_task, failed_percent, exception, created,
    last_update)
  select p_job, 'upload', 'registered', p_task, p_task_percent, v_reason, locaria.clock(), locaria.clock()
  on conflict (job_id) do update
  set failed_task = excluded.failed_task, failed_percent = excluded.failed_percent, exception = excluded.exception,
    last_update = excluded.last_update;
  return locaria.get_ingest_state(p_job);
end
$$;
comment on function locaria.set_ingest_job(bigint, text, text, numeric, text) is
  'Fails a stuck job by hand, whatever it is doing (IngestCMD job). Example: select locaria.set_ingest_job(17, '
  '''FAILED'', ''ingest files'', 0, ''Failed by administrator''). Errors: LC003 it is complete, LC007, LC008.';
