-- In the order in which they fire. The first two leave out claims and ends of runs: those change claimed_by in the
-- same update, and are written by functions that know the rules and say locaria.hot_path. A change by hand is looked
-- at even when it changes claimed_by, too; a session that says hot_path by itself gains nothing by it.
create or replace trigger _100_guard
before update on locaria.files
for each row
when (
  old.status is distinct from new.status
  and (old.claimed_by is not distinct from new.claimed_by or coalesce(current_setting('locaria.hot_path', true), '') <> 'on')
)
execute function locaria.files_guard();
comment on trigger _100_guard on locaria.files is 'Holds the state machine.';

create or replace trigger _500_record
after update on locaria.files
for each row
when (
  old.status is distinct from new.status
  and (old.claimed_by is not distinct from new.claimed_by or coalesce(current_setting('locaria.hot_path', true), '') <> 'on')
)
execute function locaria.files_record();
comment on trigger _500_record on locaria.files is 'Writes transitions.';

create or replace trigger _900_dispatch_insert
after insert on locaria.files
referencing new table as inserted_files
for each statement
execute function locaria.files_trigger();
comment on trigger _900_dispatch_insert on locaria.files is 'Asks for tasks: one dispatch per container, however many rows.';

create or replace trigger _900_dispatch_update
after update on locaria.files
referencing old table as files_before new table as files_after
for each statement
when (coalesce(current_setting('locaria.hot_path', true), '') <> 'on')
execute function locaria.files_update_trigger();
comment on trigger _900_dispatch_update on locaria.files is 'Asks for tasks for files that are requested again. Claims and ends of runs pass by.';
