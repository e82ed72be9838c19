create or replace function locaria.clock()
returns timestamptz
language sql
volatile
as $$
  select coalesce(nullif(current_setting('locaria.fake_now', true), '')::timestamptz, clock_timestamp())
$$;
comment on function locaria.clock() is
  'The time, for every function of Locaria: clock_timestamp(), because now() stands still in a transaction; tests move it with locaria.fake_now.';

create or replace function locaria.statement_clock()
returns timestamptz
language sql
stable
as $$
  select coalesce(nullif(current_setting('locaria.fake_now', true), '')::timestamptz, statement_timestamp())
$$;
comment on function locaria.statement_clock() is
  'The same for views: one time for all rows of a statement. Stable, so that the planner can look into the views.';
