create or replace function locaria.is_ingested(p_job bigint)
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$ select exists (select from locaria.ingest_transactions where id = p_job) $$;
comment on function locaria.is_ingested(bigint) is
  'Whether the bundle of a job has been ingested completely: running it again has nothing to do.';
