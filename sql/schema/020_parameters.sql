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
   'origin identifies this database in AWS, where several may share a cluster: it is part of clientToken and '
   'startedBy. Give a copy of the database another origin. '
   'movable_clock (true) lets sessions set locaria.fake_now; for tests only.'),
  ('fargate_config', '{}',
   'Per container: arn and region of the Lambda function that starts it, mode, task, cluster, subnets, '
   'security_groups. The key "default" holds the values that all containers share.'),
  ('lambda_config', '{}', 'Per function that aws_lambda_interface may call: arn, region, mode.'),
  ('dispatch_config',
   '{"connect_timeout_ms": 500, "request_timeout_ms": 1000, "retry_first_s": 2, "retry_most_s": 300}',
   'Short timeouts, in milliseconds, for calls made while an application commits; first and longest pause, in seconds, '
   'between attempts of a failing dispatch.'),
  ('publish_config', '{"schemas": ["public"], "lock_timeout_ms": 5000, "undo_days": 7}',
   'schemas: the schemas to which loads may publish. lock_timeout_ms: how long publishing waits for readers of the old '
   'table. undo_days: how long a replaced table is kept for undo().'),
  ('download_config', '{"schemas": ["public"], "longest_s": 3600}',
   'schemas: the schemas from which tables and views may be downloaded, if the role locaria_loader may read them. '
   'longest_s: how long a download may hold its snapshot, in seconds.'),
  ('log_config', '{"keep_days": 30, "days_ahead": 3}',
   'keep_days: how many days log messages are kept. days_ahead: how many daily partitions are created in advance.');
