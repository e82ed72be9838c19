create table locaria.websocket_connections (
  connection_id text not null,
  endpoint text not null,
  identity jsonb not null,
  opened timestamptz not null,
  expires timestamptz not null,
  constraint websocket_connections_pkey primary key (connection_id),
  constraint websocket_connections_identity_is_an_object check (jsonb_typeof(identity) = 'object')
);
comment on table locaria.websocket_connections is
  'Open WebSocket connections of API Gateway. Its $disconnect is not guaranteed: tick() removes what has expired, the Lambda function what API Gateway no longer knows (410).';
comment on column locaria.websocket_connections.endpoint is 'Where PostToConnection of this connection is called.';
comment on column locaria.websocket_connections.identity is 'Who opened it: {"role", "subject"}.';
comment on column locaria.websocket_connections.expires is 'After this it is nobody''s: when its token ends, two hours after it was opened at the latest (API Gateway''s limit).';
create index websocket_connections_by_expiry on locaria.websocket_connections (expires);
