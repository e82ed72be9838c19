create table locaria.outcomes (
  container text not null,
  outcome text not null,
  runs bigint not null,
  seconds double precision not null,
  runs_within bigint[] not null,
  constraint outcomes_pkey primary key (container, outcome)
) with (fillfactor = 50);
comment on table locaria.outcomes is
  'Counters for monitoring since the installation: how many runs have ended, with which outcome, and how long they '
  'took. Maintained by count_outcomes(), a step of tick().';
comment on column locaria.outcomes.seconds is 'Total duration in seconds.';
comment on column locaria.outcomes.runs_within is
  'How many runs took at most 1 s, 10 s, 1 min, 5 min, 30 min, 2 h.';

create table locaria.counted_runs (
  only_row boolean not null default true,
  last_run bigint not null default 0,
  open_runs bigint[] not null default '{}',
  constraint counted_runs_pkey primary key (only_row),
  constraint counted_runs_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.counted_runs is 'How far count_outcomes() has counted.';
comment on column locaria.counted_runs.last_run is 'The highest run id that was counted.';
comment on column locaria.counted_runs.open_runs is
  'Runs up to last_run that had not ended and are not counted yet.';
insert into locaria.counted_runs default values;
