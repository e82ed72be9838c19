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
comment on table locaria.container_changes is 'Append-only: who paused a container, and who resumed it. Written by a trigger on containers; the view history shows it.';
comment on column locaria.container_changes.by_user is 'Who did it: the login, or whom a transport of the API spoke for.';
comment on column locaria.container_changes.reason is 'As given to pause or resume.';
create index container_changes_of_container on locaria.container_changes (container, id);
