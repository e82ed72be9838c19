create table locaria.api_methods (
  method text not null,
  least_role text not null,
  description text not null,
  request jsonb not null,
  constraint api_methods_pkey primary key (method),
  constraint api_methods_least_role_is_known check (least_role in ('reader', 'submitter', 'operator')),
  constraint api_methods_request_is_an_object check (jsonb_typeof(request) = 'object')
);
comment on table locaria.api_methods is 'The methods of locaria.api(). Written by every upgrade.';
comment on column locaria.api_methods.least_role is
  'Who may call it: reader; submitter, who can also add files and control the files that they added; operator, who '
  'can call everything.';
comment on column locaria.api_methods.request is
  'JSON Schema of a request, except for method and request_id.';

create table locaria.refused_calls (
  actor text not null,
  login text not null,
  method text not null,
  role text not null,
  least_role text not null,
  calls bigint not null default 1,
  first_call timestamptz not null,
  last_call timestamptz not null,
  constraint refused_calls_pkey primary key (actor, login, method)
);
comment on table locaria.refused_calls is
  'Calls of locaria.api() that were refused because the caller''s role is too low; removed 30 days after the last '
  'call. Example: select * from locaria.refused_calls order by last_call desc.';
comment on column locaria.refused_calls.actor is 'Who called, as the transport reports; otherwise the login.';
comment on column locaria.refused_calls.role is 'The role of the caller: reader, submitter or none.';

create table locaria.watches (
  only_row boolean not null default true,
  watched_until timestamptz not null default '-infinity',
  constraint watches_pkey primary key (only_row),
  constraint watches_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.watches is
  'Until when changes are notified on the channel locaria_changes; see watch_changes(). Without watchers nothing '
  'is notified.';
insert into locaria.watches default values;

create table locaria.throughput (
  minute timestamptz not null,
  inserted bigint not null,
  done bigint not null,
  failed bigint not null,
  queue bigint not null,
  last_file_id bigint not null,
  constraint throughput_pkey primary key (minute)
);
comment on table locaria.throughput is
  'Counts for each past minute: one row per minute, written by tick(), kept for a week.';
comment on column locaria.throughput.minute is 'The start of the minute.';
comment on column locaria.throughput.inserted is
  'How many file ids were assigned, including those of inserts that were rolled back.';
comment on column locaria.throughput.done is 'Files that reached a done status.';
comment on column locaria.throughput.failed is 'Files that reached a failed status.';
comment on column locaria.throughput.queue is
  'Files that were waiting when the minute was counted, just after it ended.';
comment on column locaria.throughput.last_file_id is 'The highest file id assigned by then.';

create table locaria.file_counts (
  only_row boolean not null default true,
  counted timestamptz not null default 'epoch',
  took interval not null default '0',
  counts jsonb not null default '[]',
  constraint file_counts_pkey primary key (only_row),
  constraint file_counts_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.file_counts is
  'The latest count of all files, for get_overview(). It is repeated only if counting takes less than a fiftieth '
  'of the time since the last count.';
comment on column locaria.file_counts.counts is
  'By status and kind of waiting: [{"status", "waiting", "container", "files"}].';
insert into locaria.file_counts default values;
