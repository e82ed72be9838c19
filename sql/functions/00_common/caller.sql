create or replace function locaria.caller()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(nullif(nullif(current_setting('role', true), ''), 'none'), session_user)
$$;
comment on function locaria.caller() is
  'The role on whose behalf a security definer function works: that of SET ROLE, else the login.';
