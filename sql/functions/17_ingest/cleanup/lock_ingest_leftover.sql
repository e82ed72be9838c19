create or replace function locaria.lock_ingest_leftover(
  p_job bigint,
  p_what text
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- While this transaction is open no task can run the job again, so what it removes is not needed.
  perform from locaria.files where id = p_job for update skip locked;
  if not found and exists (select from locaria.files where id = p_job) then
    return false;
  end if;
  perform from locaria.ingest_jobs where job_id = p_job for update skip locked;
  if not found then
    return false;
  end if;
  return exists (select from locaria.list_ingest_leftovers(1, p_job) l where l.what = p_what);
end
$$;
comment on function locaria.lock_ingest_leftover(bigint, text) is
  'Locks a finished job until the end of the transaction, for the caller that removes what it left; false if that '
  'is no longer there to do.';
