create or replace function locaria.statement_clock()
returns timestamptz
language sql
stable
as $$
  select coalesce(nullif(current_setting('locaria.fake_now', true), '')::timestamptz, statement_timestamp())
$$;
comment on function locaria.statement_clock() is
  'The same for views: one time for all rows of a statement. Stable, so that the planner can look into the views.';
