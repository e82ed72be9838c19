create or replace function locaria.files_update_trigger()
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
      select a.container, a.status, count(*) as files
      from files_after a
      join files_before b on b.id = a.id
      where a.claimed_by is null and a.finished is null
        and (b.status <> a.status or b.container is distinct from a.container or a.run_after < b.run_after)
      group by a.container, a.status
    ) as n
    left join locaria.statuses s on s.status = n.status
    left join locaria.containers c on c.name = coalesce(n.container, s.container)
  loop
    perform locaria.check_requested(v_wanted.status, v_wanted.kind, v_wanted.container, v_wanted.known);
    perform locaria.request_dispatch(v_wanted.container, 'update', v_wanted.files);
  end loop;
  return null;
end
$$;
comment on function locaria.files_update_trigger() is
  'After an UPDATE that asks for files again: one dispatch per container. An update that asks for nothing dispatches nothing.';
