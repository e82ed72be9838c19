create or replace function locaria.check_scripts(p_scripts text[])
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text;
begin
  select s into v_missing from unnest(p_scripts) as s where not exists (select from locaria.scripts where script_name = s) limit 1;
  if found then
    raise exception using errcode = 'LC008', message = format('there is no script "%s"', left(v_missing, 100)),
      hint = 'The owner registers one by locaria.register_script(name, body).';
  end if;
end
$$;
comment on function locaria.check_scripts(text[]) is 'Refuses (LC008) names of scripts that are not registered: asked before a load begins.';
