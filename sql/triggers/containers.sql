create or replace trigger _100_set_defaults
before insert or update of parameters, parameter_schema, defaults on locaria.containers
for each row
execute function locaria.set_defaults();
comment on trigger _100_set_defaults on locaria.containers is
  'Validates the published parameters and derives the defaults.';

create or replace trigger _500_record_change
after update on locaria.containers
for each row
when (old.paused is distinct from new.paused)
execute function locaria.record_container_change();
comment on trigger _500_record_change on locaria.containers is
  'Records who paused or resumed the container; clients cannot bypass it.';
