create or replace function locaria.compares_as_text(p_type oid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  -- json, xml and the like have no =; that of an extension's type is not found under a pinned search_path.
  select t.typnamespace <> 'pg_catalog'::regnamespace
    or not exists (select from pg_opclass o join pg_am m on m.oid = o.opcmethod where m.amname = 'btree' and o.opcdefault
      and o.opcintype in (t.oid, case when t.typcategory = 'A' then 'anyarray'::regtype when t.typname in ('varchar') then 'text'::regtype end))
  from pg_type t where t.oid = p_type
$$;
comment on function locaria.compares_as_text(oid) is 'Whether values of a type can only be compared as text.';
