create or replace function locaria.resume(p_container text)
returns setof locaria.containers
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from locaria.containers c where c.name = p_container and c.retired is not null) then
    raise exception using errcode = 'LC009', message = format('container "%s" is not deployed any more', p_container),
      hint = 'Put it back into dockers.json, and deploy; or register_container, where its image still is.';
  end if;
  return query update locaria.containers set paused = false, last_update = locaria.clock() where name = p_container returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container);
  end if;
  perform locaria.request_dispatch(p_container, 'resume');
end
$$;
comment on function locaria.resume(text) is 'Goes on with a paused container, at once. Errors: LC004; LC009 it is retired.';
