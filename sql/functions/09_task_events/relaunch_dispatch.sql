create or replace function locaria.relaunch_dispatch(
  p_dispatch bigint,
  p_launch integer,
  p_error text,
  p_permanent boolean default false
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_dispatch locaria.dispatches;
  v_max_launches integer;
begin
  -- Only the current launch is repeated, so that late or repeated messages have no effect.
  select * into v_dispatch from locaria.dispatches
  where id = p_dispatch and status = 'invoked' and launch = coalesce(p_launch, launch)
  for update;
  if not found then
    return null;
  end if;
  select max_launches into v_max_launches from locaria.containers where name = v_dispatch.container;
  if p_permanent or v_dispatch.launch >= v_max_launches then
    perform locaria.open_circuit(locaria.get_dispatch_circuit(v_dispatch.container), p_error,
      make_interval(secs => locaria.get_parameter('dispatch_config', 'retry_most_s', '300')::double precision));
    update locaria.dispatches
    set status = 'failed', ended = v_now, next_try = null, failures = failures + 1,
      error = case when p_permanent then '' else format('no task has started in %s launches: ', launch) end || p_error
    where id = p_dispatch;
    return 'failed';
  end if;
  update locaria.dispatches
  set status = 'pending', launch = launch + 1, failures = failures + 1, error = p_error,
    next_try = v_now + make_interval(
      secs => locaria.get_parameter('dispatch_config', 'retry_first_s', '2')::double precision
        * (2 ^ least(launch - 1, 8))
    )
  where id = p_dispatch;
  return 'pending';
end
$$;
comment on function locaria.relaunch_dispatch(bigint, integer, text, boolean) is
  'Repeats a failed launch after a pause, with a new launch number and therefore a new clientToken. A permanent '
  'error, or max_launches failures, ends the dispatch and opens the circuit. Does not count as an attempt of a '
  'file.';
