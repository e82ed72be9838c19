create or replace function locaria.expire_tasks()
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with expired as (
    update locaria.tasks t
    set stopped = locaria.clock(), idle_since = null, stop_requested = coalesce(stop_requested, locaria.clock()),
      stopped_reason = coalesce(
        stopped_reason, format('no heartbeat since %s', to_char(lease_until, 'YYYY-MM-DD HH24:MI:SS TZ'))
      )
    where t.id in (
      select id from locaria.tasks
      where stopped is null and started is not null and lease_until < locaria.clock()
      for update skip locked
    )
    returning 1
  )
  select count(*)::integer from expired
$$;
comment on function locaria.expire_tasks() is 'Marks tasks as stopped whose lease has expired.';
