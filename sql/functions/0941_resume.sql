create or replace function locaria.resume(p_container text)
returns setof locaria.containers
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query update locaria.containers set paused = false, last_update = locaria.clock() where name = p_container returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container);
  end if;
  perform locaria.request_dispatch(p_container, 'resume');
end
$$;
comment on function locaria.resume(text) is 'Goes on with a paused container, at once. Error: LC004.';
