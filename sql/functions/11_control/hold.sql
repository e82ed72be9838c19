create or replace function locaria.hold(p_files bigint[])
returns setof locaria.files
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  select locaria.require_files(p_files);
  with changed as (
    update locaria.files set run_after = 'infinity', last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason) select id, last_update, status,
      status, 'held' from changed
  )
  select * from changed
$$;
comment on function locaria.hold(bigint[]) is
  'Keeps waiting files from being run until release. Returns the held ones. Example: select id from '
  'locaria.hold(array[17]). Error: LC008.';

create or replace function locaria.hold(p_file bigint)
returns setof locaria.files
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$ select * from locaria.hold(array[p_file]) $$;
comment on function locaria.hold(bigint) is 'Holds one file. Example: select id, run_after from locaria.hold(17).';
