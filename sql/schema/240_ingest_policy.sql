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
  'Who may submit what: a bundle is allowed when one row fits; null fits everything. While the table is empty, everything is allowed. A site''s own function takes its place: parameters, ingest_config, policy_function.';
comment on column locaria.ingest_policy.ingest_user is 'Who sends the bundle, as the header named in ingest_config.user_header says.';
comment on column locaria.ingest_policy.submitter is 'Transactions.submitter of the metadata.';
comment on column locaria.ingest_policy.project is 'Transactions.project.';
comment on column locaria.ingest_policy.instrument is 'Transactions.instrument.';
comment on column locaria.ingest_policy.note is 'Why.';
