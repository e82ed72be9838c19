create or replace function locaria.check_schema_keyword(
  p_key text,
  p_rule jsonb,
  p_defs jsonb
)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text := jsonb_typeof(p_rule);
  v_types constant jsonb := '["string", "integer", "number", "boolean", "array", "object", "null"]';
begin
  if p_key in ('title', 'description', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', 'format',
    '$schema', '$id', '$comment') or p_key like 'x-%' then
    return null;
  elsif p_key = 'type' then
    return case when not (v_type = 'string' and v_types ? (p_rule #>> '{}') or v_type = 'array' and p_rule <> '[]'
      and v_types @> p_rule)
      then 'must be one or more of string, integer, number, boolean, array, object, null' end;
  elsif p_key in ('enum', 'allOf', 'anyOf', 'oneOf') then
    return case when v_type <> 'array' or p_rule = '[]' then 'must be a list that is not empty' end;
  elsif p_key in ('properties', '$defs') then
    return case when v_type <> 'object' then 'must be an object of schemas by name' end;
  elsif p_key = 'required' then
    return case when v_type <> 'array' or jsonb_path_exists(p_rule, 'strict $[*] ? (@.type() != "string")')
      then 'must be a list of names' end;
  elsif p_key in ('minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties') then
    return case when not locaria.has_json_type(p_rule, '"integer"') or p_rule < '0'
      then 'must be a whole number, 0 or more' end;
  elsif p_key in ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum') then
    return case when v_type <> 'number' then 'must be a number' end;
  elsif p_key = 'multipleOf' then
    return case when v_type <> 'number' or p_rule <= '0' then 'must be a number above 0' end;
  elsif p_key = 'uniqueItems' then
    return case when v_type <> 'boolean' then 'must be true or false' end;
  elsif p_key = 'pattern' then
    begin
      perform '' ~ (p_rule #>> '{}');
      return case when v_type <> 'string' then 'must be a regular expression' end;
    exception when invalid_regular_expression then
      return 'is not a valid regular expression in Postgres';
    end;
  elsif p_key = '$ref' then
    return case when v_type <> 'string' or p_rule #>> '{}' !~ '^#/[$]defs/' or not p_defs ? substr(p_rule #>> '{}', 9)
      then 'must be #/$defs/ and the name of one of the $defs' end;
  elsif p_key in ('const', 'additionalProperties', 'propertyNames', 'items', 'not', 'if', 'then', 'else') then
    return null;
  end if;
  return 'is not understood here; see the comment of function check_json';
end
$$;
comment on function locaria.check_schema_keyword(text, jsonb, jsonb) is
  'What is wrong with one keyword of a JSON Schema and its value; null if nothing is.';
