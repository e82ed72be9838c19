create or replace function locaria.list_defaults(
  p_parameters jsonb,
  p_schema jsonb
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(name, value), '{}')
  from (
    select coalesce(p.key, s.key) as name,
      case
        when s.value ? 'default' then s.value -> 'default'
        -- Without a default: "" is a text to be given, a list names the choices, null is anything.
        when p.value in ('""', 'null') or jsonb_typeof(p.value) = 'array' and p.value <> '[]' then null
        else p.value
      end as value
    from jsonb_each(p_parameters) as p
    full join jsonb_each(case when jsonb_typeof(p_schema -> 'properties') = 'object' then p_schema -> 'properties'
      else '{}' end) as s on s.key = p.key
  ) as d
  where value is not null
$$;
comment on function locaria.list_defaults(jsonb, jsonb) is
  'The defaults of a container''s parameters: "default" of a property in its parameter_schema, else what the '
  'published parameters say.';
