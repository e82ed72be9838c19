create or replace function locaria.decide_dispatch()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_error text;
begin
  -- A shared lock, so that commits don't wait for each other. A task must get the exclusive lock before it exits, so
  -- no task that this decision relies on can exit before this commit has ended.
  perform pg_advisory_xact_lock_shared(4242001, hashtext(new.container));
  begin
    perform locaria.settle_dispatch(new);
  exception when others then
    -- An error here, such as a parameter that is not a number, must not fail the application's commit.
    get stacked diagnostics v_error = message_text;
    update locaria.dispatches set error = v_error, next_try = locaria.clock() where id = new.id;
  end;
  return null;
end
$$;
comment on function locaria.decide_dispatch() is
  'At commit: decides on a dispatch. Records any error on its row, and never fails the commit.';
