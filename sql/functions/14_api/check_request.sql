create or replace function locaria.check_request(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_roles constant text[] := array['none', 'reader', 'submitter', 'operator'];
  v_method locaria.api_methods;
  v_role text;
  v_errors jsonb;
begin
  if jsonb_typeof(p_request) is distinct from 'object' then
    return locaria.reply_error(400, 'a request must be a JSON object, like {"method": "get_containers"}');
  elsif pg_column_size(p_request) > 1000000 then
    return locaria.reply_error(400, 'the request is too large: at most 1,000,000 bytes');
  elsif pg_column_size(p_request) > 200 and jsonb_path_exists(p_request, 'strict $.**{40}') then
    return locaria.reply_error(400, 'the request is nested too deeply: at most 40 levels');
  end if;
  select * into v_method from locaria.api_methods where method = p_request ->> 'method'
    and jsonb_typeof(p_request -> 'method') = 'string';
  if not found then
    return locaria.reply_error(400, format('%s; methods: %s',
      case when p_request ? 'method' then format('there is no method %s',
        locaria.describe_json(p_request -> 'method')) else 'method is missing' end,
      (select string_agg(method, ', ' order by method) from locaria.api_methods)),
        '[{"path": "method", "reason": "must be the name of a method"}]');
  end if;
  v_role := locaria.caller_role();
  if array_position(v_roles, v_role) < array_position(v_roles, v_method.least_role) then
    perform locaria.record_refused_call(v_method.method, v_method.least_role);
    return locaria.reply_error(403, format('%s takes the role %s; you are %s', v_method.method, v_method.least_role,
      case v_role when 'none' then 'not known here' else v_role end));
  end if;
  v_errors := locaria.check_json(p_request - array['method', 'request_id'], v_method.request);
  return case when v_errors <> '[]' then locaria.reply_error(400,
    format('%s: %s', v_method.method, locaria.list_errors(v_errors)), v_errors) end;
end
$$;
comment on function locaria.check_request(jsonb) is
  'The reply to a request of the API that is wrong in form (400) or above the caller''s role (403, and noted in '
  'refused_calls); null if it is neither.';
