create or replace function locaria.hold(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with changed as (
    update locaria.files set run_after = 'infinity', last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status, status, 'held' from changed
  )
  select * from changed
$$;
comment on function locaria.hold(bigint[]) is 'Keeps waiting files from being run until release. Returns the held ones. Example: select id from locaria.hold(array[17]).';

create or replace function locaria.release(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with changed as (
    update locaria.files set run_after = locaria.clock(), last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null and run_after = 'infinity' returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status, status, 'released' from changed
  )
  select * from changed
$$;
comment on function locaria.release(bigint[]) is 'Lets held files run. Returns them. Example: select id from locaria.release(array[17]).';

create or replace function locaria.run_now(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with changed as (
    update locaria.files set run_after = locaria.clock(), last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null and run_after > locaria.clock() returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status, status, 'run now' from changed
  )
  select * from changed
$$;
comment on function locaria.run_now(bigint[]) is 'Runs files now that wait for a later time. Returns them. Example: select id from locaria.run_now(array[17]).';

create or replace function locaria.set_priority(
  p_files bigint[],
  p_priority smallint
)
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  with changed as (
    update locaria.files set priority = p_priority, last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason)
    select id, last_update, status, status, format('priority set to %s', p_priority) from changed
  )
  select * from changed
$$;
comment on function locaria.set_priority(bigint[], smallint) is 'Moves waiting files forward (higher) or back (lower). Returns them. Example: select id from locaria.set_priority(array[17], 10::smallint).';
