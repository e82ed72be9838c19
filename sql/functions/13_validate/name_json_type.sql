create or replace function locaria.name_json_type(p_type text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case p_type
    when 'string' then 'a text'
    when 'integer' then 'a whole number'
    when 'number' then 'a number'
    when 'boolean' then 'true or false'
    when 'array' then 'a list'
    when 'object' then 'an object'
    else p_type
  end
$$;
comment on function locaria.name_json_type(text) is 'A type of JSON Schema in words.';
