create or replace function locaria.watch_changes(p_for interval default '1 minute')
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until timestamptz := locaria.clock() + least(greatest(p_for, '0'), '1 hour');
begin
  -- Several may watch: who would gain less than a quarter leaves the row alone.
  update locaria.watches set watched_until = v_until where watched_until < v_until - least(p_for, '1 hour') / 4;
end
$$;
comment on function locaria.watch_changes(interval) is
  'From now on, for so long, changes of files are announced on channel locaria_changes. A transport with '
  'subscribers calls it again and again, well before three quarters of the time are over.';
