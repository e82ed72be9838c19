create or replace function locaria.timeline(p_file bigint)
returns table (
  at timestamptz,
  what text,
  detail text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  if not exists (select from locaria.files where id = p_file) then
    raise exception using errcode = 'LC008', message = format('there is no file %s', p_file);
  end if;
  return query
  select e.at, e.what, e.detail
  from (
    select f.created as at, 0 as n, 0::bigint as m, 'inserted' as what,
      format('by %s for %s: %s', f.submitted_by, coalesce(f.container, s.container, 'a container by its status'),
        left((f.attributes - 'credentials')::text, 300)) as detail
    from locaria.files f
    left join lateral (
      select q.container from locaria.statuses q
      where q.status = coalesce((select r.requested_status from locaria.runs r where r.file_id = f.id
        order by r.id limit 1), f.status)
    ) as s on true
    where f.id = p_file
    union all
    select d.created, 1, d.id, 'dispatch ' || d.status,
      concat_ws('; ', format('dispatch %s: %s, %s asked, launch %s', d.id, d.reason,
      case when d.asked = 1 then '1 task' else d.asked || ' tasks' end, d.launch), d.error)
    from locaria.dispatches d
    join locaria.files f on f.id = p_file
    where d.id in (
      select t.dispatch_id from locaria.runs r join locaria.tasks t on t.id = r.task_id where r.file_id = p_file
      union select o.id from locaria.dispatches o where o.ended is null
        and o.container = (select s.container from locaria.status s where s.file_id = p_file
        and s.phase not in ('done', 'failed', 'cancelled', 'deleted'))
    )
    union all
    select t.started, 2, t.id, 'task started', concat_ws(' on ', t.task_arn, t.host)
    from locaria.tasks t where t.id in (select r.task_id from locaria.runs r where r.file_id = p_file)
    union all
    select t.stopped, 8, t.id, 'task stopped', concat_ws('; ', t.task_arn, 'exit code ' || t.exit_code, t.stop_code,
      t.stopped_reason)
    from locaria.tasks t where t.stopped is not null
      and t.id in (select r.task_id from locaria.runs r where r.file_id = p_file)
    union all
    select h.at, case when h.to_status = 'FARGATE_PROCESSING' then 3 else 6 end, coalesce(h.run_id, 0),
      format('%s → %s', h.from_status, h.to_status),
      concat_ws(', ', 'run ' || h.run_id, h.reason, 'by ' || h.by_user)
    from locaria.history h where h.file_id = p_file
    union all
    select t.at, 5, t.id, t.reason, 'by ' || t.by_user
    from locaria.transitions t where t.file_id = p_file and t.from_status = t.to_status
    union all
    -- From the change on in whose wake it was inserted: was it a pause, the file has waited for it.
    select k.at, 5, k.id, 'container ' || k.what, concat_ws(': ', 'by ' || k.by_user, k.reason)
    from locaria.status s
    join locaria.container_changes k on k.container = s.container and k.at <= coalesce(s.finished_at, 'infinity')
    where s.file_id = p_file and (k.at >= s.queued_at or k.what = 'paused' and k.id = (
      select max(b.id) from locaria.container_changes b where b.container = s.container and b.at < s.queued_at))
    union all
    select m.at, 4, m.id, case m.level when 'stage' then 'stage' else 'log ' || m.level end, m.message
    from locaria.log_messages m where m.file_id = p_file
    union all
    select p.cancel_requested, 5, 0, 'cancel requested', concat_ws(': ', 'by ' || p.cancelled_by, p.cancel_reason)
    from locaria.files f join locaria.run_progress p on p.run_id = f.claimed_by
    where f.id = p_file and p.cancel_requested is not null
    union all
    select max(j.at), 5, 0, 'rejected', format('%s rows, the first at line %s: %s', count(*), min(j.line),
      (array_agg(j.reason order by j.id))[1])
    from locaria.rejects j where j.file_id = p_file group by j.run_id
  ) as e
  order by e.at, e.n, e.m;
end
$$;
comment on function locaria.timeline(bigint) is
  'Everything that happened to one file, in order, to read or to paste into a ticket. Example: select * from '
  'locaria.timeline(17). Error: LC008.';
