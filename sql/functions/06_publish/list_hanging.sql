create or replace function locaria.list_hanging(p_table regclass)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select string_agg(distinct h.what, ', ')
  from (
    -- Objects because of which DROP fails: views, foreign keys, functions, columns of its row type, child tables.
    select pg_describe_object(d.classid, d.objid, 0) as what
    from pg_depend d
    join pg_class c on c.oid = p_table
    where d.deptype = 'n'
      and (
        d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid
        or d.refclassid = 'pg_type'::regclass and d.refobjid = c.reltype
      )
    union all
    -- Objects that DROP removes silently and that CREATE TABLE (LIKE) does not copy.
    select pg_describe_object('pg_trigger'::regclass, oid, 0) from pg_trigger
    where tgrelid = p_table and not tgisinternal
    union all
    select pg_describe_object('pg_constraint'::regclass, oid, 0) from pg_constraint
    where conrelid = p_table and contype = 'f'
    union all
    select pg_describe_object('pg_policy'::regclass, oid, 0) from pg_policy where polrelid = p_table
    union all
    select pg_describe_object('pg_publication_rel'::regclass, oid, 0) from pg_publication_rel where prrelid = p_table
    union all
    select format('grants on column %s', attname) from pg_attribute where attrelid = p_table and attacl is not null
    union all
    select 'row level security' from pg_class where oid = p_table and relrowsecurity
    union all
    select format('its partitions (%s)', p_table) from pg_class
    where oid = p_table and (relkind = 'p' or relispartition)
    union all
    select format('its owner %s', pg_get_userbyid(relowner)) from pg_class
    where oid = p_table and pg_get_userbyid(relowner) <> current_user
  ) as h
$$;
comment on function locaria.list_hanging(regclass) is
  'The dependent objects and properties that would be lost if another table replaced this one; null if there are '
  'none.';
