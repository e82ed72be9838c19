create or replace function locaria.actor()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when pg_has_role(session_user, 'locaria_web', 'member') then coalesce(nullif(current_setting('locaria.subject', true), ''), session_user)
    else session_user
  end
$$;
comment on function locaria.actor() is
  'Who does something, for the record: the login, or the person or program that a transport of the API (a login in '
  'locaria_web, and no other) speaks for.';
