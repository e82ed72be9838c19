create or replace view locaria.status as
select
  x.file_id,
  x.container,
  x.state,
  x.phase,
  case x.phase
    when 'done' then 'done ' || locaria.in_words(locaria.statement_clock() - x.finished_at) || ' ago'
    when 'failed' then format('failed after %s of %s attempts: %s', x.attempt, x.max_attempts,
      coalesce(x.last_error, 'see the log'))
    when 'cancelled' then coalesce(x.last_error, 'cancelled')
    when 'deleted' then 'deleted'
    when 'held' then 'held: release(array[' || x.file_id || ']) lets it run'
    when 'scheduled' then 'waits for its time, ' || locaria.in_words(x.run_after - locaria.statement_clock())
      || ' from now'
    when 'retrying' then format('attempt %s of %s failed, the next starts in %s: %s', x.attempt, x.max_attempts,
      locaria.in_words(greatest(x.run_after - locaria.statement_clock(), '0')),
        coalesce(x.last_error, 'no reason was given'))
    when 'running' then case
        when x.command is not null then 'executing the command ' || x.command
        when x.endpoint is not null then 'listening on ' || x.endpoint
        else format('attempt %s of %s is running', x.attempt, x.max_attempts) || coalesce(', in stage ' || x.stage, '')
      end
      || case when x.cancel_requested is not null then '; asked to stop '
        || locaria.in_words(locaria.statement_clock() - x.cancel_requested) || ' ago' else '' end
      || case when x.lease_until < locaria.statement_clock() then '; its lease expired '
        || locaria.in_words(locaria.statement_clock() - x.lease_until) || ' ago, tick() will end the run' else '' end
    else case
      when not x.is_registered then 'waiting: there is no container ' || x.container
      when x.is_retired then format('waiting: container %s is not deployed any more; deploy it again, or '
        'cancel(array[%s])', x.container, x.file_id)
      when x.is_paused then format('waiting: container %s is paused%s; resume(%L) continues it', x.container, (
        select format(' by %s for %s', k.by_user, locaria.in_words(locaria.statement_clock() - k.at))
          || coalesce(' (' || k.reason || ')', '')
        from locaria.container_changes k where k.container = x.container order by k.id desc limit 1
      ), x.container)
      when x.idle > 0 then 'waiting for an idle task to claim it'
      when x.dispatch_status = 'invoked' and x.phase = 'starting'
        then format('a task is starting, %s after launch %s', locaria.in_words(locaria.statement_clock() - x.invoked),
        x.launch)
      when x.dispatch_status = 'invoked' then format('dispatched %s ago (launch %s), no task has reported yet%s',
        locaria.in_words(locaria.statement_clock() - x.invoked), x.launch,
        coalesce('; the launch before: ' || x.dispatch_error, ''))
      when x.dispatch_error is not null then format('waiting: no task could be started (%s); %s', x.dispatch_error,
        coalesce('tick() tries again in ' || locaria.in_words(greatest(x.next_try - locaria.statement_clock(), '0')),
          'tick() tries again'))
      when x.living >= x.max_tasks then format('waiting: %s of %s tasks are busy', x.living, x.max_tasks)
      when x.dispatch_status = 'pending' then 'waiting to be dispatched by tick()'
      when x.living > 0 then format('waiting: %s busy %s', x.living, case when x.living = 1 then 'task'
        else 'tasks' end)
      when x.circuit_error is not null then format('waiting: the Lambda function failed (%s); tick() tries again in '
        '%s', x.circuit_error,
        locaria.in_words(greatest(x.circuit_retry_at - locaria.statement_clock(), '0')))
      when x.last_tick is null or x.last_tick < locaria.statement_clock() - interval '5 minutes'
        then 'waiting for tick(), which is not running: see sql/README.md'
      else 'waiting for tick() to dispatch it'
    end
  end as why,
  x.percent,
  x.stage,
  x.rows_done,
  x.rows_total,
  x.unit,
  x.rows_rejected,
  round((x.rows_done / nullif(x.reported_s, 0))::numeric, 1) as rate_per_s,
  case when x.phase = 'running' and x.percent between 1 and 99.99 and x.last_report > x.started_at
    then x.last_report + (x.last_report - x.started_at)
      * ((100 - x.percent::double precision) / x.percent::double precision)
  end as eta,
  x.last_message,
  x.last_error,
  x.attempt,
  x.max_attempts,
  x.priority,
  x.run_after,
  x.queued_at,
  x.started_at,
  x.finished_at,
  round(extract(epoch from coalesce(x.started_at, x.finished_at, locaria.statement_clock()) - x.queued_at)::numeric,
    3) as wait_s,
  round(x.run_s::numeric, 3) as run_s,
  x.run_id,
  x.task_arn,
  x.attributes,
  x.endpoint,
  x.command,
  x.last_update,
  x.submitted_by,
  x.bytes_done,
  x.bytes_total,
  case x.phase
    when 'done' then 301
    when 'failed' then 304
    when 'cancelled' then 399
    when 'deleted' then 399
    when 'running' then case
      -- A listener's own file: a command that was inserted as a row counts as executing.
      when x.type <> 'listener' or x.attributes ? 'command' then 303
      when x.endpoint is null then 300
      when x.command is null then 302
      else 303
    end
    else 300
  end as code
