create or replace function locaria.run_now(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  select locaria.require_files(p_files);
  with changed as (
    update locaria.files set run_after = locaria.clock(), last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null and run_after > locaria.clock() returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status,
      status, 'run now' from changed
  )
  select * from changed
$$;
comment on function locaria.run_now(bigint[]) is
  'Runs files now that wait for a later time. Returns them. Example: select id from locaria.run_now(array[17]). '
  'Error: LC008.';

create or replace function locaria.run_now(p_file bigint)
returns setof locaria.files
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$ select * from locaria.run_now(array[p_file]) $$;
comment on function locaria.run_now(bigint) is
  'Runs one file now. Example: select id, run_after from locaria.run_now(17).';
