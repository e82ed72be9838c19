create or replace function locaria.settle_ingest(
  p_job bigint,
  p_what text
)
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
  update locaria.ingest_jobs
  set settled = locaria.clock(),
    bundle_gone = case when p_what = 'archive' and kind <> 'move' then bundle_gone
      else coalesce(bundle_gone, locaria.clock()) end
  where job_id = p_job
$$;
comment on function locaria.settle_ingest(bigint, text) is 'What list_ingest_leftovers named is gone.';
