create or replace function locaria.release_run(
  p_run bigint,
  p_reason text default 'asked to stop'
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_status text := locaria.end_run(p_run, 'released', 'infrastructure', coalesce(p_reason, 'asked to stop'));
begin
  if v_status is null then
    perform locaria.require_run(p_run);
  end if;
  return v_status;
end
$$;
comment on function locaria.release_run(bigint, text) is
  'Gives a file back at once (SIGTERM, Spot interruption): it can be claimed again, and the attempt does not '
  'count. Errors: LC001, LC002, LC008.';
