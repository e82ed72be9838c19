create or replace function locaria.ingest_loss(p_job locaria.ingest_jobs)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_job.phase <> 'uploading' then null
    when p_job.kind = 'resumable' then case when p_job.expires < locaria.clock()
      then 'the upload was not finished in time' end
    when not exists (select from locaria.files f where f.claimed_by = p_job.run_id)
      then 'the upload was cut: the server that received it has ended'
  end
$$;
comment on function locaria.ingest_loss(locaria.ingest_jobs) is
  'Why an upload can''t continue, or null: the run that receives it has ended, or it was not resumed in time.';
