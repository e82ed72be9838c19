-- "create or replace" does not work for constraint triggers.
drop trigger if exists _900_decide on locaria.dispatches;
create constraint trigger _900_decide
after insert on locaria.dispatches
deferrable initially deferred
for each row
execute function locaria.decide_dispatch();
comment on trigger _900_decide on locaria.dispatches is
  'At commit, when all rows of the transaction exist: decides whether to start a task. Does not fire for a '
  'transaction that is rolled back.';
