-- Claims and ends of runs change status and claimed_by in the same update: no condition below holds for
-- them, and none of them names a transition table, so that the hot path pays for no trigger.
create or replace trigger _100_change_status
before update on locaria.files
for each row
when (old.status is distinct from new.status and old.claimed_by is not distinct from new.claimed_by)
execute function locaria.files_change_status();
comment on trigger _100_change_status on locaria.files is 'Holds the state machine, and writes transitions.';

create or replace trigger _900_dispatch_insert
after insert on locaria.files
referencing new table as inserted_files
for each statement
execute function locaria.files_trigger();
comment on trigger _900_dispatch_insert on locaria.files is 'Asks for tasks: one dispatch per container, however many rows.';

create or replace trigger _900_dispatch_update
after update on locaria.files
for each row
when (
  old.status = new.status and new.claimed_by is null and new.finished is null
  and (new.run_after < old.run_after or new.container is distinct from old.container)
)
execute function locaria.files_request_again();
comment on trigger _900_dispatch_update on locaria.files is 'Asks for a task for a waiting file that may run earlier or elsewhere.';
