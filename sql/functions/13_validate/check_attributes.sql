create or replace function locaria.check_attributes(
  p_container text,
  p_attributes jsonb
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_container locaria.containers;
  v_rules jsonb;
  v_wrapped boolean := coalesce(jsonb_typeof(p_attributes -> 'parameters') = 'object', false);
  v_parameters jsonb := case when v_wrapped then p_attributes -> 'parameters' else p_attributes end;
begin
  select * into v_container from locaria.containers where name = p_container;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container),
      hint = 'Containers: ' || coalesce((select string_agg(name, ', ' order by name) from locaria.containers),
        'none is registered yet') || '.';
  elsif jsonb_typeof(p_attributes) is distinct from 'object' then
    return '[{"path": "attributes", "reason": "must be an object"}]';
  elsif v_container.type = 'listener' and p_attributes ? 'command' then
    return '[]'; -- Only the listener knows what its commands take.
  elsif v_container.parameters = '{}' and v_container.parameter_schema is null then
    return '[]';
  end if;
  v_rules := locaria.get_parameter_rules(v_container.parameters, v_container.parameter_schema);
  -- This one we read ourselves, of every container.
  if not v_wrapped and not v_rules -> 'properties' ? 'reject_limit' then
    v_parameters := v_parameters - 'reject_limit';
  end if;
  return locaria.check_json(v_parameters, v_rules, case when v_wrapped then 'attributes.parameters'
    else 'attributes' end);
end
$$;
comment on function locaria.check_attributes(text, jsonb) is
  'Whether a container would take these attributes of a file: [{"path", "reason"}], [] if so. Checks '
  'attributes.parameters if that is an object, else the attributes themselves, against what the container '
  'publishes; one that publishes nothing takes everything. Example, before an INSERT: select '
  'locaria.check_attributes(''file_loader'', ''{"path": "/data/a.csv"}''). Error: LC004.';
