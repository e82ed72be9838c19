create or replace function locaria.describe_throughput(p_queue bigint)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
  select jsonb_agg(jsonb_build_object(
    'at', m.minute,
    'inserted', coalesce(t.inserted, case when m.is_last
      then greatest(0, coalesce(pg_sequence_last_value('locaria.files_id_seq'), 0) - l.last_file_id) end, 0),
    'done', coalesce(t.done, e.done, 0),
    'failed', coalesce(t.failed, e.failed, 0),
    'queue', coalesce(t.queue, case when m.is_last then p_queue end)
  ) order by m.minute)
  from (
    select g.minute, g.minute = max(g.minute) over () as is_last
    from generate_series(date_trunc('minute', locaria.clock()) - interval '59 minutes',
      date_trunc('minute', locaria.clock()), '1 minute') as g (minute)
  ) as m
  left join locaria.throughput t on t.minute = m.minute
  cross join (select coalesce(max(x.last_file_id), 0) as last_file_id, max(x.minute) as minute
    from locaria.throughput x) as l
  left join lateral (
    -- Minutes that tick() has not counted yet: this one, and one or two before.
    select n.done, n.failed from locaria.count_finished(m.minute) as n where t.minute is null
      and (l.minute is null and m.is_last or m.minute > l.minute)
  ) as e on true
$$;
comment on function locaria.describe_throughput(bigint) is
  'The throughput of the last 60 minutes, this one included, for get_overview. p_queue: how many files wait now.';
