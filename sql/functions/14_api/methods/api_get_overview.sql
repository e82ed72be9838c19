create or replace function locaria.api_get_overview()
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
declare
  v_count locaria.file_counts := locaria.count_files();
  v_phases jsonb;
  v_waiting jsonb;
begin
  select coalesce(jsonb_object_agg(x.phase, x.files), '{}') into v_phases
  from (select p.phase, sum(p.files) as files from locaria.list_phase_counts(v_count.counts) as p group by p.phase) as x;
  select coalesce(jsonb_object_agg(x.container, x.files), '{}') into v_waiting
  from (
    select p.container, sum(p.files) as files from locaria.list_phase_counts(v_count.counts) as p
    where p.phase in ('queued', 'dispatched', 'starting', 'scheduled', 'retrying', 'held') and p.container is not null
    group by p.container
  ) as x;
  return jsonb_build_object(
    'at', locaria.clock(),
    'counted', v_count.counted,
    'phases', '{"queued": 0, "scheduled": 0, "held": 0, "dispatched": 0, "starting": 0, "running": 0, "retrying": 0, "done": 0, "failed": 0, "cancelled": 0, "deleted": 0}' || v_phases,
    'containers', locaria.describe_containers(v_waiting),
    'throughput', locaria.describe_throughput((select coalesce(sum((v_phases ->> w)::bigint), 0)::bigint from unnest(array['queued', 'dispatched', 'starting', 'scheduled', 'retrying', 'held']) as w)),
    'health', (select jsonb_agg(jsonb_build_object('check', h."check", 'level', h.level, 'value', h.value, 'advice', h.advice, 'fix_sql', h.fix_sql)) from locaria.health h)
  );
end
$$;
comment on function locaria.api_get_overview() is
  'Method get_overview: {"at", "counted", "phases": {phase: files}, "containers": [{"name", "type", "living", "waiting", …}], "throughput": [{"at", "inserted", "done", "failed", "queue"}] of 60 minutes, "health": […]}.';
