create table locaria.runs (
  id bigint generated always as identity,
  file_id bigint not null,
  container text not null,
  task_id bigint not null,
  attempt integer not null,
  requested_status text not null,
  started timestamptz not null,
  lease_until timestamptz not null,
  ended timestamptz,
  outcome text,
  end_status text,
  error_kind text,
  error text,
  error_detail text,
  exit_code integer,
  message text,
  stage text,
  rows_done bigint,
  rows_total bigint,
  rows_rejected bigint,
  bytes_done bigint,
  bytes_total bigint,
  checkpoint jsonb,
  result jsonb,
  constraint runs_pkey primary key (id),
  constraint runs_outcome_is_known check (
    outcome in ('succeeded', 'failed', 'cancelled', 'lost', 'released', 'timed_out', 'stalled', 'overridden')
  ),
  constraint runs_ended_has_outcome check ((ended is null) = (outcome is null)),
  constraint runs_not_succeeded_has_error check (
    outcome is null or outcome in ('succeeded', 'overridden') or error is not null
  )
) with (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.05);
comment on table locaria.runs is
  'One row per attempt of one task at one file. Alive: ended is null. Written at the claim and at the end; '
  'run_progress holds what changes in between.';
comment on column locaria.runs.attempt is 'The attempt number (1, 2, …) since the file was last requested.';
comment on column locaria.runs.requested_status is
  'The status from which the file was claimed; a retry sets it again.';
comment on column locaria.runs.lease_until is
  'The lease given at the claim; heartbeats extend run_progress.lease_until.';
comment on column locaria.runs.outcome is
  'succeeded · failed (reported by the run) · cancelled · lost (no heartbeat, or the task stopped) · released (the '
  'task was asked to stop; the attempt does not count) · timed_out · stalled · overridden (the status was changed '
  'by hand)';
comment on column locaria.runs.end_status is 'The status of the file when the run ended.';
comment on column locaria.runs.error_kind is
  'transient · data · config · fatal · internal · infrastructure · timeout · cancelled';
comment on column locaria.runs.error is 'What went wrong, in words for the user.';
comment on column locaria.runs.error_detail is
  'Details for the author of the container: traceback, last lines of output.';
comment on column locaria.runs.checkpoint is 'The last checkpoint; the next attempt resumes from it.';
comment on column locaria.runs.result is 'What the container reported about its work.';

-- The update at the end of a run stays HOT: no index contains a column that it changes, and its page has room.
create index runs_of_file on locaria.runs (file_id, id);
