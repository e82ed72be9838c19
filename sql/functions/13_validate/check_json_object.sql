create or replace function locaria.check_json_object(
  p_value jsonb,
  p_schema jsonb,
  p_path text,
  p_defs jsonb,
  p_secret boolean,
  p_depth integer
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_properties jsonb := coalesce(p_schema -> 'properties', '{}');
  v_others jsonb := p_schema -> 'additionalProperties';
  v_names jsonb := p_schema -> 'propertyNames';
  v_errors jsonb := '[]';
  v_known text;
  v_path text;
  v_key text;
  v_value jsonb;
begin
  for v_key in
    select r.name from jsonb_array_elements_text(coalesce(p_schema -> 'required', '[]')) as r (name)
      where not p_value ? r.name
  loop
    v_errors := v_errors || jsonb_build_object('path', locaria.join_path(p_path, v_key), 'reason',
      'is missing' || coalesce(': ' || (v_properties -> v_key ->> 'description'), ''));
  end loop;
  for v_key, v_value in select e.key, e.value from jsonb_each(p_value) as e loop
    v_path := locaria.join_path(p_path, v_key);
    if v_properties ? v_key then
      v_errors := v_errors || locaria.check_json(v_value, v_properties -> v_key, v_path, p_defs, p_secret
        or v_key = 'credentials', p_depth);
    elsif v_others = 'false' then
      v_known := coalesce(v_known, left((select string_agg(k, ', ' order by k)
        from jsonb_object_keys(v_properties) as k), 1000), 'none');
      v_errors := v_errors || jsonb_build_object('path', v_path, 'reason', 'is unknown; known are: ' || v_known);
    elsif v_others is not null then
      v_errors := v_errors || locaria.check_json(v_value, v_others, v_path, p_defs, p_secret or v_key = 'credentials',
        p_depth);
    end if;
    if v_names is not null then
      v_errors := v_errors || locaria.check_json(to_jsonb(v_key), v_names, v_path, p_defs, p_secret, p_depth);
    end if;
    exit when jsonb_array_length(v_errors) >= 100;
  end loop;
  return v_errors;
end
$$;
comment on function locaria.check_json_object(jsonb, jsonb, text, jsonb, boolean, integer) is
  'The JSON Schema keywords about the keys of an object: required, properties, additionalProperties, propertyNames. '
  'Stops at 100 errors.';
