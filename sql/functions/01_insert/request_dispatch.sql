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
  -- One dispatch per transaction is enough: it is decided on at commit. A rolled back savepoint takes the note along.
  if current_setting(v_setting, true) is distinct from v_xact then
    insert into locaria.dispatches (container, reason, files) values (p_container, p_reason, p_files);
    perform set_config(v_setting, v_xact, true);
  end if;
end
$$;
comment on function locaria.request_dispatch(text, text, bigint) is
  'Puts a dispatch into the outbox, once per transaction and container.';
