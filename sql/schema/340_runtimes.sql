create table locaria.runtimes (
  name text not null,
  kind text not null,
  runs_by text not null,
  containers text[] not null default '{}',
  host text not null,
  process integer not null,
  version text not null,
  mark text not null default '',
  session text not null,
  started timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  stopped timestamptz,
  constraint runtimes_pkey primary key (name),
  constraint runtimes_kind_is_known check (kind in ('agent', 'up')),
  constraint runtimes_runs_by_is_known check (runs_by in ('process', 'docker', 'ecs'))
) with (fillfactor = 50);
comment on table locaria.runtimes is
  'One row per agent or `locaria up` that serves this database or did so within the last 30 days. Empty on AWS. '
  'Use the view agents to read it.';
comment on column locaria.runtimes.name is 'Host and mark; an agent keeps its name when it is restarted.';
comment on column locaria.runtimes.kind is
  'agent (several can serve one database) or up (the only one on its database).';
comment on column locaria.runtimes.runs_by is 'How it runs containers: process, docker or ecs.';
comment on column locaria.runtimes.containers is 'The containers that it starts.';
comment on column locaria.runtimes.process is 'Its process id on that host.';
comment on column locaria.runtimes.version is 'The version of Locaria.';
comment on column locaria.runtimes.mark is 'The prefix of the ids of its tasks; empty if they have none.';
comment on column locaria.runtimes.session is
  'application_name of the connection that holds its lock. The connection ends with the process, however that ends.';
comment on column locaria.runtimes.last_seen is 'When it last reported, which it does every 10 seconds.';
comment on column locaria.runtimes.stopped is
  'When it was stopped properly; null while it is alive, or if it died.';
