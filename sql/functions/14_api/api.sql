create or replace function locaria.api(
  p_request jsonb,
  p_identity jsonb default null
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set jit = off
as $$
declare
  v_has_id boolean := coalesce(jsonb_typeof(p_request) = 'object' and p_request ? 'request_id', false);
  v_reply jsonb;
  v_state text;
  v_message text;
  v_hint text;
  v_context text;
begin
  begin
    perform set_config('locaria.api_role', coalesce(p_identity ->> 'role', case when p_identity is not null
      and p_identity ? 'role' then 'none' end, ''), true),
      set_config('locaria.subject', coalesce(left(p_identity ->> 'subject', 200), ''), true);
    v_reply := coalesce(locaria.check_request(p_request), locaria.api_call(p_request ->> 'method', p_request));
  exception when others then
    get stacked diagnostics v_state = returned_sqlstate, v_message = message_text, v_hint = pg_exception_hint,
      v_context = pg_exception_context;
    v_reply := locaria.api_error(v_state, v_message, v_hint, v_context);
  end;
  perform set_config('locaria.api_role', '', true), set_config('locaria.subject', '', true);
  if v_has_id and pg_column_size(p_request -> 'request_id') <= 1000 then
    return case when jsonb_typeof(v_reply) = 'array' then jsonb_build_object('containers', v_reply) else v_reply end
      || jsonb_build_object('request_id', p_request -> 'request_id');
  end if;
  return v_reply;
end
$$;
comment on function locaria.api(jsonb, jsonb) is
  'The API: a request {"method", "request_id", …} (see api_methods) is answered by a reply, and so is a wrong one: '
  '{"code": 400|403|404|409|422|500, "message", "errors": [{"path", "reason"}]}. p_identity: {"role": '
  'reader|submitter|operator, "subject": who asks}, from a transport; the role never exceeds that of the SQL '
  'session, and the subject is believed of a login in locaria_web only. request_id is echoed.';
