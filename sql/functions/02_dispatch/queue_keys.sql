create or replace function locaria.queue_keys(p_container text)
returns text[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select array[p_container] || array(select status from locaria.statuses where container = p_container order by status)
$$;
comment on function locaria.queue_keys(text) is
  'The keys under which the index files_waiting holds the files of a container: its name, and the statuses that '
  'ask for it.';
