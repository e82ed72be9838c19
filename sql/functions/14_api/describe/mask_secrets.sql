create or replace function locaria.mask_secrets(
  p_value jsonb,
  p_old jsonb default null,
  p_is_secret boolean default false
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(p_value) = 'object' then
    return coalesce((
      select jsonb_object_agg(e.key, locaria.mask_secrets(e.value, case when jsonb_typeof(p_old) = 'object'
        then coalesce(p_old -> e.key, 'null') else p_old end,
        p_is_secret or e.key ~* '(passw|secret|token|credential|api_?key|access_?key|private_?key|dsn)'))
      from jsonb_each(p_value) as e
    ), '{}');
  elsif jsonb_typeof(p_value) = 'array' then
    return coalesce((
      select jsonb_agg(locaria.mask_secrets(e.value, case when jsonb_typeof(p_old) = 'array'
        then coalesce(p_old -> (e.n - 1)::integer, 'null') else p_old end, p_is_secret) order by e.n)
      from jsonb_array_elements(p_value) with ordinality as e (value, n)
    ), '[]');
  elsif p_old is not null then
    return case when p_is_secret and p_value = '"***"' and jsonb_typeof(p_old) in ('string', 'number') then p_old
      else p_value end;
  elsif p_is_secret and jsonb_typeof(p_value) in ('string', 'number') then
    return '"***"';
  end if;
  return p_value;
end
$$;
comment on function locaria.mask_secrets(jsonb, jsonb, boolean) is
  'A configuration to be shown: texts and numbers below keys that name a secret become ***. With p_old, the other '
  'way round: each *** becomes again what p_old has there.';
