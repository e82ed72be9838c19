create or replace function locaria.release(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  select locaria.require_files(p_files);
  with changed as (
    update locaria.files set run_after = locaria.clock(), last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null and run_after = 'infinity' returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status,
      status, 'released' from changed
  )
  select * from changed
$$;
comment on function locaria.release(bigint[]) is
  'Lets held files run. Returns them. Example: select id from locaria.release(array[17]). Error: LC008.';

create or replace function locaria.release(p_file bigint)
returns setof locaria.files
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$ select * from locaria.release(array[p_file]) $$;
comment on function locaria.release(bigint) is
  'Releases one file. Example: select id, run_after from locaria.release(17).';
