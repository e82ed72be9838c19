create or replace function locaria.publish_load(
  p_run bigint,
  p_stagings jsonb,
  p_before text[] default '{}',
  p_after text[] default '{}'
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_each record;
  v_rows bigint := 0;
  v_count integer := 0;
begin
  perform from locaria.files where claimed_by = p_run for update;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  perform locaria.run_script(p_run, s) from unnest(p_before) with ordinality as e (s, n);
  -- A fixed order, so that two loads of the same tables don't deadlock.
  for v_each in
    select e ->> 'staging' as staging, (e ->> 'rows')::bigint as rows
    from jsonb_array_elements(p_stagings) as e
    join locaria.staging_tables t
      on t.run_id = p_run and e ->> 'staging' in (t.staging_name, format('locaria_staging.%I', t.staging_name))
    order by t.target_schema, t.target_table, t.staging_name
  loop
    v_count := v_count + 1;
    v_rows := v_rows + locaria.publish_staging(p_run, v_each.staging, v_each.rows);
  end loop;
  if v_count <> jsonb_array_length(p_stagings) then
    raise exception using errcode = 'LC008',
      message = format('run %s does not have all of these staging tables: %s', p_run, p_stagings);
  end if;
  perform locaria.run_script(p_run, s) from unnest(p_after) with ordinality as e (s, n);
  return v_rows;
end
$$;
comment on function locaria.publish_load(bigint, jsonb, text[], text[]) is
  'Publishes all staging tables of a run ([{"staging", "rows"}]); before and after it, runs the scripts named in '
  'p_before and p_after. Call finish_run in the same transaction. Errors: those of publish_staging; LC008 no such '
  'script; LC012 a script failed.';
