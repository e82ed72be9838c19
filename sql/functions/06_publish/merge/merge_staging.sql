create or replace function locaria.merge_staging(
  p_staging locaria.staging_tables,
  p_target regclass,
  p_kept text,
  out added bigint,
  out changed bigint
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_new text := format('locaria_staging.%I', p_staging.staging_name);
  v_same text;
  v_columns text;
  v_values text;
  v_differs text;
begin
  -- Serialises merges into one table and blocks other writers, but not readers.
  execute format('lock table %s in share row exclusive mode', p_target);
  perform locaria.check_merge_key(p_staging);
  v_same := locaria.match_key(p_target, p_staging.options -> 'key', 't', 's');
  select string_agg(quote_ident(c ->> 'name'), ', ' order by n),
    string_agg(format('s.%I', c ->> 'name'), ', ' order by n)
  into v_columns, v_values
  from jsonb_array_elements(p_staging.columns) with ordinality as e (c, n);
  -- A row that is already equal is not updated, so its _load_run stays the same.
  select string_agg(
    case when locaria.compares_as_text(a.atttypid) then format('t.%1$I::text is distinct from s.%1$I::text', a.attname)
    else format('t.%1$I is distinct from s.%1$I', a.attname) end, ' or ')
  into v_differs
  from jsonb_array_elements(p_staging.columns) as c
  join pg_attribute a on a.attrelid = p_target and a.attname = c ->> 'name'
  where a.attname <> '_load_run' and not p_staging.options -> 'key' ? a.attname;
  execute format('analyze %s', v_new);
  changed := 0;
  if v_differs is not null then
    if p_kept is not null then
      execute format('create table locaria_staging.%I as select t.* from %s t join %s s on %s where %s',
        p_kept, p_target, v_new, v_same, v_differs);
    end if;
    execute format('update %s t set (%s) = row(%s) from %s s where %s and (%s)',
      p_target, v_columns, v_values, v_new, v_same, v_differs);
    get diagnostics changed = row_count;
  end if;
  execute format('insert into %s (%s) select %s from %s s where not exists (select from %s t where %s)',
    p_target, v_columns, v_values, v_new, p_target, v_same);
  get diagnostics added = row_count;
  execute format('drop table %s', v_new);
end
$$;
comment on function locaria.merge_staging(locaria.staging_tables, regclass, text) is
  'Merges the rows of a staging table into its target by key: updates rows that differ (and saves their previous '
  'values in table p_kept) and inserts new rows. Needs no unique index. Error: LC011 duplicate or NULL key.';
