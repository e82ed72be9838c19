create or replace function locaria.add_log_message(
  p_file bigint,
  p_run bigint,
  p_level text,
  p_stage text,
  p_message text,
  p_at timestamptz default locaria.clock()
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into locaria.log_messages (at, file_id, run_id, level, stage, message)
  values (p_at, p_file, p_run, p_level, p_stage, left(p_message, 10000));
exception when check_violation then
  -- There is no partition for that day, because tick() has not run for some time.
  perform locaria.ensure_log_partition((p_at at time zone 'utc')::date);
  insert into locaria.log_messages (at, file_id, run_id, level, stage, message)
  values (p_at, p_file, p_run, p_level, p_stage, left(p_message, 10000));
end
$$;
comment on function locaria.add_log_message(bigint, bigint, text, text, text, timestamptz) is
  'Adds one message to the log of a run, cut at 10,000 characters.';
