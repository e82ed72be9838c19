create or replace view locaria.running as
select
  r.id as run_id,
  f.id as file_id,
  r.container,
  r.attempt,
  t.task_arn,
  t.host,
  b.pid as backend_pid,
  p.stage,
  p.stage_n,
  p.stage_of,
  coalesce(p.rows_done, 0) as tuples_processed,
  coalesce(p.rows_total, 0) as tuples_total,
  coalesce(p.rows_rejected, 0) as tuples_rejected,
  coalesce(p.bytes_done, 0) as bytes_processed,
  coalesce(p.bytes_total, 0) as bytes_total,
  p.percent,
  round((p.rows_done / nullif(extract(epoch from p.progressed - r.started), 0))::numeric, 1) as rows_per_s,
  r.started,
  locaria.statement_clock() - greatest(p.heartbeat, r.started) as heartbeat_age,
  greatest(p.lease_until, r.lease_until) - locaria.statement_clock() as lease_left,
  locaria.statement_clock() - greatest(p.progressed, r.started) as progress_age,
  p.endpoint is null and coalesce(locaria.statement_clock() - greatest(p.progressed, r.started) > c.stall_timeout,
    false) as stalled,
  p.cancel_requested,
  p.message,
  b.note as live_note,
  b.copy_relation,
  b.copy_tuples,
  b.wait_event,
  locaria.statement_clock() - b.xact_start as xact_age,
  b.pins_xmin
from locaria.files f
join locaria.runs r on r.id = f.claimed_by
join locaria.containers c on c.name = r.container
left join locaria.run_progress p on p.run_id = r.id
left join locaria.tasks t on t.id = r.task_id
left join lateral (
  select * from locaria.list_run_backends() l where l.run_id = r.id order by l.copy_relation nulls last, l.pid limit 1
) as b on true
where f.claimed_by is not null;
comment on view locaria.running is
  'What is being worked on now? One row per living run, shaped like pg_stat_progress_copy: 0 is unknown. live_note '
  'and copy_tuples come from the session itself and are newer than the last report. Stable: columns are only added.';
