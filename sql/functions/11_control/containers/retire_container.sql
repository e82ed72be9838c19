create or replace function locaria.retire_container(p_container text)
returns setof locaria.containers
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return query update locaria.containers
    set retired = coalesce(retired, locaria.clock()), paused = true, last_update = locaria.clock()
    where name = p_container returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container);
  end if;
end
$$;
comment on function locaria.retire_container(text) is
  'Takes a container out of service whose image is not deployed any more: nothing of it is started or claimed, what '
  'runs goes on, files that wait say why. register_container brings it back. Error: LC004.';
