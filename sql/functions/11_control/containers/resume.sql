create or replace function locaria.resume(
  p_container text,
  p_reason text default null
)
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
  perform set_config('locaria.reason', coalesce(p_reason, ''), true);
  return query update locaria.containers set paused = false, last_update = locaria.clock() where name = p_container
    returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container),
      hint = 'Containers: ' || coalesce((select string_agg(name, ', ' order by name) from locaria.containers),
        'none is registered yet') || '.';
  end if;
  perform set_config('locaria.reason', '', true);
  perform locaria.request_dispatch(p_container, 'resume');
end
$$;
comment on function locaria.resume(text, text) is
  'Resumes a paused container at once. Who resumed it is shown in history. Example: select name, paused from '
  'locaria.resume(''file_loader''). Errors: LC004; LC009 it is retired.';
