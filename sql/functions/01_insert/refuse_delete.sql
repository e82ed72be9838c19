create or replace function locaria.refuse_delete()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'LC009',
    message = format('file %s is being worked on and can''t be deleted', old.id),
    hint = format('Cancel it first: select * from locaria.cancel(%s)', old.id);
end
$$;
comment on function locaria.refuse_delete() is 'Refuses to delete a file while a run works on it (LC009).';
