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
