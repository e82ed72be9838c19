-- The transports of the API: who is connected. What clients ask runs under the roles above.
grant execute on function
  locaria.issue_ticket(jsonb, interval), locaria.redeem_ticket(text),
  locaria.open_connection(text, text, jsonb), locaria.find_connection(text), locaria.close_connection(text)
to locaria_web;
grant execute on function locaria.get_metrics() to locaria_reader, locaria_operator, locaria_web;
grant execute on function locaria.get_log_position(), locaria.read_log(bigint, bigint, bigint) to locaria_app,
  locaria_reader, locaria_operator;
-- Only the transports may see tickets and connections.
revoke select on locaria.tickets, locaria.websocket_connections from locaria_reader, locaria_operator;
