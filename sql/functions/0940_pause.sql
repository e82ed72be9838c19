create or replace function locaria.pause(p_container text)
returns setof locaria.containers
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query update locaria.containers set paused = true, last_update = locaria.clock() where name = p_container returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container);
  end if;
end
$$;
comment on function locaria.pause(text) is 'Starts and claims nothing more of a container; what runs goes on. Example: select name, paused from locaria.pause(''file_loader''). Error: LC004.';
