create table locaria.files (
  id bigint generated always as identity,
  container text,
  status text not null default 'REGISTERED',
  priority smallint not null default 0,
  run_after timestamptz not null default now(),
  attempts integer not null default 0,
  created timestamptz not null default now(),
  last_update timestamptz not null default now(),
  finished timestamptz,
  claimed_by bigint,
  submitted_by text not null default session_user,
  debug boolean not null default false,
  last_error text,
  attributes jsonb not null default '{}',
  constraint files_pkey primary key (id),
  constraint files_attributes_are_an_object check (jsonb_typeof(attributes) = 'object'),
  constraint files_processing_is_claimed check ((status = 'FARGATE_PROCESSING') = (claimed_by is not null)),
  constraint files_claimed_is_not_finished check (claimed_by is null or finished is null)
) with (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
comment on table locaria.files is
  'One row is one piece of requested work. An application inserts (container, attributes); Locaria writes the '
  'other columns. To follow a row: select * from locaria.timeline(id).';
comment on column locaria.files.id is
  'Also the container_id of the WebSocket API and the job_id of the ingest API.';
comment on column locaria.files.container is
  'The container that processes the file; null: chosen by the status (table statuses).';
comment on column locaria.files.status is 'State machine: tables statuses and status_transitions.';
comment on column locaria.files.priority is 'Files with a higher priority are claimed first.';
comment on column locaria.files.run_after is 'The file is not claimed before this time; infinity: held.';
comment on column locaria.files.attempts is 'The number of runs since the file was last requested.';
comment on column locaria.files.created is 'When the transaction that inserted the file began.';
comment on column locaria.files.last_update is 'When the status last changed.';
comment on column locaria.files.finished is
  'When the file finished; null while it waits or is being processed.';
comment on column locaria.files.claimed_by is
  'The run that owns the file now. This is the fence: a run that is not named here cannot write.';
comment on column locaria.files.submitted_by is
  'The login that inserted the file; through the API, the user that the transport reports.';
comment on column locaria.files.debug is 'True: log messages of level debug are kept, too.';
comment on column locaria.files.last_error is 'Why the last run failed, in words for the user.';
comment on column locaria.files.attributes is
  'What the container should do: path or url, table, parameters. The key credentials, here or in parameters, is '
  'moved to file_credentials before the row is stored.';

-- A file without a container waits in the queue of its status; coalesce covers both cases with one index.
create index files_waiting on locaria.files (coalesce(container, status), priority desc, run_after, id)
  where claimed_by is null and finished is null;
create index files_claimed on locaria.files (claimed_by) where claimed_by is not null;
create index files_finished on locaria.files (finished) where finished is not null;
create index files_of_container on locaria.files (container, id) where container is not null;
create index files_unsuccessful on locaria.files (status, id) where status in ('ERROR', 'CANCELLED');

create table locaria.file_credentials (
  file_id bigint not null,
  credentials jsonb not null,
  constraint file_credentials_pkey primary key (file_id),
  constraint file_credentials_are_of_a_file foreign key (file_id) references locaria.files (id)
    on delete cascade deferrable initially deferred
);
comment on table locaria.file_credentials is
  'The value of attributes.credentials of a file. No role can read it: claim_files passes it to the run as '
  'parameters.credentials. It is removed when the file is deleted.';
comment on column locaria.file_credentials.credentials is 'As given, usually an object.';
