drop function if exists locaria.set_priority(bigint[], smallint);
create or replace function locaria.set_priority(
  p_files bigint[],
  p_priority integer
)
returns setof locaria.files
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_priority is null or p_priority not between -32768 and 32767 then
    raise exception using errcode = 'LC007', message = format('set_priority: %s is not between -32768 and 32767',
      coalesce(p_priority::text, 'null'));
  end if;
  perform locaria.require_files(p_files);
  return query
  with changed as (
    update locaria.files set priority = p_priority, last_update = locaria.clock()
    where id = any (p_files) and claimed_by is null and finished is null returning *
  ), recorded as (
    insert into locaria.transitions (file_id, at, from_status, to_status, reason)
    select id, last_update, status, status, format('priority set to %s', p_priority) from changed
  )
  select * from changed;
end
$$;
comment on function locaria.set_priority(bigint[], integer) is
  'Moves waiting files forward (higher) or back (lower). Returns them. Example: select id, priority from '
  'locaria.set_priority(array[17, 18], 10). Errors: LC007, LC008.';

create or replace function locaria.set_priority(
  p_file bigint,
  p_priority integer
)
returns setof locaria.files
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$ select * from locaria.set_priority(array[p_file], p_priority) $$;
comment on function locaria.set_priority(bigint, integer) is
  'Moves one waiting file. Example: select id, priority from locaria.set_priority(17, 10).';
