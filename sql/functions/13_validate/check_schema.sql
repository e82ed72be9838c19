create or replace function locaria.check_schema(
  p_schema jsonb,
  p_path text default 'parameter_schema',
  p_defs jsonb default null,
  p_depth integer default 0
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_defs jsonb := coalesce(p_defs, p_schema -> '$defs', '{}');
  v_errors jsonb := '[]';
  v_reason text;
  v_key text;
  v_rule jsonb;
  v_path text;
begin
  if jsonb_typeof(p_schema) = 'boolean' then
    return v_errors;
  elsif jsonb_typeof(p_schema) <> 'object' or p_depth > 50 then
    return jsonb_build_array(jsonb_build_object('path', p_path, 'reason',
      case when p_depth > 50 then 'is nested too deeply'
        else format('must be a schema: an object, or true or false, not %s', locaria.describe_json(p_schema)) end));
  end if;
  for v_key, v_rule in select e.key, e.value from jsonb_each(p_schema) as e loop
    v_path := locaria.join_path(p_path, v_key);
    v_reason := locaria.check_schema_keyword(v_key, v_rule, v_defs);
    if v_reason is not null then
      v_errors := v_errors || jsonb_build_object('path', v_path, 'reason', v_reason);
    elsif v_key in ('properties', '$defs') then
      v_errors := v_errors || coalesce((
        select jsonb_agg(x.error) from jsonb_each(v_rule) as e,
          jsonb_array_elements(locaria.check_schema(e.value, locaria.join_path(v_path, e.key), v_defs,
            p_depth + 1)) as x (error)
      ), '[]');
    elsif v_key in ('allOf', 'anyOf', 'oneOf') then
      v_errors := v_errors || coalesce((
        select jsonb_agg(x.error) from jsonb_array_elements(v_rule) with ordinality as e (value, n),
          jsonb_array_elements(locaria.check_schema(e.value, format('%s[%s]', v_path, e.n - 1), v_defs,
            p_depth + 1)) as x (error)
      ), '[]');
    elsif v_key in ('additionalProperties', 'propertyNames', 'items', 'not', 'if', 'then', 'else') then
      v_errors := v_errors || locaria.check_schema(v_rule, v_path, v_defs, p_depth + 1);
    end if;
  end loop;
  return v_errors;
end
$$;
comment on function locaria.check_schema(jsonb, text, jsonb, integer) is
  'What is wrong with a JSON Schema, or is not understood by check_json: [{"path", "reason"}]. A rule that would be '
  'ignored is an error.';
