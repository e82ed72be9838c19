create or replace function locaria.refuse_delete()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'LC009',
    message = format('file %s is being worked on and can''t be removed', old.id),
    hint = format('First: select * from locaria.cancel(%s)', old.id);
end
$$;
comment on function locaria.refuse_delete() is 'Keeps a file while a run works on it.';
