create or replace function locaria.get_due_phase(p_container text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((select d.phase from locaria.due_phases d where d.container = p_container), 'queued')
$$;
comment on function locaria.get_due_phase(text) is
  'The phase of the files that wait for a container and are due: queued, dispatched or starting. All have the same.';
