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
comment on table locaria.tasks is
  'One row per container process (ECS task) that has reported or that ECS has reported. Alive: started is set and '
  'stopped is not.';
comment on column locaria.tasks.task_arn is
  'The ARN of the ECS task; process:… for a task that was started by hand.';
comment on column locaria.tasks.last_status is
  'The lastStatus of ECS, or RUNNING once the task itself has reported.';
comment on column locaria.tasks.dispatch_id is
  'The dispatch that asked for the task. No foreign key, because the dispatch may not be committed yet when the '
  'task starts.';
comment on column locaria.tasks.launch is 'The launch number of that dispatch.';
comment on column locaria.tasks.started is 'When the task first reported.';
comment on column locaria.tasks.idle_since is
  'Since when the task has been waiting for files; null while it works.';
comment on column locaria.tasks.lease_until is 'The task counts as alive until then without a heartbeat.';
comment on column locaria.tasks.stop_requested is
  'When tick() decided to stop the task (timeout, no progress, ignored cancel).';
comment on column locaria.tasks.stop_sent is 'When StopTask was called.';
comment on column locaria.tasks.stop_code is 'The stopCode of ECS.';
comment on column locaria.tasks.stopped_reason is 'The stoppedReason of ECS, or why the task exited.';
comment on column locaria.tasks.event_version is
  'detail.version of the last task event that was applied; older events are ignored.';
comment on column locaria.tasks.info is 'What the task reported about itself: pid, image, versions.';

-- No index contains a column that heartbeats change, so heartbeats stay HOT updates.
create index tasks_alive on locaria.tasks (container) where stopped is null;
create index tasks_of_dispatch on locaria.tasks (dispatch_id);
