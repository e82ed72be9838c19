create or replace function locaria.undo_rows(
  p_done locaria.publications,
  p_target regclass,
  p_kept regclass,
  out what text,
  out row_count bigint
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_columns text;
  v_later regclass;
  v_count bigint;
  v_key text := (select string_agg(quote_ident(k), ', ') from unnest(p_done.key) as k);
begin
  if not p_done.load_run then
    raise exception using errcode = 'LC009', message = format('undo: %s does not record which rows run %s has loaded',
      p_target, p_done.run_id),
      hint = 'With attribute load_run = true each row does.';
  elsif p_done.changed > 0 and p_kept is null then
    raise exception using errcode = 'LC009', message = format('undo: the %s rows that run %s has changed were not '
      'kept as they were', p_done.changed, p_done.run_id),
      hint = 'With attribute keep_previous = true they are, for publish_config.undo_days.';
  end if;
  select string_agg(quote_ident(attname), ', ' order by attnum) into v_columns
  from pg_attribute where attrelid = p_kept and attnum > 0 and not attisdropped;
  -- A row that a later run has changed again stays as that run left it; but what that run has kept of it must not
  -- bring back what is undone now.
  for v_later in
    select p_target
    union all
    select k.oid from locaria.publications p, to_regclass('locaria_staging.'
      || quote_ident(p.previous_table)) as k (oid)
    where p.table_schema = p_done.table_schema and p.table_name = p_done.table_name and p.undone is null
      and p.mode = 'merge'
      and (p.published, p.run_id) > (p_done.published, p_done.run_id) and k.oid is not null
  loop
    if p_kept is null then
      execute format('delete from %s where _load_run = any ($1)', v_later) using p_done.loaded_by;
      get diagnostics v_count = row_count;
    else
      execute format('create temporary table undone on commit drop as select %s from %s with no data', v_key, v_later);
      execute format('with gone as (delete from %s where _load_run = any ($1) returning %s) insert into undone '
        'select * from gone', v_later, v_key) using p_done.loaded_by;
      get diagnostics v_count = row_count;
      execute format('insert into %s (%s) select %s from %s as s where exists (select from undone as t where %s)',
        v_later, v_columns, v_columns, p_kept, locaria.match_key(p_kept, to_jsonb(p_done.key), 't', 's'));
      drop table undone;
    end if;
    row_count := case when v_later = p_target then v_count else row_count end;
  end loop;
  what := 'its rows are gone';
  if p_kept is not null then
    execute format('drop table %s', p_kept);
    what := what || ', those that it had changed are as before';
  end if;
end
$$;
comment on function locaria.undo_rows(locaria.publications, regclass, regclass) is
  'Takes the rows of an append or a merge out of a table, and puts those back that it had changed. Error: LC009.';
