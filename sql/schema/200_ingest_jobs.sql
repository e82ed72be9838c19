create table locaria.ingest_jobs (
  job_id bigint not null,
  kind text not null,
  phase text not null default 'uploading',
  ingest_user text not null default '',
  run_id bigint,
  expires timestamptz,
  bytes_received bigint not null default 0,
  bytes_expected bigint,
  digest text,
  original boolean not null default false,
  duplicate_of bigint,
  failed_task text,
  failed_percent numeric(5, 2),
  exception text,
  created timestamptz not null,
  last_update timestamptz not null,
  settled timestamptz,
  bundle_gone timestamptz,
  details jsonb not null default '{}',
  constraint ingest_jobs_pkey primary key (job_id),
  constraint ingest_jobs_kind_is_known check (kind in ('upload', 'resumable', 'move')),
  constraint ingest_jobs_phase_is_known check (phase in ('uploading', 'registered', 'duplicate', 'failed')),
  constraint ingest_jobs_uploading_has_a_receiver_or_a_deadline check (
    phase <> 'uploading' or run_id is not null or expires is not null
  ),
  constraint ingest_jobs_duplicate_names_its_original check ((phase = 'duplicate') = (duplicate_of is not null)),
  constraint ingest_jobs_original_has_digest check (not original or digest is not null),
  constraint ingest_jobs_failed_has_exception check (phase <> 'failed' or exception is not null),
  constraint ingest_jobs_bytes_are_not_negative check (bytes_received >= 0 and bytes_expected >= 0),
  constraint ingest_jobs_details_are_an_object check (jsonb_typeof(details) = 'object')
) with (fillfactor = 70);
comment on table locaria.ingest_jobs is
  'One row per bundle sent to bundle_ingest, from its first byte. Its job_id comes from the sequence of files; the '
  'row in files is added when the last byte is stored or the upload has failed. Clients see '
  'get_ingest_state(job_id).';
comment on column locaria.ingest_jobs.job_id is 'The id that its row in files has or will have.';
comment on column locaria.ingest_jobs.kind is
  'upload: one POST of a tar archive. resumable: an upload by the tus protocol. move: a metadata document that '
  'names files on the server''s disk.';
comment on column locaria.ingest_jobs.phase is
  'uploading → registered (all bytes are stored, and files has a row) | duplicate (the same bundle already exists) '
  '| failed (client disconnected, limit exceeded, listener stopped). After registered, see the row in files.';
comment on column locaria.ingest_jobs.ingest_user is
  'Who sent the bundle, as reported by the web server in front of the listener; a configured name if it reported '
  'none.';
comment on column locaria.ingest_jobs.run_id is
  'The run of bundle_ingest that receives the bundle. An uploading job is alive as long as its run.';
comment on column locaria.ingest_jobs.expires is 'Resumable uploads: until when the upload can be resumed.';
comment on column locaria.ingest_jobs.digest is 'SHA-256 of the whole body, in hexadecimal.';
comment on column locaria.ingest_jobs.original is
  'True for the job that is returned when the same user sends the same bundle again. False for a job that has '
  'failed since, or that was requested although another existed.';
comment on column locaria.ingest_jobs.duplicate_of is 'The earlier job of the same user with the same bytes.';
comment on column locaria.ingest_jobs.failed_task is
  'The stage given by the administrator who failed the job by hand.';
comment on column locaria.ingest_jobs.failed_percent is 'The percentage given with failed_task.';
comment on column locaria.ingest_jobs.exception is
  'Why the upload failed, or the error given by an administrator.';
comment on column locaria.ingest_jobs.settled is
  'When leftovers of attempts in the archive, or the sources of a move, were looked for and removed. If this is '
  'older than the end of the file, it must be done again.';
comment on column locaria.ingest_jobs.bundle_gone is 'When the stored bundle was deleted.';
comment on column locaria.ingest_jobs.details is 'State of a resumable upload, for the listener.';

-- If one user uploads the same bytes twice in parallel, the upload that ends second finds the first.
create unique index ingest_jobs_bundle_is_one_job on locaria.ingest_jobs (ingest_user, digest) where original;
create index ingest_jobs_uploading on locaria.ingest_jobs (run_id) where phase = 'uploading';
create index ingest_jobs_unsettled on locaria.ingest_jobs (job_id) where settled is null or bundle_gone is null;

insert into locaria.parameters (parameter_name, parameter, description) values
  ('ingest_config',
   '{"max_bytes": 109951162777600, "max_members": 200000, "max_seconds": 86400, "idle_seconds": 60,
     "max_metadata_bytes": 134217728, "user_header": "Remote-User", "default_user": "", "move_roots": [],
     "policy_function": "locaria.apply_ingest_policy", "resumable_seconds": 86400, "keep_failed_seconds": 604800,
     "clean_seconds": 5}',
   'Bundle ingest: limits of bundle, members and metadata document; how many seconds an upload may take, and how many '
   'without a byte; the header that names the user, and the user without it; the folders from which /move may take '
   'files; the policy function; how long a resumable upload waits for its client; how long the bundle of a failed job '
   'is kept for a retry; how often the listener removes leftovers.');
