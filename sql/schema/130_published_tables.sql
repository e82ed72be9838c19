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
comment on table locaria.staging_tables is 'The tables in locaria_staging: which run fills them, for which target.';
comment on column locaria.staging_tables.mode is 'create (the target must not exist) · replace (swapped in for it) · append (added to it) · merge (added to it, in place of the rows with the same key)';
comment on column locaria.staging_tables.options is 'key (columns), load_run, keep_previous, labels, source, own_checkpoint: as create_staging takes them';
comment on column locaria.staging_tables.loaded_by is 'The runs whose rows are in it: this one, and the attempts that it took over.';
comment on column locaria.staging_tables.checkpoint is 'Where its rows end, as checkpoint_run was told of this table, with option own_checkpoint.';
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
  'The tables that loads have published, with the last run that did. Only these are ever replaced; to let loads replace a table of your own, insert it here.';
comment on column locaria.published_tables.labels is 'data_set, category, tags: as the last load gave them';
comment on column locaria.published_tables.mode is 'How it came to be ours: create or replace. append: rows were added to, or merged into, a table of the site''s own, which is never replaced.';

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
comment on table locaria.publications is 'What each run has published where, in order; what undo() needs to take it back.';
comment on column locaria.publications.added is 'Rows that the run brought; with mode merge those that were not there before.';
comment on column locaria.publications.changed is 'Rows that mode merge has changed.';
comment on column locaria.publications.loaded_by is 'What stands in _load_run of its rows, if load_run.';
comment on column locaria.publications.previous_table is 'In locaria_staging: the table that was replaced, or the rows as they were before a merge; dropped after publish_config.undo_days, 7 by default.';
create index publications_of_table on locaria.publications (table_schema, table_name, run_id);

create table locaria.scripts (
  script_name text not null,
  body text not null,
  description text,
  created timestamptz not null,
  constraint scripts_pkey primary key (script_name)
);
comment on table locaria.scripts is
  'SQL that loads may run by its name (attributes preSQL and postSQL), in the transaction that publishes, with the rights of Locaria''s owner: the owner alone writes it, by register_script().';

create table locaria.container_scripts (
  container text not null,
  script_name text not null,
  body text not null,
  created timestamptz not null,
  constraint container_scripts_pkey primary key (container, script_name),
  constraint container_scripts_are_of_a_container foreign key (container) references locaria.containers (name) on delete cascade,
  constraint container_scripts_have_plain_names check (script_name ~ '^[A-Za-z0-9_.-]{1,63}$')
);
comment on table locaria.container_scripts is
  'SQL that a container ships (containers/<name>/scripts/*.sql), for its own loads alone: written by register_container(). A script of the site (locaria.scripts) with the same name goes first.';
