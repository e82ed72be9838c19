create or replace function locaria.register_script(
  p_name text,
  p_body text,
  p_description text default null
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(p_name, '') !~ '^[A-Za-z0-9_.-]{1,63}$' then
    raise exception using errcode = 'LC007', message = 'name: up to 63 of A-Z, a-z, 0-9 and _.- are needed';
  end if;
  insert into locaria.scripts as s (script_name, body, description, created)
  values (p_name, p_body, p_description, locaria.clock())
  on conflict (script_name) do update set body = excluded.body, description = excluded.description,
    created = excluded.created;
end
$$;
comment on function locaria.register_script(text, text, text) is
  'Makes SQL known under a name, for attributes preSQL and postSQL of loads. For the owner alone: scripts run with '
  'its rights. Error: LC007.';
