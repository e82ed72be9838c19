create or replace function locaria.get_changes(
  p_files bigint[],
  p_after_log bigint default null
)
returns setof jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
  select locaria.describe_status(d.file, (
      select jsonb_agg(jsonb_build_object('id', m.id, 'date',
        to_char(m.at at time zone 'utc', 'DD-MM-YYYY HH24:MI:SS'), 'level', m.level, 'log', m.message) order by m.id)
      from locaria.list_log_messages(d.id, (d.file ->> 'created')::timestamptz, coalesce(p_after_log, 0), true,
        100) as m
    )) || jsonb_build_object('event', 'container_status', 'container_id', d.id, 'file', d.file)
  from locaria.describe_files(p_files[:1000], true) as d
  order by d.id
$$;
comment on function locaria.get_changes(bigint[], bigint) is
  'The events that a subscriber receives about these files, at most 1,000: {"event": "container_status", '
  '"container_id", "code", "message", "attributes", "last_update", "file"}, with the log messages (the last 100) '
  'whose id is above p_after_log. Ids rise within a file; across files a lower one may be committed later, so '
  'remember the last one of each file.';
