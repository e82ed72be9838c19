create table locaria.parameters (
  parameter_name text not null,
  parameter jsonb not null,
  description text,
  last_update timestamptz not null default now(),
  changed_by text not null default session_user,
  constraint parameters_pkey primary key (parameter_name),
  constraint parameters_parameter_is_an_object check (jsonb_typeof(parameter) = 'object')
);
comment on table locaria.parameters is
  'Configuration, one JSON object per name. Only the owner (directly) and an operator (through the API) can write '
  'it, because it decides which Lambda functions are called.';
comment on column locaria.parameters.parameter_name is
  'fargate_config, lambda_config, dispatch_config, publish_config, download_config, log_config, ingest_config, '
  'installation, or a name of the site''s own.';
comment on column locaria.parameters.parameter is
  'The configuration. fargate_config and lambda_config have one key per container or function, with arn, region, '
  'mode, task, cluster, subnets and security_groups.';
comment on column locaria.parameters.description is 'What the parameter configures.';
comment on column locaria.parameters.last_update is 'When it was last changed.';
comment on column locaria.parameters.changed_by is 'Who inserted it, or changed it through the API.';

insert into locaria.parameters (parameter_name, parameter, description) values
  ('installation', jsonb_build_object('origin', replace(gen_random_uuid()::text, '-', '')),
   'origin names this database to AWS, where several may share a cluster: part of the client token and of startedBy. Give a copy of the database another one. movable_clock (true) lets sessions set locaria.fake_now: for tests alone.'),
  ('fargate_config', '{}', 'Per container: arn and region of the Lambda that starts it, mode, task, cluster, subnets, security_groups. The key "default" holds what all containers share.'),
  ('lambda_config', '{}', 'Per function that aws_lambda_interface may call: arn, region, mode.'),
  ('dispatch_config', '{"connect_timeout_ms": 500, "request_timeout_ms": 1000, "retry_first_s": 2, "retry_most_s": 300}',
   'Short timeouts for calls made while an application commits, in milliseconds; first and longest pause between tries of a failing dispatch, in seconds.'),
  ('publish_config', '{"schemas": ["public"], "lock_timeout_ms": 5000, "undo_days": 7}',
   'Schemas that loads may publish tables into; how long a publish waits for readers of the old table, in milliseconds.'),
  ('download_config', '{"schemas": ["public"], "longest_s": 3600}',
   'Schemas that may be downloaded from (of their tables those that the role locaria_loader may read); how long a download may hold its snapshot, in seconds.'),
  ('log_config', '{"keep_days": 30, "days_ahead": 3}', 'How many days of log messages are kept, and how many daily partitions are made ahead.');
