create or replace function locaria.reply_error(
  p_code integer,
  p_message text,
  p_errors jsonb default null
)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_strip_nulls(jsonb_build_object('code', p_code, 'message', p_message, 'errors', nullif(p_errors, '[]')))
$$;
comment on function locaria.reply_error(integer, text, jsonb) is
  'An error reply: 400 the request, 403 not allowed, 404 not found, 409 not in this state, 422 the parameters, 500 '
  'our fault.';
