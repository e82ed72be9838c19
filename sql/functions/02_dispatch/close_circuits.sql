-- The change may have fixed the configuration, so there is no reason to wait for the end of the pauses.
create or replace function locaria.close_circuits()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from locaria.circuits;
  update locaria.dispatches set next_try = locaria.clock() where ended is null and status = 'pending';
  return null;
end
$$;
comment on function locaria.close_circuits() is
  'Closes all circuits after a change of parameters: the next tick tries failing dispatches again.';
