create or replace function locaria.describe_json(
  p_value jsonb,
  p_secret boolean default false
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case jsonb_typeof(p_value)
    when 'object' then 'an object'
    when 'array' then 'a list'
    when 'null' then 'null'
    when 'boolean' then p_value::text
    when 'string' then case when p_secret then 'a text' when length(p_value #>> '{}') <= 60 then p_value::text
      else to_json(left(p_value #>> '{}', 57) || '…')::text end
    else case when p_secret or length(p_value::text) > 60 then 'such a number' else p_value::text end
  end
$$;
comment on function locaria.describe_json(jsonb, boolean) is
  'A JSON value in an error message: short, and without its content where it may be a secret.';
