create or replace function locaria.get_ingest_state(p_job bigint)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_job locaria.ingest_jobs;
  v_file locaria.files;
  v_run locaria.runs;
  v_progress locaria.run_progress;
  v_kind text;
  v_loss text;
  v_state text := 'OK';
  v_task text := 'UPLOADING';
  v_percent numeric := 0;
  v_exception text := '';
  v_updated timestamptz;
begin
  select * into v_job from locaria.ingest_jobs where job_id = p_job;
  if v_job.phase = 'duplicate' then
    return locaria.get_ingest_state(v_job.duplicate_of);
  end if;
  select * into v_file from locaria.files where id = p_job and container = 'bundle_processor';
  if v_job.job_id is null and v_file.id is null then
    return null;
  end if;
  v_updated := greatest(v_job.last_update, v_file.last_update);
  if v_file.id is null or v_job.phase = 'failed' then
    v_loss := coalesce(v_job.exception, locaria.ingest_loss(v_job));
    if v_loss is not null then
      v_state := 'FAILED';
      v_exception := v_loss;
      v_task := coalesce(v_job.failed_task, v_task);
      v_percent := coalesce(v_job.failed_percent, 0);
      v_updated := greatest(v_updated, (select ended from locaria.runs where id = v_job.run_id
        and v_job.phase = 'uploading'));
    else
      v_percent := coalesce(least(100, 100.0 * v_job.bytes_received / nullif(v_job.bytes_expected, 0)), 0);
    end if;
  else
    select * into v_run from locaria.runs where file_id = p_job order by id desc limit 1;
    select * into v_progress from locaria.run_progress where run_id = v_run.id;
    select kind into v_kind from locaria.statuses where status = v_file.status;
    v_task := coalesce(v_progress.stage, v_run.stage,
      case when v_run.id is null then 'UPLOADING' when v_file.attributes ->> 'kind' = 'move' then 'load metadata'
        else 'open tar' end);
    v_updated := greatest(v_updated, v_progress.progressed);
    if v_kind = 'done' then
      v_task := 'ingest metadata';
      v_percent := 100;
    elsif v_kind = 'processing' then
      v_percent := coalesce(v_progress.percent, 0);
    elsif v_kind = 'requested' then
      v_percent := case when v_run.id is null then 100 else 0 end;
    else
      v_state := 'FAILED';
      v_exception := coalesce(v_file.last_error, lower(v_file.status));
      -- What an administrator said holds until the job has been run again.
      if v_job.failed_task is not null and v_job.last_update >= v_file.finished then
        v_task := v_job.failed_task;
        v_percent := coalesce(v_job.failed_percent, 0);
      end if;
    end if;
  end if;
  return jsonb_build_object(
    'job_id', p_job,
    'state', v_state,
    'task', v_task,
    'task_percent', to_char(v_percent, 'FM990.0'),
    'updated', to_char(greatest(v_updated, v_job.created, v_file.created) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS'),
    'created', to_char(coalesce(v_job.created, v_file.created) at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS'),
    'exception', v_exception,
    'complete', v_state = 'FAILED' or coalesce(v_kind = 'done', false)
  );
end
$$;
comment on function locaria.get_ingest_state(bigint) is
  'What GET /get_state answers: job_id, state (OK, FAILED), task, task_percent, updated and created (UTC), '
  'exception, complete. Null: there is no such job.';
