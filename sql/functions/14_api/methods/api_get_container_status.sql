create or replace function locaria.api_get_container_status(p_request jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file bigint := (p_request ->> 'container_id')::numeric::bigint;
  v_debug boolean := (p_request ->> 'debug')::boolean;
  v_described jsonb := locaria.describe_file(v_file);
begin
  if v_described is null then
    return jsonb_build_object('code', 399, 'message', format('there is nothing with container_id %s', v_file),
      'attributes', '{"log_messages": []}'::jsonb, 'last_update',
        to_char(locaria.clock() at time zone 'utc', 'DD-MM-YYYY HH24:MI:SS'));
  end if;
  v_debug := coalesce(v_debug, (select f.debug from locaria.files f where f.id = v_file));
  return locaria.describe_status(v_described, (
    select jsonb_agg(jsonb_build_object('date', to_char(m.at at time zone 'utc', 'DD-MM-YYYY HH24:MI:SS'), 'log',
      m.message) order by m.at, m.id)
    from locaria.list_log_messages(v_file, (v_described ->> 'created')::timestamptz, 0, v_debug, 100) as m
  ));
end
$$;
comment on function locaria.api_get_container_status(jsonb) is
  'Method get_container_status: {"code", "message", "attributes": {"log_messages": [{"date", "log"}], "last_error", '
  '"progress"}, "last_update"}, dates as DD-MM-YYYY HH:MM:SS in UTC. An unknown one has code 399.';
