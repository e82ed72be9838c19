create table locaria.rejects (
  id bigint generated always as identity,
  run_id bigint not null,
  file_id bigint not null,
  at timestamptz not null,
  line bigint,
  reason text not null,
  row_text text,
  constraint rejects_pkey primary key (id)
);
comment on table locaria.rejects is
  'Rows that a run could not load, with their line in the source and the reason.';
comment on column locaria.rejects.line is
  'The line of the source on which the row starts; the first line is 1.';
comment on column locaria.rejects.row_text is 'The row as it is in the source, cut at 10,000 characters.';
create index rejects_of_file on locaria.rejects (file_id, id);
create index rejects_of_run on locaria.rejects (run_id);
