create table locaria.container_changes (
  id bigint generated always as identity,
  container text not null,
  at timestamptz not null,
  what text not null,
  by_user text not null default session_user,
  reason text,
  constraint container_changes_pkey primary key (id),
  constraint container_changes_are_pauses_and_resumptions check (what in ('paused', 'resumed'))
);
comment on table locaria.container_changes is
  'Append-only: who paused or resumed a container. Written by a trigger on containers; shown by the view history.';
comment on column locaria.container_changes.by_user is
  'Who did it: the login, or the user on whose behalf a transport of the API acted.';
comment on column locaria.container_changes.reason is 'The reason given to pause or resume.';
create index container_changes_of_container on locaria.container_changes (container, id);
