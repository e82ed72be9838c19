create or replace function locaria.list_phases()
returns table (
  phase text,
  kind text
)
language sql
immutable
rows 11
set search_path = pg_catalog, pg_temp
as $$
  values
    ('queued', 'requested'),
    ('scheduled', 'requested'),
    ('held', 'requested'),
    ('dispatched', 'requested'),
    ('starting', 'requested'),
    ('running', 'processing'),
    ('retrying', 'requested'),
    ('done', 'done'),
    ('failed', 'failed'),
    ('cancelled', 'cancelled'),
    ('deleted', 'deleted')
$$;
comment on function locaria.list_phases() is 'The phases that get_phase returns, each with its kind of status.';
