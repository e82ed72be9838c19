create or replace function locaria.open_circuit(
  p_function_arn text,
  p_error text,
  p_first_pause interval default null
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_first interval := coalesce(p_first_pause, make_interval(
    secs => locaria.get_parameter('dispatch_config', 'retry_first_s', '2')::double precision
  ));
  v_most interval := make_interval(
    secs => locaria.get_parameter('dispatch_config', 'retry_most_s', '300')::double precision
  );
begin
  -- Transactions that fail at the same time don't wait for the row: one record of the failure is enough, and
  -- two commits that wait for each other's circuits would deadlock.
  if not pg_try_advisory_xact_lock(4242002, hashtext(p_function_arn)) then
    return;
  end if;
  insert into locaria.circuits as c (function_arn, opened, retry_at, error)
  values (p_function_arn, v_now, v_now + v_first, p_error)
  on conflict (function_arn) do update
  set failures = c.failures + 1,
    retry_at = v_now + least(greatest(v_first, '1 second') * (2 ^ least(c.failures, 12)), greatest(v_most, v_first)),
    error = excluded.error;
end
$$;
comment on function locaria.open_circuit(text, text, interval) is
  'Records a failing Lambda function: commits do not call it until tick() has tried it again, with doubling pauses.';
