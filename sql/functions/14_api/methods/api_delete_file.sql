create or replace function locaria.api_delete_file(p_request jsonb)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$ select locaria.steer_file(p_request, 'delete') $$;
comment on function locaria.api_delete_file(jsonb) is
  'Method delete_file: marks a file as DELETED; nothing is removed but its credentials. Returns {"container_id", '
  '"message", "file"}.';
