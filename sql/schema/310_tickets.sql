create table locaria.tickets (
  ticket_hash bytea not null,
  identity jsonb not null,
  expires timestamptz not null,
  constraint tickets_pkey primary key (ticket_hash),
  constraint tickets_identity_is_an_object check (jsonb_typeof(identity) = 'object')
);
comment on table locaria.tickets is
  'One-use tickets with which a browser opens a WebSocket, because it cannot send a token there. Only hashes are '
  'kept, for seconds.';
comment on column locaria.tickets.ticket_hash is 'SHA-256 of the ticket.';
comment on column locaria.tickets.identity is
  'Who the ticket was issued to: {"role", "subject", "expires"}; expires is the Unix time at which the caller''s '
  'token expires.';
