create or replace view locaria.health as
select 'tick' as "check",
  case when last_tick > locaria.statement_clock() - interval '2 minutes' then 'ok'
    when last_tick > locaria.statement_clock() - interval '15 minutes' then 'warn' else 'crit' end as level,
  coalesce('last ran ' || locaria.in_words(locaria.statement_clock() - last_tick) || ' ago', 'never ran') as value,
  'Let pg_cron, EventBridge or the local runtime call it once a minute or oftener.' as advice,
  'select locaria.tick()' as fix_sql
from locaria.ticks
union all
select 'tick errors', case when last_result ? 'errors' then 'crit' else 'ok' end,
  coalesce(last_result ->> 'errors', 'none'),
  'A step of the last tick failed; the message names the reason.', 'select locaria.tick()'
from locaria.ticks
union all
select 'agents', case when count(*) filter (where state = 'lives') > 0 then 'ok'
  when count(*) filter (where state = 'died') > 0 then 'crit' else 'warn' end,
  coalesce(string_agg(name || ' lives', ', ') filter (where state = 'lives'),
    format('no runtime is alive; the last was %s, seen %s ago', (array_agg(name order by last_seen desc))[1],
      locaria.in_words(locaria.statement_clock() - max(last_seen)))),
  'Where agents start the containers, nothing is started now. Start one: locaria agent, or locaria up.',
    'select * from locaria.agents'
from locaria.agents
having count(*) > 0
union all
select 'dispatch of ' || c.name, case when d.error is null and b.error is null then 'ok' else 'crit' end,
  coalesce(d.error, b.error, 'no error'),
  'Tasks can''t be started: check parameters.fargate_config, the Lambda function and its rights. A change of '
    'parameters is tried at once.',
  'select * from locaria.dispatches where container = ' || quote_literal(c.name) || ' order by id desc limit 10'
from locaria.containers c
left join lateral (
  select error from locaria.dispatches d where d.container = c.name and d.ended is null and d.error is not null
    order by id desc limit 1
) as d on true
left join locaria.circuits b on b.function_arn = locaria.get_dispatch_circuit(c.name)
union all
select 'listener ' || c.name, case when c.paused or l.listens or k.kind in ('requested', 'processing') then 'ok'
  else 'crit' end,
  case when l.listens then 'listens' when c.paused then 'paused'
    else coalesce('file ' || f.id || ' is ' || f.status || coalesce(': ' || f.last_error, ''), 'not started yet') end,
  'It should always listen. tick() starts one that failed, but leaves one alone that a person has cancelled or '
    'deleted.',
  case k.kind when 'deleted' then format('insert into locaria.files (container) values (%L)', c.name)
    else coalesce('select * from locaria.retry(' || f.id || ')', 'select locaria.tick()') end
from locaria.containers c
left join locaria.files f on f.id = c.autostart_file
left join locaria.statuses k on k.status = f.status
cross join lateral (
  select exists (
    select from locaria.files o
    join locaria.runs r on r.id = o.claimed_by
    join locaria.run_progress p on p.run_id = r.id
    where o.claimed_by is not null and r.container = c.name and p.endpoint is not null
  ) as listens
) as l
where c.autostart
union all
select 'log partitions', case when to_regclass('locaria.log_messages_'
  || to_char((locaria.statement_clock() at time zone 'utc')::date + 1, 'YYYYMMDD')) is null then 'warn' else 'ok' end,
  (select count(*) || ' partitions' from pg_inherits where inhparent = 'locaria.log_messages'::regclass),
  'The partition for tomorrow is missing: tick() makes it.', 'select locaria.tick()'
union all
select 'stalled runs', case when count(*) = 0 then 'ok' else 'warn' end, count(*)::text,
  'Runs without progress for longer than their stall_timeout.', 'select * from locaria.running where stalled'
from locaria.running where stalled
union all
select 'oldest transaction', case when max(age) > interval '1 hour' then 'warn' else 'ok' end,
  coalesce(locaria.in_words(max(age)), 'none'),
  'A transaction this old keeps dead rows of every table from being removed.',
  'select pid, usename, application_name, state, xact_start from pg_stat_activity where xact_start < now() - '
    'interval ''1 hour'''
from (select clock_timestamp() - xact_start as age from pg_stat_activity where xact_start is not null
  and datname = current_database()) as x;
comment on view locaria.health is
  'Is Locaria well? One row per check: ok, warn or crit, with advice and the statement that shows or fixes it. '
  'Stable: columns and checks are only added.';
