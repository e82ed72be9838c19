create or replace function locaria.has_claimable_file(
  p_container locaria.containers,
  p_commands_alone boolean default false
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_key text;
  v_priority integer;
begin
  if p_container.paused then
    return false;
  end if;
  foreach v_key in array locaria.queue_keys(p_container.name) loop
    v_priority := 32768;
    loop
      select f.priority into v_priority from locaria.files f
      where coalesce(f.container, f.status) = v_key and f.claimed_by is null and f.finished is null
        and f.priority < v_priority
      order by f.priority desc limit 1;
      exit when not found;
      -- A row locked by another session can't be claimed now; counting it would make the task retry in a busy loop.
      perform from locaria.files f
      where coalesce(f.container, f.status) = v_key and f.claimed_by is null and f.finished is null
        and f.priority = v_priority and f.run_after <= v_now and (not p_commands_alone or f.attributes ? 'command')
      order by f.run_after, f.id limit 1
      for share skip locked;
      if found then
        return true;
      end if;
    end loop;
  end loop;
  return false;
end
$$;
comment on function locaria.has_claimable_file(locaria.containers, boolean) is
  'Whether a claim would return a file now. With p_commands_alone: a claim of a listening task.';
