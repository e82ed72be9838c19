create or replace function locaria.archive_files(
  p_run bigint,
  p_files jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, MDY'
as $$
declare
  v_file bigint := locaria.require_run(p_run);
begin
  insert into locaria.archived_files (transaction_id, path, name, subdir, size, hashtype, hashsum, mimetype, ctime,
    mtime, source, archive_key)
  select v_file, n.path, n.name, n.subdir, n.size, n.hashtype, n.hashsum, n.mimetype, n.ctime::timestamptz,
    n.mtime::timestamptz, n.source, n.archive_key
  from jsonb_to_recordset(p_files) as n (
    path text, name text, subdir text, size bigint, hashtype text, hashsum text, mimetype text, ctime text,
      mtime text, source text, archive_key text
  );
end
$$;
comment on function locaria.archive_files(bigint, jsonb) is
  'Writes the files of a bundle, an array of objects with the columns of archived_files; a time without a zone is '
  'UTC. Errors: LC001, LC002, LC008; those of the table''s constraints.';
