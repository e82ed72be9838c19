create or replace function locaria.check_key(
  p_key jsonb,
  p_columns jsonb,
  p_mode text
)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text;
begin
  if p_mode = 'merge' and (jsonb_typeof(p_key) is distinct from 'array' or jsonb_array_length(p_key) = 0) then
    raise exception using errcode = 'LC007', message = 'key: mode merge requires the columns by which rows are matched';
  elsif p_key is not null and jsonb_typeof(p_key) <> 'array' then
    raise exception using errcode = 'LC007', message = 'key: must be a list of columns';
  end if;
  select k into v_missing from jsonb_array_elements_text(p_key) as k
  where not p_columns @> jsonb_build_array(jsonb_build_object('name', k)) limit 1;
  if found then
    raise exception using errcode = 'LC007', message = format('key: there is no column "%s"', left(v_missing, 80)),
      hint = 'Columns: ' || (select string_agg(c ->> 'name', ', ') from jsonb_array_elements(p_columns) as c);
  end if;
end
$$;
comment on function locaria.check_key(jsonb, jsonb, text) is
  'Refuses (LC007) a key with columns that do not exist, and a merge without a key.';
