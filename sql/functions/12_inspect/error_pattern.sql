create or replace function locaria.error_pattern(p_error text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$ select regexp_replace(left(coalesce(p_error, ''), 200), '[0-9]+', 'N', 'g') $$;
comment on function locaria.error_pattern(text) is 'What errors have in common that differ in their numbers alone.';
