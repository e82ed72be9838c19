create or replace function locaria.close_circuits()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Somebody has mended the configuration: no need to sit out the pauses.
  delete from locaria.circuits;
  update locaria.dispatches set next_try = locaria.clock() where ended is null and status = 'pending';
  return null;
end
$$;
comment on function locaria.close_circuits() is
  'After a change of parameters: failing dispatches are tried again with the next tick.';
