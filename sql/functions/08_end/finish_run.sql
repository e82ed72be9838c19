create or replace function locaria.finish_run(
  p_run bigint,
  p_message text default null,
  p_result jsonb default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_secrets text[];
begin
  if cardinality(locaria.finish_runs(array[p_run])) = 0 then
    -- A repeated call, because the reply to the first one was lost, is not an error.
    perform from locaria.runs where id = p_run and outcome = 'succeeded';
    if not found then
      perform locaria.require_run(p_run);
    end if;
    return;
  end if;
  if p_message is not null or p_result is not null then
    select locaria.list_secrets(file_id) into v_secrets from locaria.runs where id = p_run;
    update locaria.runs
    set message = coalesce(left(locaria.hide_secrets(p_message, v_secrets), 10000), message),
      result = coalesce(result, '{}') || coalesce(locaria.hide_json_secrets(p_result, v_secrets), '{}')
    where id = p_run;
  end if;
end
$$;
comment on function locaria.finish_run(bigint, text, jsonb) is
  'Ends a run as succeeded. In one transaction with publish_staging, data and outcome become visible together. Can '
  'be called twice. Errors: LC001 lease lost, LC008 no such run.';
