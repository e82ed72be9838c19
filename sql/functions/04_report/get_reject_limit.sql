create or replace function locaria.get_reject_limit(p_run bigint)
returns integer
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    case when f.attributes ->> 'reject_limit' ~ '^[0-9]{1,9}$' then (f.attributes ->> 'reject_limit')::integer end,
    c.reject_limit
  )
  from locaria.runs r
  join locaria.containers c on c.name = r.container
  join locaria.files f on f.id = r.file_id
  where r.id = p_run
$$;
comment on function locaria.get_reject_limit(bigint) is
  'How many rows a run may reject: attributes.reject_limit of the file, otherwise the limit of the container.';
