create or replace function locaria.get_default_schema()
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select parameter -> 'schemas' ->> 0 from locaria.parameters where parameter_name = 'publish_config'), 'public'
  )
$$;
comment on function locaria.get_default_schema() is
  'The schema of target tables given without one: the first in publish_config.schemas.';
