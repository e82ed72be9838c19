create or replace function locaria.get_script(
  p_run bigint,
  p_script text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select s.body from locaria.scripts s where s.script_name = p_script),
    (select s.body from locaria.runs r join locaria.container_scripts s on s.container = r.container
     where r.id = p_run and s.script_name = p_script)
  )
$$;
comment on function locaria.get_script(bigint, text) is
  'The SQL of a script by name: the script of the site, otherwise that of the run''s container; null if there is '
  'none.';
