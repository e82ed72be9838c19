create or replace function locaria.swap_table(
  p_staging text,
  p_schema text,
  p_table text,
  p_old regclass
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_target text := format('%I.%I', p_schema, p_table);
  v_new text := format('locaria_staging.%I', p_staging);
  v_grant record;
  v_dependents text;
begin
  execute format('revoke all on %s from %I', v_new, session_user);
  if p_old is not null then
    execute format('lock table %s in access exclusive mode', p_old);
    select string_agg(distinct pg_describe_object(d.classid, d.objid, 0), ', ') into v_dependents
    from pg_depend d
    join pg_rewrite w on w.oid = d.objid and d.classid = 'pg_rewrite'::regclass
    where d.refobjid = p_old and d.refclassid = 'pg_class'::regclass and w.ev_class <> p_old;
    if v_dependents is not null
      or exists (select from pg_constraint where confrelid = p_old and conrelid <> p_old) then
      -- Views or foreign keys hang on the old table: it stays, with new contents.
      execute format('delete from %s', p_old);
      execute format('insert into %s select * from %s', p_old, v_new);
      execute format('drop table %s', v_new);
      return;
    end if;
    for v_grant in
      select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee, a.privilege_type, a.is_grantable
      from pg_class c, aclexplode(c.relacl) as a where c.oid = p_old and a.grantee <> c.relowner
    loop
      execute format('grant %s on %s to %s%s', v_grant.privilege_type, v_new, v_grant.grantee,
        case when v_grant.is_grantable then ' with grant option' else '' end);
    end loop;
    execute format('drop table %s', p_old);
  else
    execute format('grant select on %s to locaria_reader', v_new);
  end if;
  execute format('alter table %s set schema %I', v_new, p_schema);
  execute format('alter table %I.%I rename to %I', p_schema, p_staging, p_table);
exception
  when datatype_mismatch or syntax_error or undefined_column then
    raise exception using errcode = 'LC009',
      message = format('table: %s has other columns now, and other objects hang on it: %s', v_target, coalesce(v_dependents, 'foreign keys')),
      hint = 'Drop those objects, or load under another name.';
end
$$;
comment on function locaria.swap_table(text, text, text, regclass) is
  'Puts a staging table in the place of the old one, with its grants. Where views or foreign keys hang on the old one, that stays and gets the new rows.';
