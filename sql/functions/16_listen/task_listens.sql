create or replace function locaria.task_listens(p_task bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from locaria.files f join locaria.runs r on r.id = f.claimed_by
    where f.claimed_by is not null and r.task_id = p_task and not f.attributes ? 'command'
  )
$$;
comment on function locaria.task_listens(bigint) is
  'Whether a task of a listener holds a listening file, one without the attribute command: it then takes commands, '
  'and no second listening file.';
