create or replace function locaria.caller()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(nullif(nullif(current_setting('role', true), ''), 'none'), session_user)
$$;
comment on function locaria.caller() is
  'The role for which a security definer function works: the role of SET ROLE, otherwise the login.';
