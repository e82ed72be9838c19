create or replace function locaria.api_error(
  p_state text,
  p_message text,
  p_hint text,
  p_context text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_code integer := case
    when p_state in ('LC004', 'LC008') then 404
    when p_state in ('LC003', 'LC009') then 409
    when p_state in ('40001', '40P01', '55P03') then 409
    when p_state in ('LC005', 'LC007', '54001') then 400
    when p_state = '42501' then 403
    else 500
  end;
begin
  if p_state like 'LC%' then
    return locaria.reply_error(v_code, concat_ws('. ', p_message, nullif(p_hint, '')));
  elsif v_code = 409 then
    return locaria.reply_error(v_code, 'another session is changing the same file: send the request again');
  elsif v_code = 400 then
    return locaria.reply_error(v_code, 'the request is nested too deeply');
  elsif v_code = 403 then
    return locaria.reply_error(v_code, 'the SQL role of this connection may not do that');
  end if;
  -- A message of Postgres may quote the request with its credentials, so only its location is logged.
  raise log 'locaria.api failed with SQLSTATE % in %', p_state, p_context;
  return locaria.reply_error(v_code, format('an internal error (SQLSTATE %s); the server''s log says where', p_state));
end
$$;
comment on function locaria.api_error(text, text, text, text) is 'The reply that an error becomes, by its SQLSTATE.';
