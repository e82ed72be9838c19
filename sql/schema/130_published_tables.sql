create table locaria.staging_tables (
  run_id bigint not null,
  staging_name text not null,
  target_schema text not null,
  target_table text not null,
  mode text not null,
  columns jsonb not null,
  file_id bigint not null,
  created timestamptz not null,
  options jsonb not null default '{}',
  loaded_by bigint[] not null,
  checkpoint jsonb,
  constraint staging_tables_pkey primary key (staging_name),
  constraint staging_tables_mode_is_known check (mode in ('create', 'replace', 'append', 'merge'))
) with (fillfactor = 50);
comment on table locaria.staging_tables is
  'The tables in locaria_staging: which run fills each of them, and for which target.';
comment on column locaria.staging_tables.mode is
  'create (the target must not exist) · replace (replaces the target) · append (adds rows to the target) · merge '
  '(adds rows, replacing rows with the same key)';
comment on column locaria.staging_tables.options is
  'key (columns), load_run, keep_previous, labels, source, own_checkpoint: the options of create_staging';
comment on column locaria.staging_tables.loaded_by is
  'The runs that loaded its rows: this run, and earlier attempts whose rows it adopted.';
comment on column locaria.staging_tables.checkpoint is
  'With the option own_checkpoint: the checkpoint of this table, as passed to checkpoint_run.';
create index staging_tables_of_run on locaria.staging_tables (run_id);

create table locaria.published_tables (
  table_schema text not null,
  table_name text not null,
  run_id bigint not null,
  file_id bigint not null,
  mode text not null,
  row_count bigint not null,
  published timestamptz not null,
  labels jsonb not null default '{}',
  constraint published_tables_pkey primary key (table_schema, table_name)
);
comment on table locaria.published_tables is
  'The tables that loads have published, with the latest run. Loads replace only these tables; to let loads '
  'replace another table, insert it here.';
comment on column locaria.published_tables.labels is 'data_set, category, tags: as given by the latest load';
comment on column locaria.published_tables.mode is
  'How the table was first published: create or replace. append: rows were added to or merged into a table of the '
  'site''s own, which loads never replace.';

create table locaria.publications (
  run_id bigint not null,
  table_schema text not null,
  table_name text not null,
  file_id bigint not null,
  mode text not null,
  created_table boolean not null,
  added bigint not null,
  changed bigint not null default 0,
  published timestamptz not null,
  load_run boolean not null,
  loaded_by bigint[] not null,
  key text[] not null default '{}',
  previous_table text,
  undone timestamptz,
  undone_by text,
  constraint publications_pkey primary key (run_id, table_schema, table_name)
);
comment on table locaria.publications is
  'What each run has published, in order; undo() uses it to revert a load.';
comment on column locaria.publications.added is
  'Rows added by the run; with mode merge, rows with a new key.';
comment on column locaria.publications.changed is 'Rows changed by mode merge.';
comment on column locaria.publications.loaded_by is
  'The values of _load_run in its rows, if load_run is set.';
comment on column locaria.publications.previous_table is
  'In locaria_staging: the table that was replaced, or the rows before a merge; dropped after '
  'publish_config.undo_days (7 by default).';
create index publications_of_table on locaria.publications (table_schema, table_name, run_id);

create table locaria.scripts (
  script_name text not null,
  body text not null,
  description text,
  created timestamptz not null,
  constraint scripts_pkey primary key (script_name)
);
comment on table locaria.scripts is
  'SQL that loads may run by name (attributes preSQL and postSQL), in the publishing transaction and with the '
  'rights of Locaria''s owner. Only the owner can write it, with register_script().';

create table locaria.container_scripts (
  container text not null,
  script_name text not null,
  body text not null,
  created timestamptz not null,
  constraint container_scripts_pkey primary key (container, script_name),
  constraint container_scripts_are_of_a_container foreign key (container) references locaria.containers (name)
    on delete cascade,
  constraint container_scripts_have_plain_names check (script_name ~ '^[A-Za-z0-9_.-]{1,63}$')
);
comment on table locaria.container_scripts is
  'SQL that a container ships for its own loads (containers/<name>/scripts/*.sql); written by '
  'register_container(). A script of the same name in locaria.scripts takes precedence.';
