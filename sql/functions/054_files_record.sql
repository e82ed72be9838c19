create or replace function locaria.files_record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into locaria.transitions (file_id, at, from_status, to_status, run_id, reason)
  values (new.id, new.last_update, old.status, new.status, old.claimed_by,
    nullif(current_setting('locaria.reason', true), ''));
  return null;
end
$$;
comment on function locaria.files_record() is 'Writes a change of status that is neither a claim nor the end of a run into transitions.';
