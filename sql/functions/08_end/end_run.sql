create or replace function locaria.end_run(
  p_run bigint,
  p_outcome text,
  p_error_kind text,
  p_error text,
  p_error_detail text default null,
  p_retryable boolean default true,
  p_retry_in interval default null,
  p_exit_code integer default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file locaria.files;
  v_run locaria.runs;
  v_container locaria.containers;
  v_cancel locaria.run_progress;
  v_outcome text := p_outcome;
  v_error text := p_error;
  v_status text;
  v_run_after timestamptz;
  v_attempts integer;
  v_secrets text[];
begin
  -- The lock order of all functions: files, runs, run_progress.
  select * into v_file from locaria.files where claimed_by = p_run for update;
  if not found then
    return null;
  end if;
  select * into strict v_run from locaria.runs where id = p_run;
  select * into strict v_container from locaria.containers where name = v_run.container;
  select * into v_cancel from locaria.run_progress where run_id = p_run;
  v_attempts := v_file.attempts;
  v_secrets := locaria.list_secrets(v_file.id);
  v_error := locaria.hide_secrets(v_error, v_secrets);
  v_run_after := v_file.run_after;
  if p_outcome = 'cancelled' or v_cancel.cancel_requested is not null then
    v_outcome := 'cancelled';
    v_status := 'CANCELLED';
    v_error := coalesce(
      format('cancelled by %s', v_cancel.cancelled_by) || coalesce(': ' || nullif(v_cancel.cancel_reason, ''), ''),
      v_error, 'cancelled'
    );
  elsif p_outcome = 'released' then
    v_status := v_run.requested_status;
    v_attempts := greatest(0, v_attempts - 1);
    v_run_after := v_now;
  elsif p_retryable and v_cancel.endpoint is not null then
    -- A listener that has been listening does not use up an attempt. If it keeps failing, the pauses get longer.
    v_status := v_run.requested_status;
    v_attempts := greatest(0, v_attempts - 1);
    v_run_after := v_now + locaria.get_listener_pause(v_file.id, v_container.backoff, p_retry_in);
  elsif p_retryable and v_attempts < v_container.max_attempts then
    v_status := v_run.requested_status;
    v_run_after := v_now + coalesce(p_retry_in, least(v_container.backoff * (2 ^ least(v_attempts - 1, 20)), '1 hour'));
  else
    v_status := 'ERROR';
  end if;
  perform set_config('locaria.hot_path', 'on', true);
  update locaria.files
  set status = v_status, claimed_by = null, attempts = v_attempts, run_after = v_run_after, last_update = v_now,
    finished = case when v_status in ('ERROR', 'CANCELLED') then v_now end,
    last_error = case when v_outcome = 'released' then last_error else left(v_error, 10000) end
  where id = v_file.id;
  perform set_config('locaria.hot_path', '', true);
  perform locaria.close_run(p_run, v_outcome, v_status,
    case when v_outcome = 'cancelled' then 'cancelled' else p_error_kind end,
    v_error, locaria.hide_secrets(p_error_detail, v_secrets), p_exit_code);
  if locaria.is_watched() then
    perform locaria.notify_changes(array[v_file.id]);
  end if;
  return v_status;
end
$$;
comment on function locaria.end_run(bigint, text, text, text, text, boolean, interval, integer) is
  'Ends a run that did not succeed and sets the status of its file: CANCELLED if a cancel was requested; the '
  'requested status if the run was released, was listening, or can be retried with attempts left; otherwise ERROR. '
  'Returns the new status, or null if the run was not alive.';
