create or replace view locaria.attempts as
select
  r.file_id,
  r.attempt,
  r.id as run_id,
  r.container,
  t.task_arn,
  r.started as started_at,
  r.ended as ended_at,
  r.outcome,
  r.end_status,
  r.error_kind,
  r.error,
  r.error_detail,
  coalesce(r.exit_code, t.exit_code) as exit_code,
  t.stop_code,
  t.stopped_reason,
  r.stage,
  r.rows_done,
  r.rows_rejected,
  r.bytes_done,
  round(extract(epoch from coalesce(r.ended, locaria.statement_clock()) - r.started)::numeric, 3) as run_s,
  r.result
from locaria.runs r
left join locaria.tasks t on t.id = r.task_id;
comment on view locaria.attempts is
  'How did each attempt at a file end? One row per run. Stable: columns are only added.';
