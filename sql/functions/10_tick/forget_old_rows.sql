create or replace function locaria.forget_old_rows()
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  with dispatches as (
    delete from locaria.dispatches where id in (
      select id from locaria.dispatches
      where ended < locaria.clock()
        - make_interval(days => locaria.get_parameter('log_config', 'keep_days', '30')::integer)
      limit 1000 for update skip locked
    ) returning 1
  ), progress as (
    delete from locaria.run_progress p using locaria.runs r
    where r.id = p.run_id and r.ended < locaria.clock() - interval '1 minute' returning 1
  ), refused as (
    delete from locaria.refused_calls where last_call < locaria.clock() - interval '30 days' returning 1
  )
  select ((select count(*) from dispatches) + (select count(*) from progress) + (select count(*) from refused))::integer
$$;
comment on function locaria.forget_old_rows() is
  'Deletes dispatches older than log_config.keep_days, refused calls older than 30 days, and progress that late '
  'reports of ended runs have left.';
