create or replace function locaria.api_get_parameters(p_request jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
begin
  if p_request ? 'parameter_name' and not exists (select from locaria.parameters
    where parameter_name = p_request ->> 'parameter_name') then
    return locaria.reply_error(404, format('there are no parameters %s; there are: %s',
      locaria.describe_json(p_request -> 'parameter_name'),
      (select string_agg(parameter_name, ', ' order by parameter_name) from locaria.parameters)));
  end if;
  return jsonb_build_object('parameters', (
    select jsonb_agg(jsonb_build_object('parameter_name', p.parameter_name, 'parameter',
      locaria.mask_secrets(p.parameter),
      'description', p.description, 'last_update', p.last_update, 'changed_by', p.changed_by) order by p.parameter_name)
    from locaria.parameters p
    where p.parameter_name = coalesce(p_request ->> 'parameter_name', p.parameter_name)
  ));
end
$$;
comment on function locaria.api_get_parameters(jsonb) is
  'Method get_parameters: {"parameters": [{"parameter_name", "parameter", "description", "last_update", '
  '"changed_by"}]}; secrets as ***.';
