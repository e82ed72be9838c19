create or replace function locaria.set_defaults()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_errors jsonb := locaria.check_container(new.parameters, new.parameter_schema);
begin
  if v_errors <> '[]' then
    raise exception using errcode = 'LC007',
      message = format('container %s: %s', new.name, locaria.list_errors(v_errors)),
      hint = 'The comments of these columns of locaria.containers describe what is allowed.';
  end if;
  new.defaults := locaria.list_defaults(new.parameters, new.parameter_schema);
  return new;
end
$$;
comment on function locaria.set_defaults() is
  'Before a container''s parameters are stored: refuses those that make no sense (LC007), and derives their '
  'defaults.';
