create or replace function locaria.reserve_ingest_job()
returns bigint
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$ select nextval('locaria.files_id_seq') $$;
comment on function locaria.reserve_ingest_job() is 'A number that no other job or file gets.';
