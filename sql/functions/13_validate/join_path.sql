create or replace function locaria.join_path(
  p_path text,
  p_key text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when p_key !~ '^[A-Za-z_$][A-Za-z0-9_$-]{0,62}$' then p_path || '['
      || to_json(case when length(p_key) > 60 then left(p_key, 57) || '…' else p_key end)::text || ']'
    when p_path = '' then p_key
    else p_path || '.' || p_key
  end
$$;
comment on function locaria.join_path(text, text) is
  'The path of a key in a JSON document, as people write it: parameters.tags, parameters["a b"].';
