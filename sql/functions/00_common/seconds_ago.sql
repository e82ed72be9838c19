-- Containers report ages, not times, because their clocks are not trusted.
create or replace function locaria.seconds_ago(
  p_seconds text,
  p_now timestamptz
)
returns timestamptz
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select p_now - make_interval(secs => case
    when p_seconds ~ '^[0-9]{1,4}([.][0-9]{1,9})?$' then least(p_seconds::double precision, 3600)
    else 0
  end)
$$;
comment on function locaria.seconds_ago(text, timestamptz) is
  'Converts an age in seconds reported by a container to a time on the database''s clock, at most one hour ago.';
