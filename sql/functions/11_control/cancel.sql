create or replace function locaria.cancel(
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
  v_id bigint;
  v_file locaria.files;
begin
  perform set_config('locaria.reason', coalesce(p_reason, 'cancelled by ' || locaria.actor()), true);
  -- In order of id, so that two cancels of the same files don't deadlock.
  for v_id in select distinct w.id from unnest(p_files) as w (id) order by 1 loop
    -- Lock before reading: a run that ends at this moment would otherwise discard the request.
    select * into v_file from locaria.files f where f.id = v_id for no key update;
    if not found then
      raise exception using errcode = 'LC008', message = format('there is no file %s', v_id);
    elsif v_file.claimed_by is null and v_file.finished is null then
      update locaria.files f set status = 'CANCELLED', last_error = format('cancelled by %s', locaria.actor())
        || coalesce(': ' || nullif(p_reason, ''), '')
      where f.id = v_id;
      return query select v_id, 'CANCELLED', 'cancelled before a task had taken it';
      continue;
    elsif v_file.claimed_by is null then
      return query select v_id, v_file.status, format('nothing to cancel: it is %s already', v_file.status);
      continue;
    end if;
    insert into locaria.run_progress as p (run_id, heartbeat, lease_until, cancel_requested, cancelled_by,
      cancel_reason)
    select r.id, r.started, r.lease_until, locaria.clock(), locaria.actor(), p_reason from locaria.runs r
      where r.id = v_file.claimed_by
    on conflict (run_id) do update
    set cancel_requested = coalesce(p.cancel_requested, excluded.cancel_requested),
      cancelled_by = coalesce(p.cancelled_by, excluded.cancelled_by),
        cancel_reason = coalesce(p.cancel_reason, excluded.cancel_reason);
    perform pg_notify('locaria_cancel', v_file.claimed_by::text);
    if locaria.is_watched() then
      perform locaria.notify_changes(array[v_id]);
    end if;
    return query select v_id, v_file.status, format('run %s is asked to stop', v_file.claimed_by);
  end loop;
  perform set_config('locaria.reason', '', true);
end
$$;
comment on function locaria.cancel(bigint[], text) is
  'Cancels files: waiting ones at once, running ones within seconds (their run is asked to stop; after '
  'containers.cancel_grace it is ended without its help). Nothing of a cancelled load becomes visible. Example: '
  'select * from locaria.cancel(array[17, 18], ''wrong file''). Error: LC008 no such file.';

create or replace function locaria.cancel(
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
as $$ select * from locaria.cancel(array[p_file], p_reason) $$;
comment on function locaria.cancel(bigint, text) is 'Cancels one file. Example: select * from locaria.cancel(17).';
