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
  'Append-only: every change of files.status other than a claim or the end of a run (those are rows of runs). The '
  'view history shows both. A row with equal statuses records another action: held, released, priority set.';
comment on column locaria.transitions.run_id is 'The run that this change ended, if one was alive.';
comment on column locaria.transitions.by_user is
  'Who did it: the login, or the user on whose behalf a transport of the API acted.';
create index transitions_of_file on locaria.transitions (file_id, id);
