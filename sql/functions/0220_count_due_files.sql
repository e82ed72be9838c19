create or replace function locaria.count_due_files(
  p_container text,
  p_at_most integer
)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Walks the distinct priorities of the index files_waiting, so that a million files scheduled for later cost nothing.
  with recursive v as materialized (
    select locaria.clock() as now, locaria.queue_keys(p_container) as keys
  ), levels (key, priority) as (
    select k.key, top.priority
    from v, unnest(v.keys) as k (key),
      lateral (
        select f.priority from locaria.files f
        where coalesce(f.container, f.status) = k.key and f.claimed_by is null and f.finished is null
        order by f.priority desc limit 1
      ) as top
    union all
    select l.key, below.priority
    from levels l,
      lateral (
        select f.priority from locaria.files f
        where coalesce(f.container, f.status) = l.key and f.claimed_by is null and f.finished is null
          and f.priority < l.priority
        order by f.priority desc limit 1
      ) as below
  )
  select count(*)::integer
  from (
    select 1
    from v, levels l,
      lateral (
        select 1 from locaria.files f
        where coalesce(f.container, f.status) = l.key and f.claimed_by is null and f.finished is null
          and f.priority = l.priority and f.run_after <= v.now
        limit p_at_most
      ) as due
    limit p_at_most
  ) as counted
$$;
comment on function locaria.count_due_files(text, integer) is 'How many files wait for a container and may be claimed now; counts no further than p_at_most.';
