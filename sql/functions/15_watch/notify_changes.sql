create or replace function locaria.notify_changes(p_files bigint[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A setting, because it lives as long as the transaction, and is rolled back with a savepoint.
  v_count integer := coalesce(nullif(current_setting('locaria.notified', true), ''),
    '0')::integer + coalesce(cardinality(p_files), 0);
begin
  if coalesce(cardinality(p_files), 0) = 0 then
    return;
  end if;
  perform set_config('locaria.notified', v_count::text, true),
    pg_notify('locaria_changes', case when v_count > 200 then 'many' else array_to_string(p_files, ',') end);
end
$$;
comment on function locaria.notify_changes(bigint[]) is
  'Tells those who watch that files have changed: NOTIFY locaria_changes with their ids, with "many" from the 201st '
  'of a transaction on. Callers look at is_watched() first.';
