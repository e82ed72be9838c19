create or replace function locaria.wake_idle_tasks(p_container text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- NOTIFY serialises commits, so only where somebody listens.
  if exists (
    select from locaria.tasks
    where container = p_container and stopped is null and idle_since is not null and lease_until > locaria.clock()
  ) then
    perform pg_notify('locaria_files_' || p_container, '');
  end if;
end
$$;
comment on function locaria.wake_idle_tasks(text) is 'NOTIFY locaria_files_<container>, if a task of it is idle.';
