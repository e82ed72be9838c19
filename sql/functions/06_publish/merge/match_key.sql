create or replace function locaria.match_key(
  p_table regclass,
  p_key jsonb,
  p_one text,
  p_other text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(
    case
      when locaria.compares_as_text(a.atttypid)
        then format('%1$I.%3$I::text = %2$I.%3$I::text', p_one, p_other, a.attname)
      else format('%1$I.%3$I = %2$I.%3$I', p_one, p_other, a.attname)
    end, ' and ')
  from jsonb_array_elements_text(p_key) as k
  join pg_attribute a on a.attrelid = p_table and a.attname = k
$$;
comment on function locaria.match_key(regclass, jsonb, text, text) is
  'The condition that rows of two tables, given by alias, have the same key.';
