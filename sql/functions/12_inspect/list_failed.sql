create or replace function locaria.list_failed(
  p_container text,
  p_error_kind text,
  p_error_pattern text
)
returns bigint[]
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(f.id order by f.id), '{}')
  from locaria.files f
  left join lateral (
    select r.container, r.error_kind from locaria.runs r where r.file_id = f.id order by r.id desc limit 1
  ) as r on true
  where f.status = 'ERROR' and locaria.error_pattern(f.last_error) = p_error_pattern
    and coalesce(f.container, r.container) is not distinct from p_container and r.error_kind is not distinct
      from p_error_kind
$$;
comment on function locaria.list_failed(text, text, text) is
  'All files of one row of the view failures. Example: select * from '
  'locaria.retry(locaria.list_failed(''file_loader'', ''data'', ''line N: too short'')).';
