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
  'Open WebSocket connections of API Gateway. Because $disconnect is not guaranteed, tick() removes expired rows, '
  'and the Lambda function removes those that API Gateway no longer knows (410).';
comment on column locaria.websocket_connections.endpoint is 'The endpoint for PostToConnection.';
comment on column locaria.websocket_connections.identity is 'Who opened it: {"role", "subject"}.';
comment on column locaria.websocket_connections.expires is
  'When the connection ends: when its token expires, at most two hours after it was opened (the limit of API '
  'Gateway).';
create index websocket_connections_by_expiry on locaria.websocket_connections (expires);
