create or replace function locaria.build_indexes(
  p_table regclass,
  p_like regclass,
  p_wanted jsonb
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_index record;
  v_names text;
begin
  -- Copy the indexes of p_like that enforce no constraint.
  if p_like is not null then
    for v_index in
      select substring(pg_get_indexdef(o.oid) from ' USING .*') as definition
      from locaria.list_indexes(p_like) as o join pg_index x on x.indexrelid = o.oid
      where not x.indisunique and not x.indisexclusion
        and not exists (
          select from pg_attribute a where a.attrelid = p_like and a.attnum = any (x.indkey)
            and not exists (
              select from pg_attribute b
              where b.attrelid = p_table and b.attname = a.attname and b.atttypid = a.atttypid
            )
        )
        and not exists (select from locaria.list_indexes(p_table) as n where n.definition = o.definition and n.n >= o.n)
    loop
      execute format('create index on %s%s', p_table, v_index.definition);
    end loop;
  end if;
  for v_index in
    select e -> 'columns' as columns, coalesce((e ->> 'unique')::boolean, false) as is_unique,
      case e ->> 'method' when 'gist' then 'gist' else 'btree' end as method
    from jsonb_array_elements(p_wanted) as e
  loop
    select string_agg(quote_ident(c), ', ' order by n) into v_names
    from jsonb_array_elements_text(v_index.columns) with ordinality as e (c, n);
    if not exists (
      select from locaria.list_indexes(p_table) as i join pg_index x on x.indexrelid = i.oid
      where i.definition like format('%% USING %s (%s)', v_index.method, v_names)
        and (x.indisunique or not v_index.is_unique)
    ) then
      execute format('create %sindex on %s using %s (%s)',
        case when v_index.is_unique then 'unique ' else '' end, p_table, v_index.method, v_names);
    end if;
  end loop;
end
$$;
comment on function locaria.build_indexes(regclass, regclass, jsonb) is
  'Creates the indexes of p_like that are not constraints, and the wanted ones ([{"columns", "unique", "method": '
  '"btree" | "gist"}]), unless the table already has them.';
