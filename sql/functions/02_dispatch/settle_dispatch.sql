create or replace function locaria.settle_dispatch(p_dispatch locaria.dispatches)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_asked integer;
begin
  v_asked := locaria.count_tasks_to_ask(p_dispatch.container);
  if v_asked = 0 then
    delete from locaria.dispatches where id = p_dispatch.id;
  elsif exists (
    select from locaria.circuits where function_arn = locaria.get_dispatch_circuit(p_dispatch.container)
  ) then
    if exists (
      select from locaria.dispatches
      where container = p_dispatch.container and status = 'pending' and ended is null and id <> p_dispatch.id
    ) then
      delete from locaria.dispatches where id = p_dispatch.id;
    else
      update locaria.dispatches d
      set asked = v_asked, error = c.error, next_try = c.retry_at
      from locaria.circuits c
      where d.id = p_dispatch.id and c.function_arn = locaria.get_dispatch_circuit(p_dispatch.container);
    end if;
  else
    perform locaria.invoke_dispatch(p_dispatch.id, v_asked);
  end if;
  -- NOTIFY serialises commits, so it is sent only if a task listens.
  perform pg_notify('locaria_files_' || p_dispatch.container, '')
  where exists (
    select from locaria.tasks
    where container = p_dispatch.container and stopped is null and lease_until > locaria.clock()
      and (
        idle_since is not null
        or exists (select from locaria.containers where name = p_dispatch.container and type = 'listener')
      )
  );
end
$$;
comment on function locaria.settle_dispatch(locaria.dispatches) is
  'Decides on one dispatch: deletes it if living tasks suffice, leaves it to tick() while the circuit is open, '
  'otherwise invokes the Lambda function. Wakes idle tasks and listeners with NOTIFY locaria_files_<container>.';
