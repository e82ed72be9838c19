create table locaria.statuses (
  status text not null,
  kind text not null,
  container text,
  done_status text,
  description text not null,
  constraint statuses_pkey primary key (status),
  constraint statuses_done_status_is_a_status foreign key (done_status) references locaria.statuses (status),
  constraint statuses_status_is_upper_case check (status ~ '^[A-Z][A-Z0-9_]{0,62}$'),
  constraint statuses_kind_is_known check (
    kind in ('requested', 'processing', 'done', 'failed', 'cancelled', 'deleted')
  ),
  constraint statuses_requested_has_done_status check ((kind = 'requested') = (done_status is not null)),
  constraint statuses_only_requested_has_container check (kind = 'requested' or container is null)
);
comment on table locaria.statuses is
  'The values of files.status. To add a requested status of its own, a site inserts one row: the container it asks '
  'for and the status after success.';
comment on column locaria.statuses.kind is
  'What the status means to the state machine. Table status_transitions lists the allowed transitions between '
  'kinds.';
comment on column locaria.statuses.container is
  'For a requested status: the container for files that do not name one.';
comment on column locaria.statuses.done_status is
  'For a requested status: the status of a file after it was processed successfully.';

insert into locaria.statuses (status, kind, container, done_status, description) values
  ('REGISTERED', 'requested', 'file_loader', 'FARGATE_PROCESSED', 'Waiting for a container to load it.'),
  ('DOWNLOAD_REQUESTED', 'requested', 'file_download', 'DOWNLOAD_COMPLETE',
   'Waiting for a container to prepare a download.'),
  ('FARGATE_PROCESSING', 'processing', null, null, 'A run is working on it; only claim_files sets this status.'),
  ('FARGATE_PROCESSED', 'done', null, null, 'Loaded.'),
  ('DOWNLOAD_COMPLETE', 'done', null, null, 'The download is ready.'),
  ('ERROR', 'failed', null, null, 'Failed: see last_error; retry(id) runs it again.'),
  ('CANCELLED', 'cancelled', null, null, 'Cancelled before it was done; retry(id) runs it again.'),
  ('DELETED', 'deleted', null, null, 'Marked as deleted; final.');

create table locaria.status_transitions (
  from_kind text not null,
  to_kind text not null,
  cause text not null,
  constraint status_transitions_pkey primary key (from_kind, to_kind)
);
comment on table locaria.status_transitions is
  'The state machine of files.status: the transitions that are allowed. Any other change of status is refused with '
  'SQLSTATE LC003.';
comment on column locaria.status_transitions.cause is 'What causes this transition.';

insert into locaria.status_transitions (from_kind, to_kind, cause) values
  ('requested', 'processing', 'claim_files'),
  ('requested', 'cancelled', 'cancel'),
  ('requested', 'failed', 'an operator gives up on it'),
  ('requested', 'deleted', 'an application or operator deletes it'),
  ('processing', 'done', 'finish_run'),
  ('processing', 'failed', 'fail_run, or attempts used up'),
  ('processing', 'cancelled', 'cancel'),
  ('processing', 'requested', 'retry while attempts are left, release_run'),
  ('done', 'requested', 'retry: run it again'),
  ('failed', 'requested', 'retry: run it again'),
  ('cancelled', 'requested', 'retry: run it again'),
  ('done', 'deleted', 'an application or operator deletes it'),
  ('failed', 'deleted', 'an application or operator deletes it'),
  ('cancelled', 'deleted', 'an application or operator deletes it');
