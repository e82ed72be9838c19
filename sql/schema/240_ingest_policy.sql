create table locaria.ingest_policy (
  id bigint generated always as identity,
  ingest_user text,
  submitter text,
  project text,
  instrument text,
  note text,
  constraint ingest_policy_pkey primary key (id)
);
comment on table locaria.ingest_policy is
  'Who may submit what: a bundle is allowed if at least one row matches; null matches everything. While the table '
  'is empty, everything is allowed. To use a function instead, set policy_function in the parameter ingest_config.';
comment on column locaria.ingest_policy.ingest_user is
  'Who sends the bundle, from the header named in ingest_config.user_header.';
comment on column locaria.ingest_policy.submitter is 'Transactions.submitter of the metadata.';
comment on column locaria.ingest_policy.project is 'Transactions.project.';
comment on column locaria.ingest_policy.instrument is 'Transactions.instrument.';
comment on column locaria.ingest_policy.note is 'Why the row is there.';
