create or replace function locaria.get_parameter_rules(
  p_parameters jsonb,
  p_schema jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'type', 'object',
    'properties', coalesce(p_schema -> 'properties', '{}') || coalesce((
      -- Choices always hold; otherwise, where the schema names a type, it alone decides.
      select jsonb_object_agg(p.key, case
        when p.rule = '{}' then coalesce(s.rule, '{}')
        when s.rule is null then p.rule
        when p.rule ? 'enum' then jsonb_build_object('allOf', jsonb_build_array(p.rule, s.rule)) || p.words
        when s.rule ?| array['type', 'enum', 'const', 'anyOf', 'oneOf', '$ref'] then s.rule
        else p.rule || s.rule
      end)
      from (
        select e.key, jsonb_strip_nulls(jsonb_build_object('description',
          p_schema -> 'properties' -> e.key -> 'description')) as words,
          case jsonb_typeof(e.value)
            when 'string' then '{"type": "string"}'
            when 'number' then '{"type": "number"}'
            when 'boolean' then '{"type": "boolean"}'
            when 'object' then '{"type": "object"}'
            when 'array' then case when e.value = '[]' then '{"type": "array", "items": {"type": "string"}}'
              else jsonb_build_object('enum', e.value) end
            else '{}'
          end::jsonb as rule
        from jsonb_each(p_parameters) as e
      ) as p,
      lateral (select case when jsonb_typeof(p_schema -> 'properties' -> p.key) = 'object'
        then p_schema -> 'properties' -> p.key end as rule) as s
    ), '{}'),
    'required', coalesce(p_schema -> 'required', (
      select jsonb_agg(e.key order by e.key) from jsonb_each(p_parameters) as e
      where (e.value = '""' or jsonb_typeof(e.value) = 'array' and e.value <> '[]')
        and not locaria.list_defaults(p_parameters, p_schema) ? e.key
    ), '[]'),
    'additionalProperties', coalesce(p_schema -> 'additionalProperties', 'false')
  ) || (coalesce(p_schema, '{}') - array['type', 'properties', 'required', 'additionalProperties', 'default'])
$$;
comment on function locaria.get_parameter_rules(jsonb, jsonb) is
  'One JSON Schema out of the published parameters of a container and its parameter_schema: what get_containers '
  'says, and what the schema says beyond it.';
