create or replace function locaria.issue_ticket(
  p_identity jsonb,
  p_valid interval default '30 seconds'
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- 244 random bits
  v_ticket text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
  if p_identity ->> 'role' is null or p_identity ->> 'role' not in ('reader', 'submitter', 'operator') then
    raise exception using errcode = 'LC007', message = 'issue_ticket: p_identity needs a role: reader, submitter or '
      'operator';
  end if;
  if p_valid is null or p_valid not between interval '1 second' and interval '5 minutes' then
    raise exception using errcode = 'LC007', message = 'issue_ticket: p_valid must be from 1 second to 5 minutes';
  end if;
  insert into locaria.tickets (ticket_hash, identity, expires)
  values (sha256(convert_to(v_ticket, 'UTF8')), p_identity, locaria.clock() + p_valid);
  return v_ticket;
end
$$;
comment on function locaria.issue_ticket(jsonb, interval) is
  'A ticket with which a browser opens one WebSocket as p_identity, {"role", "subject", "expires"}. Errors: LC007.';
