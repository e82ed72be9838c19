create or replace function locaria.record_container_change()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into locaria.container_changes (container, at, what, by_user, reason)
  values (new.name, locaria.clock(), case when new.paused then 'paused' else 'resumed' end, locaria.actor(),
    nullif(current_setting('locaria.reason', true), ''));
  return null;
end
$$;
comment on function locaria.record_container_change() is
  'After a container was paused or resumed, by function or by hand: who did it, when, and why.';
