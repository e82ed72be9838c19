create or replace function locaria.list_errors(p_errors jsonb)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(concat_ws(' ', nullif(e ->> 'path', ''), e ->> 'reason'), '; ' order by n) || case
    when jsonb_array_length(p_errors) > 5 then '; …' else '' end
  from jsonb_array_elements(p_errors) with ordinality as x (e, n)
  where n <= 5
$$;
comment on function locaria.list_errors(jsonb) is 'The first errors of a list [{"path", "reason"}], as one sentence.';
