create table locaria.dispatches (
  id bigint generated always as identity,
  container text not null,
  status text not null default 'pending',
  reason text not null,
  files bigint,
  asked integer not null default 0,
  launch integer not null default 1,
  created timestamptz not null default clock_timestamp(),
  invoked timestamptz,
  deadline timestamptz,
  next_try timestamptz,
  ended timestamptz,
  failures integer not null default 0,
  status_code integer,
  error text,
  xact xid8 not null default pg_current_xact_id(),
  constraint dispatches_pkey primary key (id),
  constraint dispatches_status_is_known check (status in ('pending', 'invoked', 'started', 'unneeded', 'failed')),
  constraint dispatches_open_has_not_ended check ((status in ('pending', 'invoked')) = (ended is null))
) with (fillfactor = 70);
comment on table locaria.dispatches is
  'The outbox: one row per invocation of the Lambda function that starts tasks. A dispatch is only a hint; losing '
  'one loses no work.';
comment on column locaria.dispatches.status is
  'pending (will be invoked at next_try) → invoked (the Lambda function was called; tasks are starting) → started '
  '(its tasks have reported) | unneeded (other tasks did the work) | failed (given up; see error)';
comment on column locaria.dispatches.reason is
  'insert · update · resume · backlog (tick found files that no task was going to claim)';
comment on column locaria.dispatches.files is
  'How many files the first INSERT of the transaction added; null if the files were requested in another way.';
comment on column locaria.dispatches.asked is 'How many tasks were asked for.';
comment on column locaria.dispatches.launch is
  'The launch number. A launch that started no task is repeated with a new clientToken.';
comment on column locaria.dispatches.deadline is 'The time by which its tasks must have reported.';
comment on column locaria.dispatches.next_try is 'When tick() tries again.';
comment on column locaria.dispatches.error is 'Why it has not worked so far.';
comment on column locaria.dispatches.xact is
  'The transaction that invoked the function; a task that starts before its commit waits for it.';

create index dispatches_open on locaria.dispatches (container) where ended is null;
create index dispatches_ended on locaria.dispatches (ended) where ended is not null;

create table locaria.circuits (
  function_arn text not null,
  failures integer not null default 1,
  opened timestamptz not null,
  retry_at timestamptz not null,
  error text not null,
  constraint circuits_pkey primary key (function_arn)
);
comment on table locaria.circuits is
  'Circuit breakers: while a function has a row here, commits do not call it. tick() tries it at retry_at and '
  'removes the row once it answers. A change of parameters removes the row, too.';
