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
comment on column locaria.api_methods.least_role is 'Who may call it: a reader; a submitter, too, who adds files and steers his own; an operator, who may call everything.';
comment on column locaria.api_methods.request is 'JSON Schema of a request, apart from method and request_id.';

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
comment on table locaria.refused_calls is 'Calls of locaria.api() that were refused because the caller''s role is too low; forgotten after 30 days without another. Example: select * from locaria.refused_calls order by last_call desc.';
comment on column locaria.refused_calls.actor is 'Who asked, as the transport knows him; else the login.';
comment on column locaria.refused_calls.role is 'What he was: reader, submitter, or none.';

create table locaria.watches (
  only_row boolean not null default true,
  watched_until timestamptz not null default '-infinity',
  constraint watches_pkey primary key (only_row),
  constraint watches_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.watches is 'Until when somebody wants to be notified of changes, on channel locaria_changes: watch_changes(). Not watched, nothing is notified.';
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
comment on table locaria.throughput is 'How much was done in each minute that is over; a row a minute, written by tick(), kept for a week.';
comment on column locaria.throughput.minute is 'Its first instant.';
comment on column locaria.throughput.inserted is 'How many ids were given to files; those of inserts that were rolled back count, too.';
comment on column locaria.throughput.done is 'Files that came to rest in a done status.';
comment on column locaria.throughput.failed is 'Files that came to rest in a failed status.';
comment on column locaria.throughput.queue is 'Files that waited when it was counted, just after the minute.';
comment on column locaria.throughput.last_file_id is 'The highest id given by then.';

create table locaria.file_counts (
  only_row boolean not null default true,
  counted timestamptz not null default 'epoch',
  took interval not null default '0',
  counts jsonb not null default '[]',
  constraint file_counts_pkey primary key (only_row),
  constraint file_counts_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.file_counts is 'The last count of all files, for get_overview(): counted again only when that costs less than a fiftieth of the time that has passed.';
comment on column locaria.file_counts.counts is 'By status and kind of waiting: [{"status", "waiting", "container", "files"}].';
insert into locaria.file_counts default values;
