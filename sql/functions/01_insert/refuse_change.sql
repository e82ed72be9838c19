create or replace function locaria.refuse_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'LC009',
    message = format('%I.%I is append-only: %s is refused', tg_table_schema, tg_table_name, lower(tg_op));
end
$$;
comment on function locaria.refuse_change() is
  'Refuses changes to an append-only table, also from its owner (LC009).';
