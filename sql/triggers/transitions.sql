create or replace trigger _100_refuse_change
before update or delete on locaria.transitions
for each row
execute function locaria.refuse_change();
comment on trigger _100_refuse_change on locaria.transitions is 'Append-only.';

create or replace trigger _100_refuse_truncate
before truncate on locaria.transitions
for each statement
execute function locaria.refuse_change();
comment on trigger _100_refuse_truncate on locaria.transitions is 'Append-only.';
