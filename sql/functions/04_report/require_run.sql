create or replace function locaria.require_run(p_run bigint)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file bigint;
  v_run locaria.runs;
begin
  select id into v_file from locaria.files where claimed_by = p_run;
  if found then
    return v_file;
  end if;
  select * into v_run from locaria.runs where id = p_run;
  if not found then
    raise exception using errcode = 'LC008', message = format('there is no run %s', p_run);
  elsif v_run.outcome = 'succeeded' then
    raise exception using errcode = 'LC002',
      message = format('run %s has already finished; nothing can be reported after finish_run', p_run);
  end if;
  raise exception using errcode = 'LC001',
    message = format('run %s no longer owns file %s: %s', p_run, v_run.file_id,
      coalesce(v_run.outcome || coalesce(' (' || v_run.error || ')', ''), 'it was taken over')),
    hint = 'Stop working on the file: another run may own it. Exit with code 76.';
end
$$;
comment on function locaria.require_run(bigint) is
  'Returns the file of a living run. Errors: LC001 lease lost, LC002 already finished, LC008 no such run.';
