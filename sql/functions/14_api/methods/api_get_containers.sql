create or replace function locaria.api_get_containers()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(
    jsonb_build_object('name', c.name, 'description', c.description, 'type', c.type, 'port', c.port, 'parameters',
      c.parameters)
      || case when c.parameter_schema is null then '{}'
        else jsonb_build_object('parameter_schema', c.parameter_schema) end
    order by c.name), '[]')
  from locaria.containers c
  where c.retired is null
$$;
comment on function locaria.api_get_containers() is
  'Method get_containers: [{"name", "description", "type", "port", "parameters", "parameter_schema"}].';
