create or replace function locaria.drop_kept_tables()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept record;
  v_count integer := 0;
  v_days interval := make_interval(days => locaria.get_parameter('publish_config', 'undo_days', '7')::integer);
begin
  for v_kept in
    select p.run_id, p.table_schema, p.table_name, p.previous_table
    from locaria.publications p
    where p.previous_table is not null and p.published < locaria.clock() - v_days
    limit 100
  loop
    begin
      execute format('drop table if exists locaria_staging.%I', v_kept.previous_table);
      update locaria.publications p set previous_table = null
      where p.run_id = v_kept.run_id and p.table_schema = v_kept.table_schema and p.table_name = v_kept.table_name;
      v_count := v_count + 1;
    exception when lock_not_available then
      null; -- Another session is reading it; the next tick tries again.
    end;
  end loop;
  return v_count;
end
$$;
comment on function locaria.drop_kept_tables() is
  'Drops tables kept for undo() for longer than publish_config.undo_days (7 by default).';
