create or replace function locaria.run_script(
  p_run bigint,
  p_script text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_body text := locaria.get_script(p_run, p_script);
begin
  perform locaria.check_scripts(p_run, array[p_script]);
  perform set_config('locaria.run', p_run::text, true);
  begin
    execute v_body;
  exception when others then
    raise exception using errcode = 'LC012', message = format('script "%s": %s (%s)', p_script, sqlerrm, sqlstate);
  end;
end
$$;
comment on function locaria.run_script(bigint, text) is
  'Runs a script for a run; the script finds the run id in current_setting(''locaria.run''). search_path is '
  'pg_catalog, so names need their schema. Errors: LC008 no such script, LC012 the script failed.';
