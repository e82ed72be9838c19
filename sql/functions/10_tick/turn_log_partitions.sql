create or replace function locaria.turn_log_partitions()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_today date := (locaria.clock() at time zone 'utc')::date;
  v_keep integer := locaria.get_parameter('log_config', 'keep_days', '30')::integer;
  v_name text;
  v_count integer := 0;
begin
  for i in 0 .. locaria.get_parameter('log_config', 'days_ahead', '3')::integer loop
    v_count := v_count + locaria.ensure_log_partition(v_today + i)::integer;
  end loop;
  if v_count > 0 then
    -- A new day: a listener runs without end, so its log_limit applies per day.
    update locaria.run_progress set log_messages = 0 where endpoint is not null;
  end if;
  for v_name in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'locaria.log_messages'::regclass and c.relname ~ '^log_messages_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < v_today - v_keep
  loop
    execute format('drop table locaria.%I', v_name);
    v_count := v_count + 1;
  end loop;
  return v_count;
end
$$;
comment on function locaria.turn_log_partitions() is
  'Creates the partitions of log_messages for the next days and drops those older than log_config.keep_days. '
  'Resets the log_limit of listening runs every day.';
