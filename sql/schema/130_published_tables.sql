create table locaria.staging_tables (
  run_id bigint not null,
  staging_name text not null,
  target_schema text not null,
  target_table text not null,
  mode text not null,
  columns jsonb not null,
  file_id bigint not null,
  created timestamptz not null,
  constraint staging_tables_pkey primary key (staging_name),
  constraint staging_tables_mode_is_known check (mode in ('create', 'replace', 'append'))
);
comment on table locaria.staging_tables is 'The tables in locaria_staging: which run fills them, for which target.';
comment on column locaria.staging_tables.mode is 'create (the target must not exist) · replace (swapped in for it) · append (added to it)';
create index staging_tables_of_run on locaria.staging_tables (run_id);

create table locaria.published_tables (
  table_schema text not null,
  table_name text not null,
  run_id bigint not null,
  file_id bigint not null,
  mode text not null,
  row_count bigint not null,
  published timestamptz not null,
  constraint published_tables_pkey primary key (table_schema, table_name)
);
comment on table locaria.published_tables is
  'The tables that loads have published, with the last run that did. Only these are ever replaced; to let loads replace a table of your own, insert it here.';
comment on column locaria.published_tables.mode is 'How it came to be ours: create or replace. append: rows were added to a table of the site''s own, which is never replaced.';
