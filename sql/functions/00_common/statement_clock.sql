create or replace function locaria.statement_clock()
returns timestamptz
language sql
stable
as $$
  select case
    when coalesce(current_setting('locaria.fake_now', true), '') = '' then statement_timestamp()
    when locaria.may_move_clock() then current_setting('locaria.fake_now', true)::timestamptz
    else statement_timestamp()
  end
$$;
comment on function locaria.statement_clock() is
  'Like clock(), but the same time for all rows of a statement. Stable, so that the planner can inline views.';
