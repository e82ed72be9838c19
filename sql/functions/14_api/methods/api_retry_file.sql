create or replace function locaria.api_retry_file(p_request jsonb)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$ select locaria.steer_file(p_request, 'retry') $$;
comment on function locaria.api_retry_file(jsonb) is
  'Method retry_file: see retry(). Returns {"container_id", "message", "file"}.';
