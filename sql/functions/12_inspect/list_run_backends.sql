create or replace function locaria.list_run_backends()
returns table (
  run_id bigint,
  pid integer,
  note text,
  wait_event text,
  xact_start timestamptz,
  pins_xmin boolean,
  copy_relation text,
  copy_bytes bigint,
  copy_tuples bigint
)
language sql
stable
rows 10
security definer
set search_path = pg_catalog, pg_temp
as $$
  -- Reporters name their sessions "locaria run=<id> …". Needs pg_read_all_stats for sessions of other roles.
  select substring(a.application_name from '^locaria run=([0-9]+)')::bigint, a.pid, a.application_name,
    a.wait_event_type || ': ' || a.wait_event, a.xact_start, a.backend_xmin is not null or a.backend_xid is not null,
    c.relid::regclass::text, c.bytes_processed, c.tuples_processed
  from pg_stat_activity a
  left join pg_stat_progress_copy c on c.pid = a.pid
  where a.application_name like 'locaria run=%' and a.datname = current_database()
$$;
comment on function locaria.list_run_backends() is
  'The sessions of living runs, with the COPY that each is in: what a person watches between two reports, at no '
  'write.';