from (
  select
    f.id as file_id,
    coalesce(f.container, s.container, r.container) as container,
    f.status as state,
    locaria.get_phase(s.kind, f.run_after, f.attempts, locaria.statement_clock(), coalesce(d.phase, 'queued')) as phase,
    c.name is not null as is_registered,
    coalesce(c.paused, false) as is_paused,
    c.retired is not null as is_retired,
    c.max_tasks,
    w.living,
    w.idle,
    d.dispatch_status,
    d.dispatch_error,
    d.invoked,
    d.launch,
    d.next_try,
    b.error as circuit_error,
    b.retry_at as circuit_retry_at,
    (select k.last_tick from locaria.ticks k) as last_tick,
    p.cancel_requested,
    greatest(p.lease_until, r.lease_until) as lease_until,
    case when s.kind = 'done' then 100 when s.kind = 'processing' then p.percent end as percent,
    coalesce(p.stage, r.stage) as stage,
    coalesce(p.rows_done, r.rows_done) as rows_done,
    coalesce(p.rows_total, r.rows_total) as rows_total,
    coalesce(p.unit, 'rows') as unit,
    coalesce(p.rows_rejected, r.rows_rejected) as rows_rejected,
    coalesce(p.progressed, r.started) as last_report,
    coalesce(p.message, r.message) as last_message,
    f.last_error,
    f.attempts as attempt,
    c.max_attempts,
    f.priority,
    f.run_after,
    f.created as queued_at,
    r.started as started_at,
    f.finished as finished_at,
    extract(epoch from coalesce(r.ended, locaria.statement_clock()) - r.started)::double precision as run_s,
    -- Up to the last report, not up to now: a rate that does not sink between two reports.
    extract(epoch from coalesce(r.ended, p.progressed) - r.started)::double precision as reported_s,
    r.id as run_id,
    t.task_arn,
    f.attributes,
    p.endpoint,
    p.command,
    greatest(f.last_update, p.progressed) as last_update,
    f.submitted_by,
    coalesce(p.bytes_done, r.bytes_done) as bytes_done,
    coalesce(p.bytes_total, r.bytes_total) as bytes_total,
    coalesce(c.type, 'loader') as type
  from locaria.files f
  -- Lateral, each with a limit: these joins keep the order of files, so that "order by file_id desc limit 20"
  -- reads 20 files and not all of them.
  cross join lateral (select * from locaria.statuses s where s.status = f.status limit 1) as s
  left join lateral (
    select * from locaria.runs r where r.file_id = f.id order by r.id desc limit 1
  ) as r on true
  left join lateral (select * from locaria.run_progress p where p.run_id = f.claimed_by limit 1) as p on true
  left join lateral (select t.task_arn from locaria.tasks t where t.id = r.task_id limit 1) as t on true
  left join lateral (
    select * from locaria.containers c where c.name = coalesce(f.container, s.container, r.container) limit 1
  ) as c on true
  left join lateral (
    select count(*) as living, count(a.idle_since) as idle from locaria.tasks a
    where s.kind = 'requested' and a.container = c.name and a.stopped is null and a.started is not null
  ) as w on true
  left join lateral (
    select * from locaria.due_phases d where s.kind = 'requested'
      and d.container = coalesce(f.container, s.container) limit 1
  ) as d on true
  left join lateral (
    select b.error, b.retry_at from locaria.circuits b
    where s.kind = 'requested' and b.function_arn = locaria.get_dispatch_circuit(c.name) limit 1
  ) as b on true
) as x;
comment on view locaria.status is
  'What happened to my file? One row per file. Stable: columns are only added. Example: select phase, why, percent '
  'from locaria.status where file_id = 17.';
comment on column locaria.status.phase is
  'queued · scheduled · held · dispatched · starting · running · retrying · done · failed · cancelled · deleted. In '
  'the first five no run is alive, as expected.';
comment on column locaria.status.why is 'Why is it not done? One sentence.';
comment on column locaria.status.percent is 'Of the whole run, over all stages; 100 when done.';
comment on column locaria.status.eta is 'When it will be done at the present rate.';
comment on column locaria.status.endpoint is 'The address at which a living listener takes commands.';
comment on column locaria.status.command is 'The command that a listener is executing.';
comment on column locaria.status.last_update is 'When its status, or its progress, last changed.';
comment on column locaria.status.code is
  'Its code in the API: 300 requested or being started · 301 done · 302 a listener that listens · 303 working · 304 '
  'failed · 399 cancelled or deleted.';
comment on column locaria.status.wait_s is 'Seconds from insert to the start of the last run.';
comment on column locaria.status.run_s is 'Seconds that the last run took or has taken so far.';
