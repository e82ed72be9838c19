create or replace function locaria.hide_json_secrets(
  p_value jsonb,
  p_secrets text[]
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_secrets is null or p_value is null then
    return p_value;
  end if;
  return case jsonb_typeof(p_value)
    when 'string' then to_jsonb(locaria.hide_secrets(p_value #>> '{}', p_secrets))
    when 'array' then coalesce((
      select jsonb_agg(locaria.hide_json_secrets(e.value, p_secrets) order by e.n)
      from jsonb_array_elements(p_value) with ordinality as e (value, n)
    ), '[]')
    when 'object' then coalesce((
      select jsonb_object_agg(
        locaria.hide_secrets(e.key, p_secrets), locaria.hide_json_secrets(e.value, p_secrets)
      )
      from jsonb_each(p_value) as e
    ), '{}')
    else p_value
  end;
end
$$;
comment on function locaria.hide_json_secrets(jsonb, text[]) is
  'Replaces each secret in the strings and keys of a JSON value by ***.';
