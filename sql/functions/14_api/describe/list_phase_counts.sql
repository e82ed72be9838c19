create or replace function locaria.list_phase_counts(p_counts jsonb)
returns table (
  container text,
  phase text,
  files bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select n.container, case when n.phase = 'due' then locaria.get_due_phase(n.container) else n.phase end, n.files
  from (
    select coalesce(c.container, s.container) as container, c.phase, sum(c.files)::bigint as files
    from jsonb_to_recordset(p_counts) as c (status text, container text, phase text, files bigint)
    join locaria.statuses s on s.status = c.status
    group by 1, 2
  ) as n
$$;
comment on function locaria.list_phase_counts(jsonb) is
  'The counts of file_counts by container and phase. A file that has ended and names no container has container '
  'null.';
