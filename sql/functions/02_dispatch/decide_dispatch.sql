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
  -- Shared: commits don't wait for each other. A task that wants to leave tries the exclusive one, so
  -- between this decision and the end of this commit no task that it relies on can go.
  perform pg_advisory_xact_lock_shared(4242001, hashtext(new.container));
  begin
    perform locaria.settle_dispatch(new);
  exception when others then
    -- Whatever is wrong here, a parameter that is no number for instance, is not the application's affair.
    get stacked diagnostics v_error = message_text;
    update locaria.dispatches set error = v_error, next_try = locaria.clock() where id = new.id;
  end;
  return null;
end
$$;
comment on function locaria.decide_dispatch() is
  'At commit: decides on a dispatch, and keeps whatever goes wrong on its row: it never fails the commit.';
