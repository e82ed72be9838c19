create or replace trigger _100_refuse_change
before update or delete on locaria.container_changes
for each row
execute function locaria.refuse_change();
comment on trigger _100_refuse_change on locaria.container_changes is 'Append-only.';

create or replace trigger _100_refuse_truncate
before truncate on locaria.container_changes
for each statement
execute function locaria.refuse_change();
comment on trigger _100_refuse_truncate on locaria.container_changes is 'Append-only.';
