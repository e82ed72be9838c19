create or replace function locaria.list_log_messages(
  p_file bigint,
  p_since timestamptz,
  p_after bigint,
  p_debug boolean,
  p_limit integer
)
returns setof locaria.log_messages
language sql
stable
rows 100
set search_path = pg_catalog, pg_temp
as $$
  -- p_since only leaves out the partitions of days before the file: "ago" of a message is an hour at most.
  select * from locaria.log_messages m
  where m.file_id = p_file and m.id > p_after and m.at >= p_since - interval '1 hour'
    and (p_debug or m.level <> 'debug')
  order by m.id desc
  limit p_limit
$$;
comment on function locaria.list_log_messages(bigint, timestamptz, bigint, boolean, integer) is
  'The newest messages of a file, newest first. p_since: when the file was inserted; p_after: only those with a '
  'higher id.';
