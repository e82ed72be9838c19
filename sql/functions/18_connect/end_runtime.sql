create or replace function locaria.end_runtime(p_name text)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  update locaria.runtimes set stopped = locaria.clock(), last_seen = locaria.clock() where name = p_name
    and stopped is null
$$;
comment on function locaria.end_runtime(text) is 'An agent, or `locaria up`, stops in order.';
