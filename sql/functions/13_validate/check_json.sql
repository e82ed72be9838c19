create or replace function locaria.check_json(
  p_value jsonb,
  p_schema jsonb,
  p_path text default '',
  p_defs jsonb default null,
  p_secret boolean default false,
  p_depth integer default 0
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text := jsonb_typeof(p_value);
  v_defs jsonb := coalesce(p_defs, p_schema -> '$defs', '{}');
  v_size numeric;
  v_errors jsonb := '[]';
  v_index bigint;
  v_item jsonb;
  v_key text;
  v_rule jsonb;
  v_reason text;
begin
  if p_schema in ('true', '{}') then
    return v_errors;
  elsif p_schema = 'false' then
    return jsonb_build_array(jsonb_build_object('path', p_path, 'reason', 'is not allowed here'));
  elsif p_depth > 100 then
    return jsonb_build_array(jsonb_build_object('path', p_path, 'reason', 'is nested too deeply'));
  elsif p_schema ? '$ref' then
    return locaria.check_json(p_value, coalesce(v_defs -> substr(p_schema ->> '$ref', 9), 'true'), p_path, v_defs,
      p_secret, p_depth + 1);
  end if;
  -- A wrong type makes the other rules moot.
  v_rule := p_schema -> 'type';
  if v_rule is not null and not locaria.has_json_type(p_value, v_rule) then
    return jsonb_build_array(jsonb_build_object('path', p_path, 'reason', format('must be %s, not %s',
      (select string_agg(locaria.name_json_type(t), ' or ')
        from jsonb_array_elements_text(case jsonb_typeof(v_rule) when 'array' then v_rule
        else jsonb_build_array(v_rule) end) as t),
      locaria.describe_json(p_value, p_secret))));
  end if;
  v_size := case v_type
    when 'number' then p_value::numeric
    when 'string' then length(p_value #>> '{}')
    when 'array' then jsonb_array_length(p_value)
    when 'object' then (select count(*) from jsonb_object_keys(p_value))
  end;
  for v_key, v_rule in select e.key, e.value from jsonb_each(p_schema) as e loop
    v_reason := locaria.check_json_rule(p_value, v_type, v_size, v_key, v_rule, p_secret);
    if v_reason is not null then
      v_errors := v_errors || jsonb_build_object('path', p_path, 'reason', v_reason);
    elsif v_key in ('allOf', 'anyOf', 'oneOf', 'not', 'if') then
      v_errors := v_errors || locaria.check_json_choice(p_value, p_schema, v_key, p_path, v_defs, p_secret,
        p_depth + 1);
    elsif v_type = 'array' and v_key = 'items' then
      for v_index, v_item in select e.n - 1, e.item
        from jsonb_array_elements(p_value) with ordinality as e (item, n) loop
        v_errors := v_errors || locaria.check_json(v_item, v_rule, format('%s[%s]', p_path, v_index), v_defs,
          p_secret, p_depth + 1);
        exit when jsonb_array_length(v_errors) >= 100;
      end loop;
    end if;
  end loop;
  if v_type = 'object' then
    v_errors := v_errors || locaria.check_json_object(p_value, p_schema, p_path, v_defs, p_secret, p_depth + 1);
  end if;
  return v_errors;
end
$$;
comment on function locaria.check_json(jsonb, jsonb, text, jsonb, boolean, integer) is
  'Checks a value against a JSON Schema; returns what is wrong, all of it: [{"path", "reason"}]. Knows of draft '
  '2020-12: type, enum, const, properties, required, additionalProperties, propertyNames, items, allOf, anyOf, '
  'oneOf, not, if/then/else, $ref to #/$defs/…, the minima and maxima, pattern, multipleOf, uniqueItems; the rest '
  'is refused by check_schema. Below a key credentials no reason shows a value.';
