-- Functions that claim files and end runs enforce the rules themselves: they set locaria.hot_path and change
-- claimed_by in the same update. No condition below is true for them, and no update trigger has a transition table,
-- so the hot path fires no trigger. A change by hand is checked even if it changes claimed_by, too. Only the owner
-- can write claimed_by, so no other role gains anything by setting locaria.hot_path.
create or replace trigger _100_change_status
before update on locaria.files
for each row
when (
  old.status is distinct from new.status
  and (
    old.claimed_by is not distinct from new.claimed_by
    or coalesce(current_setting('locaria.hot_path', true), '') <> 'on'
  )
)
execute function locaria.files_change_status();
comment on trigger _100_change_status on locaria.files is
  'Enforces the state machine and writes transitions.';

-- For a row without credentials, the only cost is evaluating the condition.
create or replace trigger _200_hide_credentials
before insert or update of attributes on locaria.files
for each row
when (new.attributes ? 'credentials' or new.attributes -> 'parameters' ? 'credentials')
execute function locaria.hide_credentials();
comment on trigger _200_hide_credentials on locaria.files is
  'Moves credentials to file_credentials, so that files never contains them.';

create or replace trigger _500_notify_change
after update on locaria.files
for each row
when (
  (
    old.claimed_by is not distinct from new.claimed_by
    or coalesce(current_setting('locaria.hot_path', true), '') <> 'on'
  )
  and (
    (old.status, old.run_after, old.priority) is distinct from (new.status, new.run_after, new.priority)
    or old.attributes is distinct from new.attributes
  )
)
execute function locaria.files_notify_change();
comment on trigger _500_notify_change on locaria.files is
  'Notifies watchers of changes by hand; claims and ends of runs notify on their own.';

create or replace trigger _900_dispatch_insert
after insert on locaria.files
referencing new table as inserted_files
for each statement
execute function locaria.files_trigger();
comment on trigger _900_dispatch_insert on locaria.files is
  'Asks for tasks: one dispatch per container, regardless of the number of rows.';

create or replace trigger _900_dispatch_update
after update on locaria.files
for each row
when (
  old.status = new.status and new.claimed_by is null and new.finished is null
  and (new.run_after < old.run_after or new.container is distinct from old.container)
)
execute function locaria.files_request_again();
comment on trigger _900_dispatch_update on locaria.files is
  'Asks for a task when a waiting file may run earlier or in another container.';

create or replace trigger _100_refuse_delete
before delete on locaria.files
for each row
when (old.claimed_by is not null)
execute function locaria.refuse_delete();
comment on trigger _100_refuse_delete on locaria.files is 'Prevents a running run from losing its file.';
