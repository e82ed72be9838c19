create or replace function locaria.fail_run(
  p_run bigint,
  p_kind text,
  p_error text,
  p_detail text default null,
  p_retry_in interval default null,
  p_exit_code integer default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_status text;
begin
  if p_kind is null
    or p_kind not in ('transient', 'internal', 'infrastructure', 'data', 'config', 'fatal', 'cancelled')
  then
    raise exception using errcode = 'LC007',
      message = format('fail_run: kind "%s" is not one of '
        'transient, internal, infrastructure, data, config, fatal, cancelled', p_kind);
  end if;
  v_status := locaria.end_run(p_run,
    case when p_kind = 'cancelled' then 'cancelled' else 'failed' end,
    p_kind, coalesce(nullif(p_error, ''), 'no reason was given'), p_detail,
    p_kind in ('transient', 'internal', 'infrastructure'), p_retry_in, p_exit_code);
  if v_status is null then
    perform locaria.require_run(p_run);
  end if;
  return v_status;
end
$$;
comment on function locaria.fail_run(bigint, text, text, text, interval, integer) is
  'Ends a run as failed. Kinds transient, internal and infrastructure are retried while attempts are left, after '
  'p_retry_in or the backoff of the container; data, config and fatal end in ERROR, cancelled in CANCELLED. '
  'Returns the new status of the file. Errors: LC001, LC002, LC007, LC008.';
