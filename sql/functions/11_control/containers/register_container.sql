create or replace function locaria.register_container(
  p_name text,
  p_container jsonb
)
returns locaria.containers
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row locaria.containers;
  v_limits text[] := array['max_tasks', 'max_attempts', 'max_launches', 'lease', 'timeout', 'stall_timeout',
    'idle_timeout',
    'launch_timeout', 'cancel_grace', 'backoff', 'reject_limit', 'log_limit'];
  v_unknown text;
begin
  if jsonb_typeof(p_container) is distinct from 'object' then
    raise exception using errcode = 'LC007', message = format('container %s: its entry must be a JSON object', p_name);
  end if;
  v_unknown := (
    select string_agg(k, ', ') from jsonb_object_keys(case when jsonb_typeof(p_container -> 'limits') = 'object'
      then p_container -> 'limits' else '{}' end) as k
    where k <> all (v_limits)
  );
  if v_unknown is not null then
    raise exception using errcode = 'LC007', message = format('container %s: there is no limit "%s"', p_name,
      v_unknown),
      hint = 'Limits: ' || array_to_string(v_limits, ', ');
  end if;
  v_unknown := (
    select string_agg(k, ', ') from jsonb_object_keys(case when jsonb_typeof(p_container -> 'scripts') = 'object'
      then p_container -> 'scripts' else '{}' end) as k
    where k !~ '^[A-Za-z0-9_.-]{1,63}$'
  );
  if v_unknown is not null then
    raise exception using errcode = 'LC007', message = format('container %s: no name of a script: %s', p_name,
      left(v_unknown, 200)),
      hint = 'Up to 63 of A-Z, a-z, 0-9 and _.- are needed.';
  end if;
  insert into locaria.containers (name) values (p_name) on conflict (name) do nothing;
  update locaria.containers c
  set description = coalesce(p_container ->> 'description', c.description),
    type = coalesce(p_container ->> 'type', c.type),
    paused = c.paused and c.retired is null,
    retired = null,
    port = coalesce((p_container ->> 'port')::integer, c.port),
    autostart = coalesce((p_container ->> 'autostart')::boolean, c.autostart),
    parameters = coalesce(p_container -> 'parameters', c.parameters),
    parameter_schema = case when p_container ? 'parameters' then nullif(p_container -> 'parameter_schema', 'null')
      else c.parameter_schema end,
    max_tasks = coalesce((p_container -> 'limits' ->> 'max_tasks')::integer, c.max_tasks),
    max_attempts = coalesce((p_container -> 'limits' ->> 'max_attempts')::integer, c.max_attempts),
    max_launches = coalesce((p_container -> 'limits' ->> 'max_launches')::integer, c.max_launches),
    cancel_grace = coalesce((p_container -> 'limits' ->> 'cancel_grace')::interval, c.cancel_grace),
    lease = coalesce((p_container -> 'limits' ->> 'lease')::interval, c.lease),
    timeout = coalesce((p_container -> 'limits' ->> 'timeout')::interval, c.timeout),
    stall_timeout = coalesce((p_container -> 'limits' ->> 'stall_timeout')::interval, c.stall_timeout),
    idle_timeout = coalesce((p_container -> 'limits' ->> 'idle_timeout')::interval, c.idle_timeout),
    launch_timeout = coalesce((p_container -> 'limits' ->> 'launch_timeout')::interval, c.launch_timeout),
    backoff = coalesce((p_container -> 'limits' ->> 'backoff')::interval, c.backoff),
    reject_limit = coalesce((p_container -> 'limits' ->> 'reject_limit')::integer, c.reject_limit),
    log_limit = coalesce((p_container -> 'limits' ->> 'log_limit')::integer, c.log_limit),
    last_update = locaria.clock()
  where c.name = p_name
  returning * into v_row;
  if jsonb_typeof(p_container -> 'scripts') = 'object' then
    delete from locaria.container_scripts where container = p_name and not (p_container -> 'scripts') ? script_name;
    insert into locaria.container_scripts as s (container, script_name, body, created)
    select p_name, e.key, e.value, locaria.clock() from jsonb_each_text(p_container -> 'scripts') as e
    on conflict (container, script_name) do update set body = excluded.body, created = excluded.created
    where s.body <> excluded.body;
  end if;
  return v_row;
end
$$;
comment on function locaria.register_container(text, jsonb) is
  'Registers a container with its entry of containers/dockers.json, or brings it up to date; limits that the entry '
  'does not name stay as they are. A retired container becomes active again. "scripts", {name: SQL}, are all '
  'scripts of the container.';
