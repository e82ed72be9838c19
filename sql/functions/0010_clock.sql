create or replace function locaria.clock()
returns timestamptz
language sql
volatile
as $$
  select coalesce(nullif(current_setting('locaria.fake_now', true), '')::timestamptz, clock_timestamp())
$$;
comment on function locaria.clock() is
  'The time, for every function of Locaria: clock_timestamp(), because now() stands still in a transaction; tests move it with locaria.fake_now.';
