create or replace function locaria.in_words(p_interval interval)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_interval < '2 minutes' then round(extract(epoch from p_interval)) || ' s'
    when p_interval < '2 hours' then round(extract(epoch from p_interval) / 60) || ' min'
    when p_interval < '2 days' then round(extract(epoch from p_interval) / 3600) || ' h'
    else round(extract(epoch from p_interval) / 86400) || ' days'
  end
$$;
comment on function locaria.in_words(interval) is 'Formats a duration for people: 95 s, 12 min, 3 h.';
