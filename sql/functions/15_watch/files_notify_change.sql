create or replace function locaria.files_notify_change()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if locaria.is_watched() then
    perform locaria.notify_changes(array[new.id]);
  end if;
  return null;
end
$$;
comment on function locaria.files_notify_change() is
  'After a change of a file that is neither a claim nor the end of a run: notifies the servers that watch.';
