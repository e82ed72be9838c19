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
  'One row is one piece of requested work. INSERT (container, attributes) is all it takes; the rest is written by Locaria. What happens to a row: select * from locaria.timeline(id).';
comment on column locaria.files.id is 'Also the container_id of the WebSocket API and the job_id of the ingest API.';
comment on column locaria.files.container is 'Which container works on it; null: the status decides (table statuses).';
comment on column locaria.files.status is 'State machine: tables statuses and status_transitions.';
comment on column locaria.files.priority is 'Higher goes first.';
comment on column locaria.files.run_after is 'Not before this time; infinity: held.';
comment on column locaria.files.attempts is 'How many runs it had since it was last requested.';
comment on column locaria.files.created is 'When the transaction that inserted it began.';
comment on column locaria.files.last_update is 'When its status last changed.';
comment on column locaria.files.finished is 'When it came to rest; null while it waits or is worked on.';
comment on column locaria.files.claimed_by is 'The run that owns it now. The fence: a run that is not named here can''t write.';
comment on column locaria.files.submitted_by is 'The login that inserted it; through the API, the person or program that the transport knows.';
comment on column locaria.files.debug is 'True: messages of level debug are kept, too.';
comment on column locaria.files.last_error is 'Why the last run failed, in words for its user.';
comment on column locaria.files.attributes is 'What to do, for the container: path or url, table, parameters. The key credentials, here or in parameters, is moved to file_credentials before the row is stored.';

-- A file that names no container waits in the queue of its status; coalesce is what both have in common.
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
  'What came as attributes.credentials of a file. No role reads it: claim_files hands it to the run as parameters.credentials, and it goes when the file is deleted.';
comment on column locaria.file_credentials.credentials is 'As it was given, usually an object.';
