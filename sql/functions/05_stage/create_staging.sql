create or replace function locaria.create_staging(
  p_run bigint,
  p_target text,
  p_columns jsonb,
  p_mode text default 'replace',
  p_options jsonb default '{}',
  out staging text,
  out adopted boolean,
  out row_count bigint,
  out checkpoint jsonb
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_file bigint := locaria.require_run(p_run);
  v_target record;
  v_relation regclass;
  v_columns jsonb;
  v_name text := 'run_' || p_run;
  v_before record;
  v_load_run boolean := coalesce((p_options ->> 'load_run')::boolean, false);
  v_own boolean := coalesce((p_options ->> 'own_checkpoint')::boolean, false);
begin
  -- As in checkpoint_run: no other run can take over the file while its table is created or adopted.
  perform from locaria.files where claimed_by = p_run for share;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  select * into strict v_target from locaria.parse_target(p_target);
  v_relation := to_regclass(format('%I.%I', v_target.table_schema, v_target.table_name));
  perform locaria.check_target(v_target.table_schema, v_target.table_name, v_relation, p_mode);
  v_columns := locaria.check_columns(
    p_columns || case when v_load_run then '[{"name": "_load_run", "type": "bigint"}]'::jsonb else '[]' end,
    case when p_mode in ('append', 'merge') then v_relation end);
  perform locaria.check_key(p_options -> 'key', v_columns, p_mode);
  if p_options ? 'labels' then
    p_options := p_options || jsonb_build_object(
      'labels', locaria.hide_json_secrets(p_options -> 'labels', locaria.list_secrets(v_file))
    );
  end if;
  for n in 2 .. 10000 loop
    exit when to_regclass(format('locaria_staging.%I', v_name)) is null;
    v_name := format('run_%s_%s', p_run, n);
  end loop;
  adopted := false;
  row_count := 0;
  staging := format('locaria_staging.%I', v_name);

  -- Adopt a table that an earlier attempt has filled up to its checkpoint, unless another session has locked it.
  select s.staging_name, case when v_own then s.checkpoint else r.checkpoint end as checkpoint into v_before
  from locaria.staging_tables s
  join locaria.runs r on r.id = s.run_id
  where s.file_id = v_file and s.run_id <> p_run and r.ended is not null
    and case when v_own then s.checkpoint else r.checkpoint end is not null
    and s.target_schema = v_target.table_schema and s.target_table = v_target.table_name
    and s.mode = p_mode and s.columns = v_columns and s.options = p_options
    -- A file that was requested again by hand starts over, because its attributes may have changed.
    and not exists (
      select from locaria.transitions t
      where t.file_id = v_file and t.at >= r.ended and t.from_status <> t.to_status
    )
  order by s.run_id desc, s.staging_name limit 1;
  if found then
    begin
      execute format('lock table locaria_staging.%I in access exclusive mode nowait', v_before.staging_name);
      execute format('alter table locaria_staging.%I rename to %I', v_before.staging_name, v_name);
      execute format('select count(*) from locaria_staging.%I', v_name) into row_count;
      adopted := true;
      checkpoint := v_before.checkpoint;
      update locaria.staging_tables set staging_name = v_name, run_id = p_run, loaded_by = loaded_by || p_run
      where staging_name = v_before.staging_name;
      -- Copy the checkpoint to this run: if it ends before its next checkpoint, the next attempt resumes from here.
      insert into locaria.run_progress as p (run_id, heartbeat, lease_until, checkpoint)
      select r.id, r.started, r.lease_until, v_before.checkpoint from locaria.runs r where r.id = p_run and not v_own
      on conflict (run_id) do update set checkpoint = coalesce(p.checkpoint, excluded.checkpoint);
    exception when lock_not_available or undefined_table then
      row_count := 0;
      adopted := false;
      checkpoint := null;
    end;
  end if;
  if not adopted then
    if v_relation is not null and p_mode = 'replace' and locaria.has_columns(v_relation, v_columns) then
      -- The columns are the same: keep the indexes, constraints, defaults and comments of the table.
      execute format('create table %s (like %s including all)', staging, v_relation);
      -- Indexes that enforce no constraint are built faster after the rows are loaded.
      for v_before in
        select i.indexrelid::regclass as index from pg_index i
        where i.indrelid = staging::regclass and not i.indisunique and not i.indisexclusion
      loop
        execute format('drop index %s', v_before.index);
      end loop;
    else
      execute format('create table %s (%s)', staging, (
        select string_agg(format('%I %s', c ->> 'name', c ->> 'type'), ', ' order by n)
        from jsonb_array_elements(v_columns) with ordinality as e (c, n)
      ));
    end if;
    insert into locaria.staging_tables (
      run_id, staging_name, target_schema, target_table, mode, columns, file_id, created, options, loaded_by
    ) values (
      p_run, v_name, v_target.table_schema, v_target.table_name, p_mode, v_columns, v_file, locaria.clock(), p_options,
      array[p_run]
    );
  end if;
  if v_load_run then
    execute format('alter table %s alter column _load_run set default %s', staging, p_run);
  end if;
  if session_user <> current_user then
    execute format('grant select, insert on %s to %I', staging, session_user);
  end if;
end
$$;
comment on function locaria.create_staging(bigint, text, jsonb, text, jsonb) is
  'Creates the staging table of a run for a target ("schema.table" or "table"), with columns [{"name", "type"}], '
  'mode create | replace | append | merge, and options {"key": [columns], "load_run", "keep_previous", "labels", '
  '"source": where the rows come from, "own_checkpoint": the table has a checkpoint of its own}; or adopts the '
  'staging table of an earlier attempt, with its checkpoint. Errors: LC001, LC007 (name, columns), LC009 (a target '
  'that loads may not publish to).';
