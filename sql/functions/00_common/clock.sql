-- clock_timestamp(), because now() does not advance within a transaction.
create or replace function locaria.clock()
returns timestamptz
language sql
volatile
as $$
  select case
    when coalesce(current_setting('locaria.fake_now', true), '') = '' then clock_timestamp()
    when locaria.may_move_clock() then current_setting('locaria.fake_now', true)::timestamptz
    else clock_timestamp()
  end
$$;
comment on function locaria.clock() is
  'The current time, for every function of Locaria. Tests can move it with locaria.fake_now; see may_move_clock().';
