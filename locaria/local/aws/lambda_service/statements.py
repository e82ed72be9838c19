"""What the Lambda queue asks of `aws_lambda.invocations`."""

from __future__ import annotations

CLAIM = """
    update aws_lambda.invocations i
       set state = 'running', attempts = i.attempts + 1,
           worker = %(worker)s, taken_at = clock_timestamp()
     where i.id = (
       select q.id from aws_lambda.invocations q
        where q.state = 'queued' and q.run_after <= clock_timestamp()
          -- A task is started by who has its container, and stopped by who runs it: its id begins
          -- with his mark. After a minute anybody says of him that he is gone.
          and (%(containers)s::text[] is null or q.payload ->> 'action' is distinct from 'run_task'
               or q.payload ->> 'container' = any (%(containers)s))
          and (%(mark)s::text is null or q.payload ->> 'action' is distinct from 'stop_task'
               or q.payload ->> 'task_arn' ~ ('/' || %(mark)s || '[^/]*$')
               or q.received_at < clock_timestamp() - interval '1 minute')
        order by q.run_after, q.id
        limit 1
        for update skip locked
     )
    returning i.*, extract(epoch from clock_timestamp() - i.received_at)::float8 as age_s
"""
FINISH = """
    update aws_lambda.invocations
       set state = %s, finished_at = clock_timestamp(), response = %s::json,
           function_error = %s, log_tail = %s
     where id = %s and state = 'running'
"""
AGAIN = """
    update aws_lambda.invocations
       set state = 'queued', run_after = clock_timestamp() + make_interval(secs => %s),
           response = %s::json, function_error = 'Unhandled', log_tail = %s
     where id = %s and state = 'running'
"""
RECOVER = """
    update aws_lambda.invocations
       set state = 'queued', attempts = attempts - 1, run_after = clock_timestamp()
     where state = 'running'
       and (worker is null or worker = %(worker)s
            or taken_at < clock_timestamp() - make_interval(secs => %(lost_s)s))
"""
NEXT = """
    select extract(epoch from min(run_after) - clock_timestamp())::float8 as due_in_s
      from aws_lambda.invocations where state = 'queued'
"""
ENQUEUE = """
    insert into aws_lambda.invocations (function_name, payload, invocation_type)
    values (%s, %s::json, 'Event')
"""
GIVE_UP = """
    with ended as (
      update aws_lambda.invocations
         set state = %s, finished_at = clock_timestamp(), response = %s::json,
             function_error = 'Unhandled', log_tail = %s
       where id = %s and state = 'running'
      returning id
    )
    insert into aws_lambda.invocations (function_name, payload, invocation_type)
    select %s, %s::json, 'Event' from ended where %s
"""
PRUNE = "delete from aws_lambda.invocations where finished_at < clock_timestamp() - %s::interval"
RECOVER_OTHERS = """
    update aws_lambda.invocations
       set state = 'queued', attempts = attempts - 1, run_after = clock_timestamp()
     where state = 'running' and worker <> %(worker)s
       and (taken_at < clock_timestamp() - make_interval(secs => %(lost_s)s)
            or taken_at < clock_timestamp() - make_interval(secs => %(dead_s)s)
               and worker in (select name from locaria.agents where state <> 'lives'))
"""
