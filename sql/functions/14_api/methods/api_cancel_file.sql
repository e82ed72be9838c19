create or replace function locaria.api_cancel_file(p_request jsonb)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$ select locaria.steer_file(p_request, 'cancel') $$;
comment on function locaria.api_cancel_file(jsonb) is
  'Method cancel_file: see cancel(). Returns {"container_id", "message", "file"}.';
