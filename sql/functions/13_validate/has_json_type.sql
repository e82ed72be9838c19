create or replace function locaria.has_json_type(
  p_value jsonb,
  p_types jsonb
)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select p_types @> to_jsonb(jsonb_typeof(p_value))
    or jsonb_typeof(p_value) = 'number' and p_types @> '"integer"' and scale(trim_scale(p_value::numeric)) = 0
$$;
comment on function locaria.has_json_type(jsonb, jsonb) is
  'Whether a value is of a type, or of one of a list of types, of JSON Schema; 1.0 is an integer.';
