-- json, xml and some other types have no =. The = of a type in an extension is not found under a pinned search_path.
create or replace function locaria.compares_as_text(p_type oid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select t.typnamespace <> 'pg_catalog'::regnamespace
    or not exists (
      select from pg_opclass o join pg_am m on m.oid = o.opcmethod
      where m.amname = 'btree' and o.opcdefault
        and o.opcintype in (t.oid, case
          when t.typcategory = 'A' then 'anyarray'::regtype when t.typname in ('varchar') then 'text'::regtype
        end)
    )
  from pg_type t where t.oid = p_type
$$;
comment on function locaria.compares_as_text(oid) is 'Whether values of a type can only be compared as text.';
