create or replace function locaria.record_refused_call(
  p_method text,
  p_least_role text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_role text := locaria.caller_role();
begin
  raise log 'locaria.api: % is refused to %, who is %: it takes %', left(p_method, 100), locaria.actor(), v_role,
    p_least_role;
  insert into locaria.refused_calls as r (actor, login, method, role, least_role, first_call, last_call)
  values (left(locaria.actor(), 200), session_user, left(p_method, 100), v_role, p_least_role, v_now, v_now)
  on conflict (actor, login, method) do update
  set calls = r.calls + 1, role = excluded.role, least_role = excluded.least_role, last_call = excluded.last_call;
exception when read_only_sql_transaction then
  null; -- It is in the server's log.
end
$$;
comment on function locaria.record_refused_call(text, text) is
  'Notes a refused call of the API in refused_calls, and in the server''s log.';
