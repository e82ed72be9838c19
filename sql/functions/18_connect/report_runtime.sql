create or replace function locaria.report_runtime(
  p_name text,
  p_session text,
  p_facts jsonb
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  delete from locaria.runtimes where last_seen < locaria.clock() - interval '30 days';
  insert into locaria.runtimes as r (name, session, kind, runs_by, containers, host, process, version, mark, started,
    last_seen)
  select p_name, p_session, f.kind, f.runs_by, f.containers, f.host, f.process, f.version, f.mark, locaria.clock(),
    locaria.clock()
  from jsonb_to_record(p_facts) as f (kind text, runs_by text, containers text[], host text, process integer,
    version text, mark text)
  on conflict (name) do update
  set session = excluded.session, kind = excluded.kind, runs_by = excluded.runs_by, containers = excluded.containers,
    host = excluded.host,
    process = excluded.process, version = excluded.version, mark = excluded.mark, last_seen = excluded.last_seen,
      stopped = null,
    started = case when (r.process, r.session) = (excluded.process, excluded.session) and r.stopped is null
      then r.started else excluded.started end
$$;
comment on function locaria.report_runtime(text, text, jsonb) is
  'An agent, or `locaria up`, reports that it is alive and what it runs: {"kind", "runs_by", "containers", "host", '
  '"process", "version", "mark"}. Called at its start and every 10 seconds.';
