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
  select n.container, case when n.wait = 'due' then locaria.get_due_phase(n.container) else n.phase end, n.files
  from (
    select coalesce(c.container, s.container) as container, c.wait,
      case s.kind when 'processing' then 'running' when 'requested' then c.wait else s.kind end as phase, sum(c.files)::bigint as files
    from jsonb_to_recordset(p_counts) as c (status text, container text, wait text, files bigint)
    join locaria.statuses s on s.status = c.status
    group by 1, 2, 3
  ) as n
$$;
comment on function locaria.list_phase_counts(jsonb) is 'The counts of file_counts by container and phase. A file that has ended and names no container counts for none.';
