create or replace function locaria.pause(
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
  return query update locaria.containers set paused = true, last_update = locaria.clock() where name = p_container
    returning *;
  if not found then
    raise exception using errcode = 'LC004', message = format('there is no container "%s"', p_container),
      hint = 'Containers: ' || coalesce((select string_agg(name, ', ' order by name) from locaria.containers),
        'none is registered yet') || '.';
  end if;
  perform set_config('locaria.reason', '', true);
end
$$;
comment on function locaria.pause(text, text) is
  'Stops starting tasks and claiming files of a container; running files continue. Who paused it, and why, is shown '
  'in queue and history. Example: select name, paused from locaria.pause(''file_loader'', ''the disk is full''). '
  'Error: LC004.';
