create or replace function locaria.ingest_transaction(
  p_run bigint,
  p_transaction jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file bigint := locaria.require_run(p_run);
begin
  -- The fence: until this transaction ends, no other task takes over the job.
  perform from locaria.files where claimed_by = p_run for share;
  if not found then
    perform locaria.require_run(p_run);
  end if;
  insert into locaria.ingest_transactions (id, submitter, project, instrument, ingest_user, created, digest, other)
  select v_file, p_transaction ->> 'submitter', p_transaction ->> 'project', p_transaction ->> 'instrument',
    coalesce(f.attributes ->> 'user', ''), locaria.clock(), f.attributes ->> 'digest',
      coalesce(p_transaction -> 'other', '[]')
  from locaria.files f where f.id = v_file;
  insert into locaria.ingest_key_values (transaction_id, n, key, value)
  select v_file, e.n, e.kv ->> 'key', e.kv ->> 'value'
  from jsonb_array_elements(coalesce(p_transaction -> 'key_values', '[]')) with ordinality as e (kv, n);
end
$$;
comment on function locaria.ingest_transaction(bigint, jsonb) is
  'Writes the metadata of a bundle, {"submitter", "project", "instrument", "key_values": [{"key", "value"}], '
  '"other": []}; in one transaction with archive_files and finish_run. Errors: LC001, LC002, LC008; those of the '
  'tables'' constraints.';
