create or replace function locaria.files_trigger()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted record;
begin
  for v_wanted in
    select coalesce(n.container, s.container) as container, n.status, s.kind, c.name is not null as known, n.files
    from (
      select container, status, count(*) as files from inserted_files group by container, status
    ) as n
    left join locaria.statuses s on s.status = n.status
    left join locaria.containers c on c.name = coalesce(n.container, s.container)
  loop
    if v_wanted.kind is distinct from 'requested' or not v_wanted.known then
      perform locaria.check_requested(v_wanted.status, v_wanted.kind, v_wanted.container, v_wanted.known);
    end if;
    perform locaria.request_dispatch(v_wanted.container, 'insert', v_wanted.files);
  end loop;
  if locaria.is_watched() then
    perform locaria.notify_changes(array(select id from inserted_files order by id limit 201));
  end if;
  return null;
end
$$;
comment on function locaria.files_trigger() is
  'After an INSERT into files: checks status and container, and adds one dispatch per container.';
