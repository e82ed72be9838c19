-- One dispatch per transaction is enough, because it is decided at commit. The setting that remembers it is
-- transactional: rolling back to a savepoint undoes both.
create or replace function locaria.request_dispatch(
  p_container text,
  p_reason text,
  p_files bigint default null
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text := 'locaria.dispatch_' || p_container;
  v_xact text := pg_current_xact_id()::text;
begin
  if current_setting(v_setting, true) is distinct from v_xact then
    insert into locaria.dispatches (container, reason, files) values (p_container, p_reason, p_files);
    perform set_config(v_setting, v_xact, true);
  end if;
end
$$;
comment on function locaria.request_dispatch(text, text, bigint) is
  'Adds a dispatch to the outbox, once per transaction and container.';
