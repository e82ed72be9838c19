create or replace function locaria.list_file_conditions(p_request jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.statement_clock();
  v_conditions text := 'true';
  v_statuses text[];
begin
  if p_request ? 'status' then
    v_statuses := array(select jsonb_array_elements_text(case jsonb_typeof(p_request -> 'status') when 'array' then p_request -> 'status' else jsonb_build_array(p_request -> 'status') end));
    -- What follows from the kind of a status is said as well, because the partial indexes of files speak of that.
    select v_conditions || format(' and f.status = any (%L)', v_statuses)
      || case when bool_and(s.kind = 'requested') then ' and f.claimed_by is null and f.finished is null'
        when bool_and(s.kind = 'processing') then ' and f.claimed_by is not null'
        when bool_and(s.kind in ('done', 'failed', 'cancelled', 'deleted')) then ' and f.finished is not null' else '' end
    into v_conditions
    from locaria.statuses s where s.status = any (v_statuses);
    v_conditions := coalesce(v_conditions, 'false');
  end if;
  if p_request ? 'phase' then
    select v_conditions || ' and (' || coalesce(string_agg(case
      when p.phase = 'running' then 'f.claimed_by is not null'
      when p.phase in ('done', 'failed', 'cancelled', 'deleted') then
        format('f.finished is not null and f.status = any (%L)', array(select s.status from locaria.statuses s where s.kind = p.phase))
      else 'f.claimed_by is null and f.finished is null and ' || case p.phase
        when 'held' then 'f.run_after = ''infinity'''
        when 'scheduled' then format('f.run_after > %L and f.run_after < ''infinity'' and f.attempts = 0', v_now)
        when 'retrying' then format('f.run_after > %L and f.run_after < ''infinity'' and f.attempts > 0', v_now)
        else format('f.run_after <= %L and coalesce(f.container, (select s.container from locaria.statuses s where s.status = f.status)) = any (%L)', v_now,
          array(select c.name from locaria.containers c where locaria.get_due_phase(c.name) = p.phase))
      end
    end, ' or '), 'false') || ')'
    into v_conditions
    from jsonb_array_elements_text(case jsonb_typeof(p_request -> 'phase') when 'array' then p_request -> 'phase' else jsonb_build_array(p_request -> 'phase') end) as p (phase);
  end if;
  if p_request ? 'container' then
    v_conditions := v_conditions || format(case when locaria.get_asked_container(p_request ->> 'container') is null
      then ' and f.container = %L' else ' and (f.container = %L or f.container is null)' end, p_request ->> 'container');
  end if;
  return v_conditions;
end
$$;
comment on function locaria.list_file_conditions(jsonb) is 'What get_files asks for, as conditions on files f that indexes can serve.';
