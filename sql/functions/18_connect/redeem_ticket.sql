create or replace function locaria.redeem_ticket(p_ticket text)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with taken as (
    delete from locaria.tickets where ticket_hash = sha256(convert_to(p_ticket, 'UTF8')) returning identity, expires
  )
  select identity from taken where expires > locaria.clock()
$$;
comment on function locaria.redeem_ticket(text) is
  'The identity behind a ticket, once; null when it is unknown, used or too old.';
