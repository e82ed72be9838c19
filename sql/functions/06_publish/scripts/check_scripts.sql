create or replace function locaria.check_scripts(
  p_run bigint,
  p_scripts text[]
)
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text;
begin
  perform locaria.require_run(p_run);
  select s into v_missing from unnest(p_scripts) as s where locaria.get_script(p_run, s) is null limit 1;
  if found then
    raise exception using errcode = 'LC008', message = format('there is no script "%s"', left(v_missing, 100)),
      hint = 'The owner registers a script with locaria.register_script(name, body); '
        'a container ships scripts in its folder scripts.';
  end if;
end
$$;
comment on function locaria.check_scripts(bigint, text[]) is
  'Refuses (LC008) names of scripts that neither the site nor the container of the run has. Loaders call it before '
  'a load. Error: LC001.';
