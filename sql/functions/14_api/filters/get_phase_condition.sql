-- An index can't serve get_phase() itself. So this asks get_phase about one example of each case that a file can be in
-- (kind of status, due time, attempts, phase of its container), and returns the cases that have one of the phases.
create or replace function locaria.get_phase_condition(p_phases text[])
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    string_agg(format('(%s)', concat_ws(' and ', locaria.get_status_condition(k.statuses), c.condition, d.condition)),
      ' or '),
    'false'
  )
  from (select kind, array_agg(status) as statuses from locaria.statuses group by kind) as k
  cross join (select locaria.statement_clock() as now) as t
  left join lateral (
    values
      (t.now, 0, true, format('f.run_after <= %L', t.now)),
      (t.now + interval '1 s', 0, false,
        format('f.run_after > %L and f.run_after < ''infinity'' and f.attempts = 0', t.now)),
      (t.now + interval '1 s', 1, false,
        format('f.run_after > %L and f.run_after < ''infinity'' and f.attempts > 0', t.now)),
      ('infinity', 0, false, 'f.run_after = ''infinity''')
  ) as c (run_after, attempts, is_due, condition) on k.kind = 'requested'
  left join lateral (
    select p.phase, format(
      'coalesce(f.container, (select s.container from locaria.statuses s where s.status = f.status)) = any (%L)',
      array_agg(p.container)
    )
    from locaria.due_phases p where p.phase <> 'queued' group by p.phase
    union all
    -- Also the files whose container is not registered.
    select 'queued', format(
      'coalesce(coalesce(f.container, (select s.container from locaria.statuses s where s.status = f.status)) <> '
        'all (%L), true)',
      array(select p.container from locaria.due_phases p where p.phase <> 'queued')
    )
  ) as d (phase, condition) on c.is_due
  where locaria.get_phase(k.kind, c.run_after, c.attempts, t.now, d.phase) = any (p_phases)
$$;
comment on function locaria.get_phase_condition(text[]) is
  'A condition on files f that finds the files in one of these phases, in terms that indexes can serve.';
