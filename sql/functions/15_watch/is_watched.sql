create or replace function locaria.is_watched()
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (select from locaria.watches w where w.watched_until > locaria.clock())
$$;
comment on function locaria.is_watched() is
  'Whether a server wants to be notified of changes. NOTIFY makes commits wait for each other, so nobody is '
  'notified for nothing.';
