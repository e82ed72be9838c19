create or replace function locaria.actor()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when pg_has_role(session_user, 'locaria_web', 'member')
      then coalesce(nullif(current_setting('locaria.subject', true), ''), session_user)
    else session_user
  end
$$;
comment on function locaria.actor() is
  'Who performs an action, for the record: the login, or the user for whom a transport of the API acts. Only '
  'logins that are members of locaria_web can act for a user.';
