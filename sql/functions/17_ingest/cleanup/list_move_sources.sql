create or replace function locaria.list_move_sources(p_job bigint)
returns table (
  source text,
  archive_key text,
  hashtype text,
  hashsum text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$ select f.source, f.archive_key, f.hashtype, f.hashsum from locaria.archived_files f
  where f.transaction_id = p_job and f.source is not null order by f.id $$;
comment on function locaria.list_move_sources(bigint) is 'Where the files of a move lay, and where they are now.';
