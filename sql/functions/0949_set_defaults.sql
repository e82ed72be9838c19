create or replace function locaria.set_defaults()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(new.parameters) = 'object' then
    new.defaults := locaria.list_defaults(new.parameters, new.parameter_schema);
  end if;
  return new;
end
$$;
comment on function locaria.set_defaults() is 'Before a container''s parameters are stored: derives their defaults.';
