create or replace function locaria.require_files(p_files bigint[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text := (
    select string_agg(w.id::text, ', ' order by w.id) from unnest(p_files) as w (id)
    where not exists (select from locaria.files f where f.id = w.id)
  );
begin
  if v_missing is not null then
    raise exception using errcode = 'LC008', message = format('there is no file %s', v_missing);
  end if;
end
$$;
comment on function locaria.require_files(bigint[]) is
  'Refuses ids of files that do not exist, so that a caller is not misled. Error: LC008.';
