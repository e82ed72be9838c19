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
  constraint containers_limits_are_positive check (max_tasks between 1 and 1000 and max_attempts > 0 and max_launches > 0 and reject_limit >= 0 and log_limit >= 0),
  constraint containers_retired_is_paused check (retired is null or paused),
  constraint containers_lease_is_at_least_one_second check (lease >= '1 second'),
  constraint containers_times_are_positive check (
    timeout > '0' and stall_timeout > '0' and idle_timeout >= '0' and launch_timeout > '0' and cancel_grace >= '0' and backoff >= '0'
  ),
  constraint containers_parameters_are_an_object check (jsonb_typeof(parameters) = 'object'),
  constraint containers_parameter_schema_is_an_object check (jsonb_typeof(parameter_schema) = 'object'),
  constraint containers_defaults_are_an_object check (jsonb_typeof(defaults) = 'object'),
  constraint containers_autostart_is_for_listeners check (type = 'listener' or not autostart)
);
comment on table locaria.containers is 'The kinds of job, as registered from containers/dockers.json, with their limits. Changing a limit here takes effect at the next claim.';
comment on column locaria.containers.name is 'The name that files.container refers to.';
comment on column locaria.containers.type is 'loader: runs, drains its files, exits. listener: stays and takes commands on its port.';
comment on column locaria.containers.port is 'Where a listener takes commands.';
comment on column locaria.containers.paused is 'True: no task is started and nothing is claimed until resume(name).';
comment on column locaria.containers.retired is 'Since when it is not deployed any more: it was taken out of dockers.json. Its files keep their history; those that wait go on when it is registered again.';
comment on column locaria.containers.max_tasks is 'How many tasks of this container may live at once.';
comment on column locaria.containers.max_attempts is 'How many runs a file gets before it ends in ERROR.';
comment on column locaria.containers.max_launches is 'How often a dispatch is launched again when no task of it starts.';
comment on column locaria.containers.lease is 'How long a run is believed to be alive without a heartbeat. A crash is noticed after this plus one tick.';
comment on column locaria.containers.timeout is 'How long one run may take in all; null: no limit.';
comment on column locaria.containers.stall_timeout is 'How long one run may go without progress; null: no limit.';
comment on column locaria.containers.idle_timeout is 'How long a task that found nothing to do waits for more before it leaves.';
comment on column locaria.containers.launch_timeout is 'How long a launched task may take to report before it is launched again.';
comment on column locaria.containers.cancel_grace is 'How long a run may take to stop after cancel before it is ended without it.';
comment on column locaria.containers.backoff is 'Pause before the second attempt; doubled for each further one, an hour at most.';
comment on column locaria.containers.reject_limit is 'How many bad rows a run may set aside before it fails; attributes.reject_limit of a file overrides it.';
comment on column locaria.containers.log_limit is 'How many log messages are kept of one run.';
comment on column locaria.containers.autostart is 'True: a listener of which one file should always be alive; tick() sees to it.';
comment on column locaria.containers.autostart_file is 'That file, once tick() has inserted it.';
comment on column locaria.containers.parameters is
  'What get_containers publishes. By parameter: ["a", "b"] one of these · "" text · "x" text, x if it is not given · [] list of text · {} object · a number or boolean: its type and default · null: anything, optional.';
comment on column locaria.containers.parameter_schema is
  'A JSON Schema (a part of 2020-12, see check_json) that says more of the parameters. Its "required", if it has one, decides what is required; else the choices and "" are.';
comment on column locaria.containers.defaults is 'The defaults that follow from parameters and parameter_schema; written by a trigger. A claim overlays them with the file''s attributes.';
