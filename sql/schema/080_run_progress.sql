create table locaria.run_progress (
  run_id bigint not null,
  heartbeat timestamptz not null,
  lease_until timestamptz not null,
  progressed timestamptz,
  stage text,
  stage_n integer,
  stage_of integer,
  stage_started timestamptz,
  percent numeric(5, 2),
  rows_done bigint,
  rows_total bigint,
  unit text,
  rows_rejected bigint,
  bytes_done bigint,
  bytes_total bigint,
  message text,
  log_messages integer not null default 0,
  cancel_requested timestamptz,
  cancelled_by text,
  cancel_reason text,
  checkpoint jsonb,
  result jsonb,
  endpoint text,
  command text,
  constraint run_progress_pkey primary key (run_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200);
comment on table locaria.run_progress is
  'The frequently updated part of living runs: lease, progress, checkpoint. A row appears with the first report '
  'and is moved to runs when the run ends. Only the key is indexed, so that updates are HOT.';
comment on column locaria.run_progress.lease_until is 'The run counts as alive until then.';
comment on column locaria.run_progress.progressed is 'When a count or the stage last changed.';
comment on column locaria.run_progress.percent is 'Percentage of the whole run, across all stages.';
comment on column locaria.run_progress.unit is 'What rows_done counts if not rows.';
comment on column locaria.run_progress.log_messages is
  'The number of messages sent so far; messages beyond containers.log_limit are dropped.';
comment on column locaria.run_progress.endpoint is
  'Where a listener takes commands, for example http://127.0.0.1:8123; null: it does not listen yet.';
comment on column locaria.run_progress.command is 'The command that a listener is executing; null: none.';
comment on column locaria.run_progress.cancel_requested is
  'Set by cancel(): the run sees it at its next report and stops.';
