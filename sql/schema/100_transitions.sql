create table locaria.transitions (
  id bigint generated always as identity,
  file_id bigint not null,
  at timestamptz not null,
  from_status text not null,
  to_status text not null,
  run_id bigint,
  by_user text not null default session_user,
  reason text,
  constraint transitions_pkey primary key (id)
);
comment on table locaria.transitions is
  'Append-only: every change of files.status that was not a claim or the end of a run (those are rows of runs). The view history shows both. A row that names one status twice is another act upon the file: held, released, priority set.';
comment on column locaria.transitions.run_id is 'The run that was ended by this change, if one was alive.';
comment on column locaria.transitions.by_user is 'Who did it: the login, or whom a transport of the API spoke for.';
create index transitions_of_file on locaria.transitions (file_id, id);
