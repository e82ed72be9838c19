create or replace trigger _100_set_defaults
before insert or update of parameters, parameter_schema, defaults on locaria.containers
for each row
execute function locaria.set_defaults();
comment on trigger _100_set_defaults on locaria.containers is 'What is published makes sense, and defaults always follow from it.';
