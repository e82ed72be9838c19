create or replace function locaria.drop_left_staging_tables()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_count integer := 0;
begin
  for v_name in
    select s.staging_name
    from locaria.staging_tables s
    left join locaria.files f on f.id = s.file_id
    left join locaria.runs r on r.id = s.run_id
    where (r.id is null or r.ended is not null or f.id is null)
      -- A table with a checkpoint is kept until an attempt has adopted it or created its own, or until the file has
      -- finished or was requested again by hand.
      and (f.id is null or f.finished is not null or coalesce(s.checkpoint, r.checkpoint) is null
        or exists (
          select from locaria.staging_tables x where x.file_id = s.file_id and x.run_id > s.run_id
            and x.target_schema = s.target_schema and x.target_table = s.target_table
        )
        or exists (
          select from locaria.transitions t
          where t.file_id = s.file_id and t.at >= r.ended and t.from_status <> t.to_status
        ))
    limit 100
  loop
    begin
      execute format('lock table locaria_staging.%I in access exclusive mode nowait', v_name);
      execute format('drop table locaria_staging.%I', v_name);
      delete from locaria.staging_tables where staging_name = v_name;
      v_count := v_count + 1;
    exception
      when lock_not_available then
        null; -- A task that is ending still uses it; the next tick tries again.
      when undefined_table then
        delete from locaria.staging_tables where staging_name = v_name;
    end;
  end loop;
  return v_count;
end
$$;
comment on function locaria.drop_left_staging_tables() is
  'Drops staging tables of ended runs that were not published and that no retry will resume.';
