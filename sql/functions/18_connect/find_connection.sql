create or replace function locaria.find_connection(p_connection text)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select identity || jsonb_build_object('expired', expires <= locaria.clock())
  from locaria.websocket_connections
  where connection_id = p_connection
$$;
comment on function locaria.find_connection(text) is
  'Who opened a connection, with the key expired; null when it is unknown. One that has expired must be closed.';
