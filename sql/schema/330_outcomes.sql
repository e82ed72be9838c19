create table locaria.outcomes (
  container text not null,
  outcome text not null,
  runs bigint not null,
  seconds double precision not null,
  runs_within bigint[] not null,
  constraint outcomes_pkey primary key (container, outcome)
) with (fillfactor = 50);
comment on table locaria.outcomes is
  'How many runs have ended, how, and how long they took, since the beginning: counters for monitoring, kept by count_outcomes(), a step of tick().';
comment on column locaria.outcomes.seconds is 'How long they took in all.';
comment on column locaria.outcomes.runs_within is 'How many took no longer than 1 s, 10 s, 1 min, 5 min, 30 min, 2 h.';

create table locaria.counted_runs (
  only_row boolean not null default true,
  last_run bigint not null default 0,
  open_runs bigint[] not null default '{}',
  constraint counted_runs_pkey primary key (only_row),
  constraint counted_runs_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.counted_runs is 'How far count_outcomes() has come.';
comment on column locaria.counted_runs.last_run is 'Runs up to this one are counted, …';
comment on column locaria.counted_runs.open_runs is '… but for these, which had not ended.';
insert into locaria.counted_runs default values;
