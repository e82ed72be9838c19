-- Any choice between rows with the same key would be arbitrary.
create or replace function locaria.check_merge_key(p_staging locaria.staging_tables)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_new regclass := format('locaria_staging.%I', p_staging.staging_name)::regclass;
  v_names text;
  v_missing text;
  v_key text;
  v_grouped text;
  v_found record;
begin
  select string_agg(k, ', ' order by n), string_agg(format('%I is null', k), ' or '),
    string_agg(format('%I::text', k), ', ' order by n),
    string_agg(
      case when locaria.compares_as_text(a.atttypid) then format('%I::text', k) else quote_ident(k) end, ', ' order by n
    )
  into v_names, v_missing, v_key, v_grouped
  from jsonb_array_elements_text(p_staging.options -> 'key') with ordinality as e (k, n)
  join pg_attribute a on a.attrelid = v_new and a.attname = k;
  execute format('select count(*) as rows from %s where %s', v_new, v_missing) into v_found;
  if v_found.rows > 0 then
    raise exception using errcode = 'LC011',
      message = format('merge: in %s rows the key (%s) is NULL', v_found.rows, v_names),
      hint = 'Every row needs a key.';
  end if;
  execute format('select (select count(*) from (select from %1$s group by %2$s having count(*) > 1) as d) as keys,
      x.shown, x.rows
    from (
      select concat_ws('', '', %3$s) as shown, count(*) as rows
      from %1$s group by %2$s, %3$s having count(*) > 1 order by 1 limit 1
    ) as x',
    v_new, v_grouped, v_key) into v_found;
  if v_found.rows is not null then
    raise exception using errcode = 'LC011',
      message = format('merge: %s keys occur more than once, for example (%s) = (%s) in %s rows',
        v_found.keys, v_names, left(v_found.shown, 200), v_found.rows),
      hint = 'Correct the source, or give more columns as key.';
  end if;
end
$$;
comment on function locaria.check_merge_key(locaria.staging_tables) is
  'Refuses (LC011) to merge rows whose key is NULL or occurs more than once.';
