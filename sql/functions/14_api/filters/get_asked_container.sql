create or replace function locaria.get_asked_container(p_container text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select min(s.container) from locaria.statuses s where s.container = p_container
$$;
comment on function locaria.get_asked_container(text) is
  'The container itself, if a status asks for it: its files need not name it. Else null.';
