create or replace function locaria.check_container(
  p_parameters jsonb,
  p_schema jsonb
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_errors jsonb := '[]';
begin
  if jsonb_typeof(p_parameters) is distinct from 'object' then
    return '[{"path": "parameters", "reason": "must be an object"}]';
  end if;
  v_errors := coalesce((
    select jsonb_agg(jsonb_build_object('path', locaria.join_path('parameters', e.key), 'reason', w.reason)
      order by e.key)
    from jsonb_each(p_parameters) as e,
      lateral (select case
        when e.key !~ '^[A-Za-z_][A-Za-z0-9_]{0,62}$' then 'must be named with letters, digits and _ only'
        when e.key = 'parameters' then 'must have another name: attributes.parameters of a file holds all parameters'
        when jsonb_typeof(e.value) = 'array' and jsonb_path_exists(e.value,
          'strict $[*] ? (@.type() == "object" || @.type() == "array" || @.type() == "null")')
          then 'must list texts, numbers, true or false, one of which is to be chosen; or be [] for a list of text'
      end as reason) as w
    where w.reason is not null
  ), '[]');
  if p_schema is null then
    return v_errors;
  end if;
  v_errors := v_errors || locaria.check_schema(p_schema);
  if v_errors <> '[]' then
    return v_errors;
  elsif p_schema ? 'type' and p_schema -> 'type' <> '"object"' then
    return '[{"path": "parameter_schema.type", "reason": "must be object: it describes the parameters together"}]';
  end if;
  return coalesce((
    -- What is published as a default must be allowed.
    select jsonb_agg(x.error || jsonb_build_object('reason', 'the default ' || (x.error ->> 'reason')))
    from jsonb_each(locaria.list_defaults(p_parameters, p_schema)) as d,
      jsonb_array_elements(locaria.check_json(d.value,
        locaria.get_parameter_rules(p_parameters, p_schema) -> 'properties' -> d.key,
        locaria.join_path('parameters', d.key), p_schema -> '$defs')) as x (error)
  ), '[]');
end
$$;
comment on function locaria.check_container(jsonb, jsonb) is
  'What is wrong with what a container would publish, its parameters and its parameter_schema: [{"path", '
  '"reason"}].';
