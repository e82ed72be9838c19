create or replace function locaria.list_texts(p_value jsonb)
returns text[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select array(select jsonb_array_elements_text(
    case jsonb_typeof(p_value) when 'array' then p_value else jsonb_build_array(p_value) end
  ))
$$;
comment on function locaria.list_texts(jsonb) is 'One text, or an array of texts, as an array.';
