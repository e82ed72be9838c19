create or replace function locaria.retry(
  p_files bigint[],
  p_reason text default null
)
returns table (
  file_id bigint,
  status text,
  note text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_file record;
begin
  perform set_config('locaria.reason', coalesce(p_reason, 'run again by ' || locaria.actor()), true);
  perform locaria.require_files(p_files);
  -- One statement for all, so that all of them are one dispatch.
  return query
  with wanted as (
    select f.id, f.status, f.finished, f.claimed_by, f.run_after, s.kind, coalesce(
      (select r.requested_status from locaria.runs r where r.file_id = f.id order by r.id desc limit 1),
      (select t.from_status from locaria.transitions t join locaria.statuses q on q.status = t.from_status
        and q.kind = 'requested'
       where t.file_id = f.id order by t.id desc limit 1),
      'REGISTERED'
    ) as requested_status
    from locaria.files f join locaria.statuses s on s.status = f.status
    where f.id = any (p_files)
  ), again as (
    update locaria.files f set status = w.requested_status
    from wanted w
    where f.id = w.id and f.status = w.status and w.kind in ('done', 'failed', 'cancelled')
    returning f.id, f.status
  ), now as (
    update locaria.files f set run_after = locaria.statement_clock()
    from wanted w
    where f.id = w.id and f.status = w.status and w.kind = 'requested' and w.run_after > locaria.clock()
    returning f.id, f.status
  )
  select w.id, coalesce(a.status, n.status, w.status),
    case
      when a.id is not null then 'runs again'
      when n.id is not null then 'runs now instead of later'
      when w.kind = 'requested' then 'waits to be run already'
      when w.kind = 'processing' then 'is being worked on: cancel it first'
      else format('refused: it is %s', w.status)
    end
  from wanted w
  left join again a on a.id = w.id
  left join now n on n.id = w.id
  order by w.id;
  perform set_config('locaria.reason', '', true);
end
$$;
comment on function locaria.retry(bigint[], text) is
  'Runs files again that have ended (with all their attempts), and at once those that wait for a retry. Example, '
  'all that failed today: select * from locaria.retry(array(select id from locaria.files where status = ''ERROR'' '
  'and last_update > current_date)). Error: LC008.';

create or replace function locaria.retry(
  p_file bigint,
  p_reason text default null
)
returns table (
  file_id bigint,
  status text,
  note text
)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$ select * from locaria.retry(array[p_file], p_reason) $$;
comment on function locaria.retry(bigint, text) is 'Runs one file again. Example: select * from locaria.retry(17).';
