create table locaria.log_messages (
  id bigint not null default 0,
  at timestamptz not null,
  file_id bigint not null,
  run_id bigint not null,
  level text not null,
  stage text,
  message text not null,
  constraint log_messages_level_is_known check (level in ('debug', 'info', 'warning', 'error', 'stage'))
) partition by range (at);
create sequence locaria.log_messages_id as bigint owned by locaria.log_messages.id;
alter table locaria.log_messages alter column id set default nextval('locaria.log_messages_id');
comment on table locaria.log_messages is
  'Log messages of runs, in daily partitions that tick() creates in advance and drops when they are older than '
  'log_config.keep_days. Rows are never updated or deleted.';
comment on column locaria.log_messages.level is
  'debug · info · warning · error · stage (the run entered a stage)';
create index log_messages_of_file on locaria.log_messages (file_id, id);
