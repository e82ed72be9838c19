-- Restricted, because any login could otherwise end the leases of other people's runs.
create or replace function locaria.may_move_clock()
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from locaria.parameters where parameter_name = 'installation' and parameter @> '{"movable_clock": true}'
  )
$$;
comment on function locaria.may_move_clock() is
  'Whether locaria.fake_now is honoured: only if the owner has set installation.movable_clock, as tests do.';
