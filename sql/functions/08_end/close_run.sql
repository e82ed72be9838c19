create or replace function locaria.close_run(
  p_run bigint,
  p_outcome text,
  p_end_status text,
  p_error_kind text,
  p_error text,
  p_error_detail text,
  p_exit_code integer default null
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with progress as (
    delete from locaria.run_progress where run_id = p_run returning *
  )
  update locaria.runs r
  set ended = locaria.clock(), outcome = p_outcome, end_status = p_end_status,
    error_kind = p_error_kind, error = left(p_error, 10000), error_detail = left(p_error_detail, 100000),
    exit_code = p_exit_code,
    message = coalesce(p.message, r.message), stage = p.stage, rows_done = p.rows_done, rows_total = p.rows_total,
    rows_rejected = p.rows_rejected, bytes_done = p.bytes_done, bytes_total = p.bytes_total,
    checkpoint = p.checkpoint, result = p.result
  from (values (1)) as one (n)
  left join progress p on true
  where r.id = p_run and r.ended is null
$$;
comment on function locaria.close_run(bigint, text, text, text, text, text, integer) is
  'Ends a run and moves its run_progress to runs. The caller updates the file.';
