create or replace function locaria.get_log_position()
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  -- Numbers are given before commits, so some lower ones may still be on their way.
  select greatest(last_value - 100, 0) from locaria.log_messages_id
$$;
comment on function locaria.get_log_position() is
  'A number below that of any log message that becomes visible from now on: get_changes returns what is new from '
  'there.';
