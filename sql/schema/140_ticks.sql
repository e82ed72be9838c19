create table locaria.ticks (
  only_row boolean not null default true,
  last_tick timestamptz,
  last_result jsonb,
  constraint ticks_pkey primary key (only_row),
  constraint ticks_has_one_row check (only_row)
) with (fillfactor = 50);
comment on table locaria.ticks is 'When tick() last ran, and what it did.';
insert into locaria.ticks default values;
