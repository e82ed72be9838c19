create or replace function locaria.describe_files(
  p_files bigint[],
  p_short boolean default false
)
returns table (
  id bigint,
  file jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set plan_cache_mode = force_generic_plan
as $$
begin
  -- One plan for all: planning this view takes longer than reading a file through it.
  return query
  select s.file_id, jsonb_build_object(
    'container_id', s.file_id,
    'container', s.container,
    'status', s.state,
    'phase', s.phase,
    'code', s.code,
    'why', s.why,
    'progress', round(s.percent, 1),
    'stage', s.stage,
    'priority', s.priority,
    'attempts', s.attempt,
    'max_attempts', s.max_attempts,
    'created', s.queued_at,
    'last_update', s.last_update,
    'started', s.started_at,
    'finished', s.finished_at,
    'run_after', s.run_after,
    'rows_done', s.rows_done,
    'rows_total', s.rows_total,
    'rows_rejected', s.rows_rejected,
    'bytes_done', s.bytes_done,
    'bytes_total', s.bytes_total,
    'rate_per_s', s.rate_per_s,
    'eta', s.eta,
    'last_message', s.last_message,
    'last_error', s.last_error,
    'submitted_by', s.submitted_by,
    'endpoint', s.endpoint,
    'command', s.command,
    'attributes', case when not p_short or length(s.attributes::text) <= 4000 then s.attributes else coalesce((
      select jsonb_object_agg(e.key, e.value) from jsonb_each(s.attributes) as e where length(e.value::text) <= 200
        and length(e.key) <= 100
    ), '{}') end
  )
  from locaria.status s
  where s.file_id = any (p_files);
end
$$;
comment on function locaria.describe_files(bigint[], boolean) is
  'Files as the API shows them; times in ISO 8601, UTC. p_short: of attributes that are large only those keys whose '
  'value is short.';
