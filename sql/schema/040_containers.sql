create table locaria.containers (
  name text not null,
  description text not null default '',
  type text not null default 'loader',
  port integer,
  paused boolean not null default false,
  retired timestamptz,
  max_tasks integer not null default 4,
  max_attempts integer not null default 3,
  max_launches integer not null default 5,
  lease interval not null default '60 seconds',
  timeout interval,
  stall_timeout interval,
  idle_timeout interval not null default '60 seconds',
  launch_timeout interval not null default '5 minutes',
  cancel_grace interval not null default '30 seconds',
  backoff interval not null default '5 seconds',
  reject_limit integer not null default 1000,
  log_limit integer not null default 10000,
  autostart boolean not null default false,
  autostart_file bigint,
  parameters jsonb not null default '{}',
  parameter_schema jsonb,
  defaults jsonb not null default '{}',
  last_update timestamptz not null default now(),
  constraint containers_pkey primary key (name),
  constraint containers_name_is_a_lower_case_identifier check (name ~ '^[a-z][a-z0-9_]{0,40}$'),
  constraint containers_type_is_loader_or_listener check (type in ('loader', 'listener')),
  constraint containers_listener_has_port check (type = 'loader' or port is not null),
  constraint containers_port_is_a_port check (port between 1 and 65535),
  constraint containers_limits_are_positive check (
    max_tasks between 1 and 1000 and max_attempts > 0 and max_launches > 0 and reject_limit >= 0 and log_limit >= 0
  ),
  constraint containers_retired_is_paused check (retired is null or paused),
  constraint containers_lease_is_at_least_one_second check (lease >= '1 second'),
  constraint containers_times_are_positive check (
    timeout > '0' and stall_timeout > '0' and idle_timeout >= '0' and launch_timeout > '0'
    and cancel_grace >= '0' and backoff >= '0'
  ),
  constraint containers_parameters_are_an_object check (jsonb_typeof(parameters) = 'object'),
  constraint containers_parameter_schema_is_an_object check (jsonb_typeof(parameter_schema) = 'object'),
  constraint containers_defaults_are_an_object check (jsonb_typeof(defaults) = 'object'),
  constraint containers_autostart_is_for_listeners check (type = 'listener' or not autostart)
);
comment on table locaria.containers is
  'The kinds of job, registered from containers/dockers.json, with their limits. A changed limit takes effect at '
  'the next claim.';
comment on column locaria.containers.name is 'The name that files.container refers to.';
comment on column locaria.containers.type is
  'loader: runs, processes its files and exits. listener: stays and takes commands on its port.';
comment on column locaria.containers.port is 'The port on which a listener takes commands.';
comment on column locaria.containers.paused is
  'True: no task is started and no file is claimed until resume(name).';
comment on column locaria.containers.retired is
  'When the container was removed from dockers.json. Its files keep their history; waiting files continue when the '
  'container is registered again.';
comment on column locaria.containers.max_tasks is 'How many tasks of this container may be alive at once.';
comment on column locaria.containers.max_attempts is 'How many runs a file gets before it ends in ERROR.';
comment on column locaria.containers.max_launches is
  'How often a dispatch is launched before it fails because none of its tasks started.';
comment on column locaria.containers.lease is
  'How long a run counts as alive without a heartbeat. A crash is noticed after this time plus one tick.';
comment on column locaria.containers.timeout is 'The longest time that one run may take; null: no limit.';
comment on column locaria.containers.stall_timeout is
  'The longest time that one run may go without progress; null: no limit.';
comment on column locaria.containers.idle_timeout is
  'How long a task without work waits for more files before it exits.';
comment on column locaria.containers.launch_timeout is
  'How long a launched task may take to report before it is launched again.';
comment on column locaria.containers.cancel_grace is
  'How long a run may take to stop after cancel() before it is ended.';
comment on column locaria.containers.backoff is
  'Pause before the second attempt; it doubles with each further attempt, up to one hour.';
comment on column locaria.containers.reject_limit is
  'How many bad rows a run may reject before it fails; attributes.reject_limit of a file overrides it.';
comment on column locaria.containers.log_limit is 'How many log messages are kept per run.';
comment on column locaria.containers.autostart is
  'True: tick() keeps one file of this listener alive at all times.';
comment on column locaria.containers.autostart_file is 'The file that tick() inserted for autostart.';
comment on column locaria.containers.parameters is
  'What get_containers publishes. By parameter: ["a", "b"] one of these values · "" text · "x" text, default x · '
  '[] list of text · {} object · a number or boolean: its type and default · null: any type, optional.';
comment on column locaria.containers.parameter_schema is
  'A JSON Schema (a subset of 2020-12, see check_json) that describes the parameters further. If it has '
  '"required", that list decides which parameters are required; otherwise those with choices or "" are.';
comment on column locaria.containers.defaults is
  'Default values derived from parameters and parameter_schema by a trigger. At a claim, the file''s attributes '
  'override them.';
