create or replace function locaria.describe_file(p_file bigint)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$ select d.file from locaria.describe_files(array[p_file]) as d $$;
comment on function locaria.describe_file(bigint) is 'One file as the API shows it; null if there is none.';
