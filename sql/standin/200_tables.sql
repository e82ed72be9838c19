-- The functions of the stand-in and their invocations.
create schema if not exists aws_lambda;
comment on schema aws_lambda is
  'Stand-in for the extension aws_lambda of RDS and Aurora: invocations are delivered by the local runtime.';

create table if not exists aws_lambda.functions (
  function_name text primary key,
  fault text
    constraint functions_fault_is_known check (
      fault in ('unreachable', 'slow', 'throttled', 'denied', 'drop', 'duplicate')
    ),
  aliases text[] not null default '{}'
);
comment on table aws_lambda.functions is 'The Lambda functions that exist here.';
comment on column aws_lambda.functions.function_name is 'The bare name, as in an ARN after "function:".';
comment on column aws_lambda.functions.fault is
  'How an invocation misbehaves, for tests: unreachable, slow, throttled, denied, drop or duplicate. Null: it '
  'works.';
comment on column aws_lambda.functions.aliases is 'Aliases and versions that may be named besides $LATEST.';

create table if not exists aws_lambda.invocations (
  id bigint generated always as identity primary key,
  function_name text not null,
  state text not null default 'queued'
    constraint invocations_state_is_known check (
      state in (
        'queued',     -- accepted; also again between two attempts
        'running',    -- with a handler now
        'succeeded',  -- the handler returned
        'failed',     -- the last attempt raised; a record went to the failure destination
        'expired',    -- older than the maximum event age before an attempt succeeded
        'dropped'     -- lost on purpose, for tests
      )
    ),
  attempts integer not null default 0,
  received_at timestamptz not null default clock_timestamp(),
  run_after timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  request_id uuid not null default gen_random_uuid(),
  invocation_type text not null,
  qualifier text not null default '$LATEST',
  payload json,
  client_context json,
  response json,
  function_error text,
  log_tail text,
  constraint invocations_finished_has_finished_at check (
    (state in ('queued', 'running')) = (finished_at is null)
  )
);
comment on table aws_lambda.invocations is 'Every invocation that was accepted, and what became of it.';
comment on column aws_lambda.invocations.id is 'In the order of acceptance.';
comment on column aws_lambda.invocations.function_name is 'The function, by its bare name.';
comment on column aws_lambda.invocations.state is 'queued, running, succeeded, failed, expired or dropped.';
comment on column aws_lambda.invocations.attempts is 'How often the handler was called.';
comment on column aws_lambda.invocations.received_at is 'When it was accepted.';
comment on column aws_lambda.invocations.run_after is 'Not before this time is the handler called (again).';
comment on column aws_lambda.invocations.finished_at is 'When the last attempt ended, or it was given up.';
comment on column aws_lambda.invocations.request_id is
  'The request id that the handler sees: the same in every attempt, and in a duplicate.';
comment on column aws_lambda.invocations.invocation_type is 'Event or RequestResponse.';
comment on column aws_lambda.invocations.qualifier is 'The version or alias that was asked for.';
comment on column aws_lambda.invocations.payload is 'The event of the handler.';
comment on column aws_lambda.invocations.client_context is
  'The client context; Lambda passes it to synchronous invocations only.';
comment on column aws_lambda.invocations.response is 'What the handler returned, or the error that it raised.';
comment on column aws_lambda.invocations.function_error is 'Unhandled when the last attempt raised.';
comment on column aws_lambda.invocations.log_tail is 'The last 4 KB that the handler printed.';

-- Added later: a database that has the table gets the columns, too.
alter table aws_lambda.invocations add column if not exists worker text, add column if not exists taken_at timestamptz;
comment on column aws_lambda.invocations.worker is 'Which runtime or agent took it, for the last time.';
comment on column aws_lambda.invocations.taken_at is 'When.';

create index if not exists invocations_waiting
  on aws_lambda.invocations (run_after, id)
  where state = 'queued';
create index if not exists invocations_running
  on aws_lambda.invocations (taken_at)
  where state = 'running';
create index if not exists invocations_ended
  on aws_lambda.invocations (finished_at)
  where finished_at is not null;

create table if not exists aws_lambda.writer (
  one boolean primary key default true
    constraint writer_is_one_row check (one),
  host text not null,
  role_name text not null,
  password text not null
);
comment on table aws_lambda.writer is
  'As whom the connection that writes invocations logs in. For superusers only: it holds a password.';
comment on column aws_lambda.writer.one is 'There is one row.';
comment on column aws_lambda.writer.host is 'Where the server reaches itself.';
comment on column aws_lambda.writer.role_name is 'A role that may insert and read invocations, and nothing else.';
comment on column aws_lambda.writer.password is 'Its password.';

create or replace function aws_lambda._announce()
returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_notify('aws_lambda_invocations', new.id::text);
  return null;
end
$$;
comment on function aws_lambda._announce() is 'Wakes the local runtime.';

create or replace trigger _500_announce
  after insert on aws_lambda.invocations
  for each row
  when (new.state = 'queued')
  execute function aws_lambda._announce();
