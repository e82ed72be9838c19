create or replace function locaria.undo(
  p_run bigint,
  p_reason text default null
)
returns table (
  table_name text,
  what text,
  row_count bigint
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_done locaria.publications;
  v_target text;
  v_relation regclass;
  v_later bigint;
  v_what text;
  v_rows bigint;
  v_found boolean := false;
begin
  perform set_config('lock_timeout', locaria.get_parameter('publish_config', 'lock_timeout_ms', '5000'), true);
  for v_done in
    select p.* from locaria.publications p where p.run_id = p_run and p.undone is null
    order by p.table_schema, p.table_name for update
  loop
    v_found := true;
    v_target := format('%I.%I', v_done.table_schema, v_done.table_name);
    v_relation := to_regclass(v_target);
    if v_relation is not null then
      execute format('lock table %s in access exclusive mode', v_relation);
    end if;
    select max(p.run_id) into v_later from locaria.publications p
    where p.table_schema = v_done.table_schema and p.table_name = v_done.table_name and p.undone is null
      and (p.published, p.run_id) > (v_done.published, v_done.run_id)
      -- What was added beside its rows does not stand in the way of taking these out.
      and (v_done.mode not in ('append', 'merge') or v_done.created_table or p.mode in ('create', 'replace'));
    if v_later is not null then
      raise exception using errcode = 'LC009', message = format('undo: run %s has loaded into %s since', v_later,
        v_target),
        hint = format('select * from locaria.undo(%s) first.', v_later);
    end if;
    select u.what, u.row_count into v_what, v_rows from locaria.undo_publication(v_done, v_relation) as u;
    update locaria.publications p set undone = locaria.clock(), undone_by = session_user, previous_table = null
    where p.run_id = p_run and p.table_schema = v_done.table_schema and p.table_name = v_done.table_name;
    perform locaria.add_log_message(v_done.file_id, p_run, 'warning', 'undo',
      format('undone by %s: %s: %s (%s rows)', session_user, v_target, v_what, v_rows)
        || coalesce(': ' || nullif(p_reason, ''), ''));
    return query select v_target, v_what, v_rows;
  end loop;
  if not v_found then
    raise exception using errcode = 'LC008', message = format('undo: run %s has published nothing that could be '
      'undone', p_run);
  end if;
end
$$;
comment on function locaria.undo(bigint, text) is
  'Takes back what a run has published, in one transaction: a new table goes, a replaced one comes back '
  '(keep_previous), appended and merged rows go (load_run) and those that a merge changed are as before. Example: '
  'select * from locaria.undo(17, ''wrong year''). Errors: LC008 nothing to undo, LC009 a later load prevents it, '
  'or nothing was kept.';
