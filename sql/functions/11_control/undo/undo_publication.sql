create or replace function locaria.undo_publication(
  p_done locaria.publications,
  p_target regclass,
  out what text,
  out row_count bigint
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept regclass := to_regclass('locaria_staging.' || quote_ident(p_done.previous_table));
  v_hanging text;
  v_before record;
begin
  if p_target is null then
    raise exception using errcode = 'LC009', message = format('undo: there is no table %I.%I any more',
      p_done.table_schema, p_done.table_name);
  elsif p_done.created_table then
    v_hanging := locaria.list_hanging(p_target);
    if v_hanging is not null then
      raise exception using errcode = 'LC009', message = format('undo: %s can''t be dropped because of: %s', p_target,
        v_hanging), hint = 'Drop those objects first.';
    end if;
    execute format('select count(*) from %s', p_target) into row_count;
    execute format('drop table %s', p_target);
    delete from locaria.published_tables where table_schema = p_done.table_schema and table_name = p_done.table_name;
    what := 'dropped: the run had made it';
    return;
  elsif p_done.mode = 'replace' then
    if v_kept is null then
      raise exception using errcode = 'LC009', message = format('undo: the table that run %s has replaced was not '
        'kept', p_done.run_id),
        hint = 'With attribute keep_previous = true it is, for publish_config.undo_days. Load the earlier file again.';
    end if;
    execute format('select count(*) from %s', v_kept) into row_count;
    perform locaria.swap_table(p_done.previous_table, p_done.table_schema, p_done.table_name, p_target);
    what := 'the table as it was before';
  else
    select r.what, r.row_count into what, row_count from locaria.undo_rows(p_done, p_target, v_kept) as r;
  end if;
  -- The previous publication becomes the last one again.
  select p.run_id, p.file_id, p.published into v_before from locaria.publications p
  where p.table_schema = p_done.table_schema and p.table_name = p_done.table_name and p.undone is null
    and p.run_id <> p_done.run_id
  order by p.published desc, p.run_id desc limit 1;
  update locaria.published_tables t
  set row_count = case p_done.mode when 'replace' then undo_publication.row_count
    else greatest(0, t.row_count - p_done.added) end,
    run_id = coalesce(v_before.run_id, t.run_id), file_id = coalesce(v_before.file_id, t.file_id),
      published = coalesce(v_before.published, t.published)
  where t.table_schema = p_done.table_schema and t.table_name = p_done.table_name;
end
$$;
comment on function locaria.undo_publication(locaria.publications, regclass) is
  'Takes back one publication; what was done, and of how many rows. Error: LC009.';
