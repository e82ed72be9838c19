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
  'Under which keys of the index files_waiting the files of a container stand: its name, and the statuses that ask '
  'for it.';
