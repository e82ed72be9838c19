create or replace function locaria.api_update_file(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_id bigint := (p_request ->> 'container_id')::numeric::bigint;
  v_run_after timestamptz;
  v_file locaria.files;
  v_container text;
  v_errors jsonb;
begin
  if not p_request ?| array['priority', 'run_after', 'attributes'] then
    return locaria.reply_error(400, 'update_file: nothing to change; give priority, run_after or attributes');
  elsif p_request ? 'run_after' then
    v_run_after := locaria.parse_time(p_request ->> 'run_after');
    if v_run_after is null then
      return locaria.reply_error(400, 'update_file: run_after is not a valid time',
        '[{"path": "run_after", "reason": "is not a valid time"}]');
    end if;
  end if;
  select * into v_file from locaria.files where id = v_id for no key update;
  if not found then
    return locaria.reply_error(404, format('there is no file %s', v_id));
  elsif v_file.claimed_by is not null then
    return locaria.reply_error(409, format('file %s is being worked on: cancel it first, change it, and retry it',
      v_id));
  elsif v_file.finished is not null and p_request ?| array['priority', 'run_after'] then
    return locaria.reply_error(409, format('file %s is %s: priority and run_after are of files that wait; '
      'retry_file runs it again', v_id, v_file.status));
  elsif v_file.status = 'DELETED' then
    return locaria.reply_error(409, format('file %s is DELETED, for good', v_id));
  end if;
  if p_request ? 'attributes' then
    select coalesce(v_file.container, s.container) into v_container from locaria.statuses s
      where s.status = v_file.status;
    v_container := coalesce(v_container, (select r.container from locaria.runs r where r.file_id = v_id
      order by r.id desc limit 1));
    if exists (select from locaria.containers where name = v_container) then
      v_errors := locaria.check_attributes(v_container, p_request -> 'attributes');
      if v_errors <> '[]' then
        return locaria.reply_error(422, format('%s: %s', v_container, locaria.list_errors(v_errors)), v_errors);
      end if;
    end if;
  end if;
  update locaria.files
  set priority = coalesce((p_request ->> 'priority')::numeric::smallint, priority),
    run_after = coalesce(v_run_after, run_after),
    attributes = coalesce(p_request -> 'attributes', attributes), last_update = locaria.clock()
  where id = v_id;
  insert into locaria.transitions (file_id, at, from_status, to_status, by_user, reason)
  values (v_id, locaria.clock(), v_file.status, v_file.status, locaria.actor(), 'changed: ' || concat_ws(', ',
    'priority ' || (p_request ->> 'priority'), 'run after ' || (p_request ->> 'run_after'), case
      when p_request ? 'attributes' then 'attributes' end));
  return jsonb_build_object('container_id', v_id, 'message', 'changed', 'file', locaria.describe_file(v_id));
end
$$;
comment on function locaria.api_update_file(jsonb) is
  'Method update_file: priority and run_after of a file that waits, attributes, checked as by add_file (422), of '
  'one that is not running. Returns {"container_id", "message", "file"}.';
