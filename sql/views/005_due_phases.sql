create or replace view locaria.due_phases as
select
  c.name as container,
  case
    when d.status is distinct from 'invoked' then 'queued'
    when exists (
      select from locaria.tasks t where t.dispatch_id = d.id and t.launch = d.launch and t.stopped is null
    ) then 'starting'
    else 'dispatched'
  end as phase,
  d.id as dispatch_id,
  d.status as dispatch_status,
  d.error as dispatch_error,
  d.invoked,
  d.launch,
  d.next_try
from locaria.containers c
left join lateral (
  select * from locaria.dispatches d where d.container = c.name and d.ended is null order by d.id desc limit 1
) as d on true;
comment on view locaria.due_phases is
  'Which phase have the files that wait for a container and are due? One row per container, with its newest open '
  'dispatch. Stable: columns are only added.';
