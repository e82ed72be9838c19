create or replace function locaria.files_request_again()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_wanted record;
begin
  select coalesce(new.container, s.container) as container, s.kind, c.name is not null as known into v_wanted
  from locaria.statuses s
  left join locaria.containers c on c.name = coalesce(new.container, s.container)
  where s.status = new.status;
  perform locaria.check_requested(new.status, v_wanted.kind, v_wanted.container, v_wanted.known);
  perform locaria.request_dispatch(v_wanted.container, 'update');
  return null;
end
$$;
comment on function locaria.files_request_again() is
  'Asks for a task after a waiting file got another container or an earlier time, once per transaction and '
  'container.';
