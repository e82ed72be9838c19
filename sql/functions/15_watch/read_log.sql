create or replace function locaria.read_log(
  p_file bigint,
  p_after bigint,
  p_before bigint
)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'id', m.id, 'date', to_char(m.at at time zone 'utc', 'DD-MM-YYYY HH24:MI:SS'), 'level', m.level, 'log', m.message
    ) order by m.id), '[]')
  from (
    select * from locaria.log_messages
    where file_id = p_file and id > p_after and id < p_before
      and at >= (select created - interval '1 hour' from locaria.files where id = p_file)
    order by id
    limit 1000
  ) as m
$$;
comment on function locaria.read_log(bigint, bigint, bigint) is
  'Log messages of a file between two numbers, the oldest 1,000 of them: what get_changes, which tells the newest '
  '100, left out.';
