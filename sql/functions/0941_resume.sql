drop function if exists locaria.resume(text);
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
  perform set_config('locaria.reason', coalesce(p_reason, ''), true);
  return query update locaria.containers set paused = false, last_update = locaria.clock() where name = p_container returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container),
      hint = 'Containers: ' || coalesce((select string_agg(name, ', ' order by name) from locaria.containers), 'none is registered yet') || '.';
  end if;
  perform set_config('locaria.reason', '', true);
  perform locaria.request_dispatch(p_container, 'resume');
end
$$;
comment on function locaria.resume(text, text) is 'Goes on with a paused container, at once. Who resumed it stands in history. Example: select name, paused from locaria.resume(''file_loader''). Error: LC004.';
