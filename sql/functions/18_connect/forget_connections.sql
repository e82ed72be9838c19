create or replace function locaria.forget_connections()
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with tickets as (
    delete from locaria.tickets where expires < locaria.clock() returning 1
  ), connections as (
    delete from locaria.websocket_connections where expires < locaria.clock() - interval '1 minute' returning 1
  )
  select ((select count(*) from tickets) + (select count(*) from connections))::integer
$$;
comment on function locaria.forget_connections() is
  'A step of tick(): removes tickets and connections that have expired. Returns how many.';
