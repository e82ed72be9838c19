create or replace function locaria.decide_dispatch()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_asked integer;
begin
  -- Shared: commits don't wait for each other. A task that wants to leave tries the exclusive one, so
  -- between this decision and the end of this commit no task that it relies on can go.
  perform pg_advisory_xact_lock_shared(4242001, hashtext(new.container));
  v_asked := locaria.count_tasks_to_ask(new.container);
  if v_asked = 0 then
    delete from locaria.dispatches where id = new.id;
  elsif exists (select from locaria.circuits where function_arn = locaria.get_dispatch_circuit(new.container)) then
    if exists (select from locaria.dispatches where container = new.container and status = 'pending' and ended is null and id <> new.id) then
      delete from locaria.dispatches where id = new.id;
    else
      update locaria.dispatches d
      set asked = v_asked, error = c.error, next_try = c.retry_at
      from locaria.circuits c
      where d.id = new.id and c.function_arn = locaria.get_dispatch_circuit(new.container);
    end if;
  else
    perform locaria.invoke_dispatch(new.id, v_asked);
  end if;
  perform locaria.wake_idle_tasks(new.container);
  return null;
end
$$;
comment on function locaria.decide_dispatch() is
  'At commit: relies on living tasks where they will do (the dispatch goes away), leaves the call to tick() where the circuit is open, else invokes the Lambda once.';
