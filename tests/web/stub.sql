create function locaria.watch_changes(p_for interval default '1 minute') returns void language sql as $$ select pg_current_xact_id(); $$;
create function locaria.get_changes(p_files bigint[], p_after_log bigint default null) returns setof jsonb language sql stable security definer as $$
  select jsonb_build_object('event', 'container_status', 'container_id', f.id, 'code', 300, 'message', f.status,
    'attributes', jsonb_build_object('log_messages', coalesce((select jsonb_agg(jsonb_build_object('id', l.id, 'date', '', 'level', l.level, 'log', l.message) order by l.id) from locaria.log_messages l where l.file_id = f.id and l.id > coalesce(p_after_log, 0)), '[]')),
    'last_update', '', 'file', jsonb_build_object('container_id', f.id))
  from locaria.files f where f.id = any (p_files)
$$;
create function locaria.api(request jsonb, identity jsonb) returns jsonb language plpgsql security definer as $$
declare v jsonb; n bigint;
begin
  if request ->> 'method' = 'get_containers' then v := '{"containers": []}';
  elsif request ->> 'method' in ('instantiate_container', 'add_file') then
    if identity ->> 'role' = 'reader' then v := '{"code": 403, "message": "reader"}';
    else insert into locaria.files (container, attributes) values (coalesce(request ->> 'name', request ->> 'container'), coalesce(request -> 'parameters', request -> 'attributes')) returning id into n; v := jsonb_build_object('container_id', n, 'user_message', ''); end if;
  elsif request ->> 'method' = 'boom' then raise exception 'secret internals';
  elsif request ->> 'method' = 'sleep' then perform pg_sleep(30);
  else v := '{"code": 400, "message": "unknown method"}'; end if;
  if request ? 'request_id' then v := v || jsonb_build_object('request_id', request -> 'request_id'); end if;
  return v || jsonb_build_object('who', identity, 'role', current_user);
end $$;
create function locaria.stub_notify() returns trigger language plpgsql as $$ begin perform pg_notify('locaria_changes', new.file_id::text); return null; end $$;
create trigger stub after insert on locaria.log_messages for each row execute function locaria.stub_notify();
create function locaria.stub_notify_file() returns trigger language plpgsql as $$ begin perform pg_notify('locaria_changes', new.id::text); return null; end $$;
create trigger stub after update on locaria.files for each row execute function locaria.stub_notify_file();
grant execute on all functions in schema locaria to locaria_reader, locaria_app, locaria_operator;
