create or replace function locaria.get_due_phase(p_container text)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce((
    select case
      when d.status <> 'invoked' then 'queued'
      when exists (select from locaria.tasks t where t.dispatch_id = d.id and t.launch = d.launch and t.stopped is null) then 'starting'
      else 'dispatched'
    end
    from locaria.dispatches d
    join locaria.containers c on c.name = d.container
    where d.container = p_container and d.ended is null
    order by d.id desc limit 1
  ), 'queued')
$$;
comment on function locaria.get_due_phase(text) is 'The phase of the files of a container that wait and are due: queued, dispatched or starting. All have the same.';
