create table locaria.tasks (
  id bigint generated always as identity,
  container text not null,
  task_arn text not null,
  last_status text not null default 'PROVISIONING',
  dispatch_id bigint,
  launch integer,
  created timestamptz not null default now(),
  started timestamptz,
  idle_since timestamptz,
  lease_until timestamptz,
  stop_requested timestamptz,
  stop_sent timestamptz,
  stopped timestamptz,
  exit_code integer,
  stop_code text,
  stopped_reason text,
  event_version bigint not null default 0,
  host text,
  info jsonb not null default '{}',
  constraint tasks_pkey primary key (id),
  constraint tasks_task_arn_is_unique unique (task_arn),
  constraint tasks_idle_has_started check (idle_since is null or started is not null)
) with (fillfactor = 50);
comment on table locaria.tasks is 'One row per container process (ECS task) that reported or that ECS reported of. Alive: started is set and stopped is not.';
comment on column locaria.tasks.task_arn is 'ECS''s name of the task; process:… for one that was started by hand.';
comment on column locaria.tasks.last_status is 'ECS''s lastStatus, or RUNNING once the task has reported itself.';
comment on column locaria.tasks.dispatch_id is 'The dispatch that asked for it (no foreign key: the dispatch may not be committed yet when the task starts).';
comment on column locaria.tasks.launch is 'Which launch of that dispatch.';
comment on column locaria.tasks.started is 'When it reported for the first time.';
comment on column locaria.tasks.idle_since is 'Since when it has been waiting for files; null while it works.';
comment on column locaria.tasks.lease_until is 'Believed to be alive until then without a heartbeat.';
comment on column locaria.tasks.stop_requested is 'When tick() decided to stop it (timeout, no progress, ignored cancel).';
comment on column locaria.tasks.stop_sent is 'When StopTask was asked for.';
comment on column locaria.tasks.stop_code is 'ECS''s stopCode.';
comment on column locaria.tasks.stopped_reason is 'ECS''s stoppedReason, or why the task left.';
comment on column locaria.tasks.event_version is 'detail.version of the last task event applied; older ones are ignored.';
comment on column locaria.tasks.info is 'What the task told of itself: pid, image, versions.';

-- Neither index holds a column that a heartbeat changes, so that heartbeats stay HOT updates.
create index tasks_alive on locaria.tasks (container) where stopped is null;
create index tasks_of_dispatch on locaria.tasks (dispatch_id);
