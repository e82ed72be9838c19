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
  v_key text := (select string_agg(quote_ident(k), ', ') from unnest(p_done.key) as k);
begin
  if not p_done.load_run then
    raise exception using errcode = 'LC009', message = format('undo: %s does not tell which rows run %s has loaded', p_target, p_done.run_id),
      hint = 'With attribute load_run = true each row does.';
  elsif p_done.changed > 0 and p_kept is null then
    raise exception using errcode = 'LC009', message = format('undo: the %s rows that run %s has changed were not kept as they were', p_done.changed, p_done.run_id),
      hint = 'With attribute keep_previous = true they are, for publish_config.undo_days.';
  end if;
  if p_kept is null then
    execute format('delete from %s where _load_run = any ($1)', p_target) using p_done.loaded_by;
    get diagnostics row_count = row_count;
    what := 'its rows are gone';
    return;
  end if;
  select string_agg(quote_ident(attname), ', ' order by attnum) into v_columns
  from pg_attribute where attrelid = p_kept and attnum > 0 and not attisdropped;
  -- A row that a later run has changed again stays as that run left it.
  execute format('create temporary table undone on commit drop as select %s from %s with no data', v_key, p_target);
  execute format('with gone as (delete from %s where _load_run = any ($1) returning %s) insert into undone select * from gone', p_target, v_key) using p_done.loaded_by;
  get diagnostics row_count = row_count;
  execute format('insert into %s (%s) select %s from %s as s where exists (select from undone as t where %s)',
    p_target, v_columns, v_columns, p_kept, locaria.match_key(p_kept, to_jsonb(p_done.key), 't', 's'));
  drop table undone;
  execute format('drop table %s', p_kept);
  what := 'its rows are gone, those that it had changed are as before';
end
$$;
comment on function locaria.undo_rows(locaria.publications, regclass, regclass) is 'Takes the rows of an append or a merge out of a table, and puts those back that it had changed. Error: LC009.';
