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
  from (select p.phase, sum(p.files) as files from locaria.list_phase_counts(v_count.counts) as p
    group by p.phase) as x;
  select coalesce(jsonb_object_agg(x.container, x.files), '{}') into v_waiting
  from (
    select p.container, sum(p.files) as files from locaria.list_phase_counts(v_count.counts) as p
    join locaria.list_phases() as l on l.phase = p.phase and l.kind = 'requested'
    where p.container is not null
    group by p.container
  ) as x;
  return jsonb_build_object(
    'at', locaria.clock(),
    'counted', v_count.counted,
    'phases', (select jsonb_object_agg(l.phase, 0) from locaria.list_phases() as l) || v_phases,
    'containers', locaria.describe_containers(v_waiting),
    'throughput', locaria.describe_throughput((
      select coalesce(sum((v_phases ->> l.phase)::bigint), 0)::bigint from locaria.list_phases() as l
        where l.kind = 'requested'
    )),
    'health', (select jsonb_agg(jsonb_build_object('check', h."check", 'level', h.level, 'value', h.value, 'advice',
      h.advice, 'fix_sql', h.fix_sql)) from locaria.health h)
  );
end
$$;
comment on function locaria.api_get_overview() is
  'Method get_overview: {"at", "counted", "phases": {phase: files}, "containers": [{"name", "type", "living", '
  '"waiting", …}], "throughput": [{"at", "inserted", "done", "failed", "queue"}] of 60 minutes, "health": […]}.';
