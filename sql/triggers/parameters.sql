create or replace trigger _500_close_circuits
after insert or update or delete on locaria.parameters
for each statement
execute function locaria.close_circuits();
comment on trigger _500_close_circuits on locaria.parameters is
  'Makes failing dispatches use a changed configuration at once.';
