create or replace function locaria.ensure_log_partition(p_day date)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := 'log_messages_' || to_char(p_day, 'YYYYMMDD');
begin
  for n in 1 .. 2 loop
    if exists (select from pg_class where relname = v_name and relnamespace = 'locaria'::regnamespace) then
      return false;
    end if;
    -- If two sessions create the same table at once, one of them fails, with one of three errors.
    perform pg_advisory_xact_lock(4242004, hashtext(v_name));
  end loop;
  -- ATTACH, unlike PARTITION OF, lets other sessions continue to write messages.
  execute format('create table locaria.%I (like locaria.log_messages including all)', v_name);
  execute format('alter table locaria.log_messages attach partition locaria.%I for values from (%L) to (%L)',
    v_name, p_day::text || ' 00:00:00+00', (p_day + 1)::text || ' 00:00:00+00');
  return true;
end
$$;
comment on function locaria.ensure_log_partition(date) is
  'Creates the partition of log_messages for one day (UTC) if it is missing; returns whether it was.';
