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
  v_new text := format('locaria_staging.%I', p_staging);
  v_new_oid regclass := v_new::regclass;
  v_grant record;
  v_index record;
  v_indexes jsonb := '[]';
  v_options text;
begin
  for v_grant in
    select distinct a.grantee from pg_class c, aclexplode(c.relacl) as a where c.oid = v_new_oid and a.grantee <> c.relowner
  loop
    execute format('revoke all on %s from %I', v_new, pg_get_userbyid(v_grant.grantee));
  end loop;
  if p_old is null then
    execute format('grant select on %s to locaria_reader, locaria_loader', v_new);
  else
    execute format('lock table %s in access exclusive mode', p_old);
    if locaria.list_hanging(p_old) is not null then
      perform locaria.refill_table(v_new_oid, p_old);
      return;
    end if;
    for v_grant in
      select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee, a.privilege_type, a.is_grantable
      from pg_class c, aclexplode(c.relacl) as a where c.oid = p_old and a.grantee <> c.relowner
    loop
      execute format('grant %s on %s to %s%s', v_grant.privilege_type, v_new, v_grant.grantee,
        case when v_grant.is_grantable then ' with grant option' else '' end);
    end loop;
    execute format('comment on table %s is %L', v_new, obj_description(p_old, 'pg_class'));
    select array_to_string(reloptions, ', ') into v_options from pg_class where oid = p_old;
    if v_options <> '' then
      execute format('alter table %s set (%s)', v_new, v_options);
    end if;
    -- LIKE has copied the indexes under names of its own: the copies get the names of the originals.
    select coalesce(jsonb_agg(jsonb_build_object('new', n.oid, 'name', o.name)), '[]') into v_indexes
    from locaria.list_indexes(p_old) as o join locaria.list_indexes(v_new_oid) as n using (definition, n);
    execute format('drop table %s', p_old);
  end if;
  execute format('alter table %s set schema %I', v_new, p_schema);
  execute format('alter table %I.%I rename to %I', p_schema, p_staging, p_table);
  for v_index in select (i ->> 'new')::oid::regclass as index, i ->> 'name' as name from jsonb_array_elements(v_indexes) as i loop
    execute format('alter index %s rename to %I', v_index.index, v_index.name);
  end loop;
end
$$;
comment on function locaria.swap_table(text, text, text, regclass) is
  'Puts a staging table in the place of the old one, with its grants, comment, options and names of indexes. Where anything hangs on the old one that would be lost (list_hanging), that stays and gets the new rows.';
