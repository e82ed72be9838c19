create or replace function locaria.close_connection(p_connection text)
returns boolean
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with gone as (
    delete from locaria.websocket_connections where connection_id = p_connection returning 1
  )
  select exists (select from gone)
$$;
comment on function locaria.close_connection(text) is 'Forgets a connection; whether it was known.';
