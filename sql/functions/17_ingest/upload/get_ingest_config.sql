create or replace function locaria.get_ingest_config()
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$ select parameter from locaria.parameters where parameter_name = 'ingest_config' $$;
comment on function locaria.get_ingest_config() is
  'The limits and folders of bundle ingest: what its listener and its loader may know of parameters.';
