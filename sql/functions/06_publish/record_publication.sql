create or replace function locaria.record_publication(
  p_staging locaria.staging_tables,
  p_relation regclass,
  p_added bigint,
  p_changed bigint,
  p_kept text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_adds boolean := p_staging.mode = 'append' or p_staging.mode = 'merge' and p_relation is not null;
  -- A merge that creates the table counts as create: loads may replace the table later.
  v_mode text := case
    when p_staging.mode <> 'merge' then p_staging.mode when p_relation is null then 'create' else 'append'
  end;
begin
  insert into locaria.published_tables as t (
    table_schema, table_name, run_id, file_id, mode, row_count, published, labels
  ) values (
    p_staging.target_schema, p_staging.target_table, p_staging.run_id, p_staging.file_id, v_mode, p_added,
    locaria.clock(), coalesce(p_staging.options -> 'labels', '{}')
  )
  on conflict (table_schema, table_name) do update
  set run_id = excluded.run_id, file_id = excluded.file_id,
    mode = case excluded.mode when 'append' then t.mode else excluded.mode end, published = excluded.published,
    labels = case when v_adds then t.labels || excluded.labels else excluded.labels end,
    row_count = case when v_adds then t.row_count else 0 end + excluded.row_count;
  insert into locaria.publications (
    run_id, table_schema, table_name, file_id, mode, created_table, added, changed, published, load_run, loaded_by, key,
    previous_table
  ) values (
    p_staging.run_id, p_staging.target_schema, p_staging.target_table, p_staging.file_id, p_staging.mode,
    p_relation is null, p_added, p_changed, locaria.clock(),
    coalesce((p_staging.options ->> 'load_run')::boolean, false), p_staging.loaded_by,
    array(select jsonb_array_elements_text(p_staging.options -> 'key')),
    case when to_regclass('locaria_staging.' || quote_ident(p_kept)) is not null then p_kept end
  );
end
$$;
comment on function locaria.record_publication(locaria.staging_tables, regclass, bigint, bigint, text) is
  'Records what a run has published.';
