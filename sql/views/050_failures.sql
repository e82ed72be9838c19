create or replace view locaria.failures as
select
  coalesce(f.container, r.container) as container,
  r.error_kind,
  locaria.error_pattern(f.last_error) as error_pattern,
  count(*) as files,
  min(f.last_update) as first_seen,
  max(f.last_update) as last_seen,
  (array_agg(f.last_error order by f.id desc))[1] as example,
  (array_agg(f.id order by f.id desc))[1:20] as file_ids,
  case
    when count(*) <= 20 then format('select * from locaria.retry(array%s)', to_json(array_agg(f.id order by f.id desc)))
    else format('select * from locaria.retry(locaria.list_failed(%L, %L, %L))', coalesce(f.container, r.container),
      r.error_kind, locaria.error_pattern(f.last_error))
  end as retry_sql
from locaria.files f
left join lateral (
  select * from locaria.runs r where r.file_id = f.id order by r.id desc limit 1
) as r on true
where f.status = 'ERROR'
group by 1, 2, 3;
comment on view locaria.failures is
  'What fails, and why? Files in ERROR, grouped by what their errors have in common, with the statement that runs '
  'all of them again. Stable: columns are only added.';
comment on column locaria.failures.file_ids is 'The newest twenty.';
