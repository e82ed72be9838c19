create or replace view locaria.history as
select t.file_id, t.at, t.from_status, t.to_status, t.run_id, t.by_user, t.reason, null::text as container
from locaria.transitions t
where t.from_status <> t.to_status
union all
select r.file_id, r.started, r.requested_status, 'FARGATE_PROCESSING', r.id, null,
  format('claimed by task %s (attempt %s)', r.task_id, r.attempt), r.container
from locaria.runs r
union all
select r.file_id, r.ended, 'FARGATE_PROCESSING', r.end_status, r.id, null, r.outcome || coalesce(': ' || r.error, ''),
  r.container
from locaria.runs r
where r.ended is not null and r.outcome <> 'overridden'
union all
select null, c.at, null, null, null, c.by_user, c.what || coalesce(': ' || c.reason, ''), c.container
from locaria.container_changes c;
comment on view locaria.history is
  'Every change of status of a file, in any order: those by hand or by control function from transitions, claims '
  'and ends of runs from runs; and who paused and resumed a container, without file and status. Stable: columns are '
  'only added.';
