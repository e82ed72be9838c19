create or replace function locaria.api_add_file(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_run_after timestamptz;
  v_status text := coalesce(p_request ->> 'status', 'REGISTERED');
  v_container text := coalesce(p_request ->> 'container',
    (select s.container from locaria.statuses s where s.status = v_status));
  v_errors jsonb;
  v_file bigint;
begin
  if p_request ? 'run_after' then
    v_run_after := locaria.parse_time(p_request ->> 'run_after');
    if v_run_after is null then
      return locaria.reply_error(400, 'add_file: run_after is not a valid time',
        '[{"path": "run_after", "reason": "is not a valid time"}]');
    end if;
  end if;
  if exists (select from locaria.containers where name = v_container) then
    v_errors := locaria.check_attributes(v_container, p_request -> 'attributes');
    if v_errors <> '[]' then
      return locaria.reply_error(422, format('%s: %s', v_container, locaria.list_errors(v_errors)), v_errors);
    end if;
  end if;
  insert into locaria.files (container, status, priority, run_after, debug, submitted_by, attributes)
  values (p_request ->> 'container', v_status, coalesce((p_request ->> 'priority')::numeric::smallint, 0),
    coalesce(v_run_after, now()), coalesce((p_request ->> 'debug')::boolean, false), locaria.actor(),
      p_request -> 'attributes')
  returning id into v_file;
  return jsonb_build_object('container_id', v_file, 'file', locaria.describe_file(v_file));
end
$$;
comment on function locaria.api_add_file(jsonb) is
  'Method add_file: checks the attributes against what the container publishes (422), and inserts a file. Returns '
  '{"container_id", "file"}.';
