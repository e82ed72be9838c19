create or replace function locaria.api_set_parameters(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row locaria.parameters;
begin
  if not p_request -> 'parameter' ? 'origin' and p_request ->> 'parameter_name' = 'installation' then
    return locaria.reply_error(422, 'installation must keep its origin: tasks that run now are found by it',
      '[{"path": "parameter.origin", "reason": "is missing"}]');
  end if;
  insert into locaria.parameters as p (parameter_name, parameter, last_update, changed_by)
  values (p_request ->> 'parameter_name', p_request -> 'parameter', locaria.clock(), locaria.actor())
  on conflict (parameter_name) do update
  set parameter = locaria.mask_secrets(excluded.parameter, p.parameter), last_update = excluded.last_update,
    changed_by = excluded.changed_by
  returning * into v_row;
  return jsonb_build_object('parameter_name', v_row.parameter_name, 'parameter',
    locaria.mask_secrets(v_row.parameter), 'message', 'set; it takes effect at once');
end
$$;
comment on function locaria.api_set_parameters(jsonb) is
  'Method set_parameters: {"parameter_name", "parameter" (secrets as ***), "message"}.';
