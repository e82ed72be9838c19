create or replace function locaria.api_instantiate_container(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := p_request ->> 'name';
  v_parameters jsonb := coalesce(p_request -> 'parameters', '{}');
  v_container locaria.containers;
  v_errors jsonb;
  v_file bigint;
begin
  select * into v_container from locaria.containers where name = v_name;
  if not found then
    return locaria.reply_error(404, format('there is no container %s; containers: %s',
      locaria.describe_json(p_request -> 'name'),
      coalesce((select string_agg(name, ', ' order by name) from locaria.containers), 'none is registered')),
        '[{"path": "name", "reason": "is unknown"}]');
  end if;
  v_errors := locaria.check_json(v_parameters, locaria.get_parameter_rules(v_container.parameters,
    v_container.parameter_schema), 'parameters');
  if v_errors <> '[]' then
    return locaria.reply_error(422, format('%s: %s', v_name, locaria.list_errors(v_errors)), v_errors);
  end if;
  insert into locaria.files (container, status, debug, submitted_by, attributes)
  values (v_name, coalesce((select min(s.status) from locaria.statuses s where s.container = v_name), 'REGISTERED'),
    coalesce((p_request ->> 'debug')::boolean, false), locaria.actor(), v_parameters)
  returning id into v_file;
  return jsonb_build_object('container_id', v_file, 'user_message',
    format('%s is asked to run%s; get_container_status tells of %s', v_name,
      case when v_container.retired is not null then ', but it is not deployed any more' when v_container.paused
        then ', but it is paused: it runs after resume' else '' end, v_file));
end
$$;
comment on function locaria.api_instantiate_container(jsonb) is
  'Method instantiate_container: checks the parameters against what the container publishes (422), and inserts a '
  'file. Returns {"container_id", "user_message"}.';
