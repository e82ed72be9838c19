create or replace view locaria.log as
select m.id, m.file_id, m.run_id, m.at, m.level, m.stage, m.message
from locaria.log_messages m;
comment on view locaria.log is
  'What did the runs of a file log? Example: select at, level, message from locaria.log where file_id = 17 order by '
  'id. Stable: columns are only added.';
