create or replace function locaria.count_finished(
  p_minute timestamptz,
  out done bigint,
  out failed bigint
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(n.files) filter (where s.kind = 'done'), 0)::bigint,
    coalesce(sum(n.files) filter (where s.kind = 'failed'), 0)::bigint
  from (
    select f.status, count(*) as files from locaria.files f
    where f.finished is not null and f.finished >= p_minute and f.finished < p_minute + interval '1 minute'
      group by f.status
  ) as n
  join locaria.statuses s on s.status = n.status
$$;
comment on function locaria.count_finished(timestamptz) is
  'How many files came to rest in a minute, by its first instant.';
