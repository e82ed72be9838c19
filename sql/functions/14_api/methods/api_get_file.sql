create or replace function locaria.api_get_file(p_request jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_file bigint := (p_request ->> 'container_id')::numeric::bigint;
  v_described jsonb := locaria.describe_file(v_file);
begin
  if v_described is null then
    return locaria.reply_error(404, format('there is no file %s', v_file));
  end if;
  return jsonb_build_object(
    'file', v_described,
    'runs', coalesce((
      select jsonb_agg(to_jsonb(a) order by a.run_id) from (
        select * from locaria.attempts where file_id = v_file order by run_id desc limit 100
      ) as a
    ), '[]'),
    'log_messages', coalesce((
      select jsonb_agg(jsonb_build_object('id', m.id, 'at', m.at, 'level', m.level, 'stage', m.stage, 'message',
        m.message) order by m.id)
      from locaria.list_log_messages(v_file, (v_described ->> 'created')::timestamptz, 0, true, 1000) as m
    ), '[]'),
    'timeline', coalesce((
      select jsonb_agg(jsonb_build_object('at', t.at, 'what', t.what, 'detail', left(t.detail, 2000)) order by t.n)
        from (
        select e.at, e.what, e.detail, e.n from locaria.timeline(v_file) with ordinality as e (at, what, detail, n)
          order by e.n desc limit 1000
      ) as t
    ), '[]')
  );
end
$$;
comment on function locaria.api_get_file(jsonb) is
  'Method get_file: {"file", "runs" (rows of the view attempts), "log_messages": [{"id", "at", "level", "stage", '
  '"message"}], "timeline": [{"at", "what", "detail"}]}.';
