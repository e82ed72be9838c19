create or replace function locaria.list_secrets(p_file bigint)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select array_agg(s.secret order by length(s.secret) desc, s.secret)
  from (
    select distinct f.form as secret
    from locaria.file_credentials k,
      jsonb_path_query(k.credentials, 'strict $.** ? (@.type() == "string")') as v (value),
      -- As it is, and as it is escaped within JSON.
      unnest(array[v.value #>> '{}', substr(v.value::text, 2, length(v.value::text) - 2)]) as f (form)
    where k.file_id = p_file and length(v.value #>> '{}') >= 4
      -- The name in {"secret": name} or {"environment": name} is not secret: an error must show which one is missing.
      and not (
        k.credentials in (jsonb_build_object('secret', v.value), jsonb_build_object('environment', v.value))
        and v.value #>> '{}' ~ '^[A-Za-z0-9/_+=.@:-]+$'
      )
  ) as s
$$;
comment on function locaria.list_secrets(bigint) is
  'The strings of at least four characters in the credentials of a file, longest first; null if there are none. '
  'Removed from everything that its runs report.';
