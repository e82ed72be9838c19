create table locaria.ingest_transactions (
  id bigint not null,
  submitter text not null,
  project text not null,
  instrument text not null,
  ingest_user text not null,
  created timestamptz not null,
  digest text,
  other jsonb not null default '[]',
  constraint ingest_transactions_pkey primary key (id),
  constraint ingest_transactions_submitter_is_named check (submitter <> ''),
  constraint ingest_transactions_project_is_named check (project <> ''),
  constraint ingest_transactions_instrument_is_named check (instrument <> ''),
  constraint ingest_transactions_other_is_an_array check (jsonb_typeof(other) = 'array')
);
comment on table locaria.ingest_transactions is
  'One row per completely ingested bundle, written in the same transaction that ends its job.';
comment on column locaria.ingest_transactions.id is 'The job: files.id.';
comment on column locaria.ingest_transactions.submitter is
  'Transactions.submitter of the metadata. Text, because sites use numbers or names.';
comment on column locaria.ingest_transactions.project is 'Transactions.project.';
comment on column locaria.ingest_transactions.instrument is 'Transactions.instrument.';
comment on column locaria.ingest_transactions.ingest_user is 'Who sent the bundle.';
comment on column locaria.ingest_transactions.created is 'When the bundle was complete.';
comment on column locaria.ingest_transactions.digest is 'SHA-256 of the bundle as sent.';
comment on column locaria.ingest_transactions.other is
  'Metadata entries for tables that Locaria does not have, unchanged.';
comment on constraint ingest_transactions_submitter_is_named on locaria.ingest_transactions is
  'Transactions.submitter must not be empty';
comment on constraint ingest_transactions_project_is_named on locaria.ingest_transactions is
  'Transactions.project must not be empty';
comment on constraint ingest_transactions_instrument_is_named on locaria.ingest_transactions is
  'Transactions.instrument must not be empty';
