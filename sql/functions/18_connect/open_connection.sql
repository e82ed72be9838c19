create or replace function locaria.open_connection(
  p_connection text,
  p_endpoint text,
  p_identity jsonb
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  insert into locaria.websocket_connections (connection_id, endpoint, identity, opened, expires)
  values (
    p_connection, p_endpoint, p_identity - 'expires', locaria.clock(),
    least(locaria.clock() + interval '2 hours', to_timestamp((p_identity ->> 'expires')::double precision))
  )
  on conflict (connection_id) do update set
    endpoint = excluded.endpoint, identity = excluded.identity, opened = excluded.opened, expires = excluded.expires
$$;
comment on function locaria.open_connection(text, text, jsonb) is
  'Remembers who opened a connection of API Gateway: {"role", "subject", "expires"}, expires in Unix time or '
  'absent.';
