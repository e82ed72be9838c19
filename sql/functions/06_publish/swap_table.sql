create or replace function locaria.swap_table(
  p_staging text,
  p_schema text,
  p_table text,
  p_old regclass,
  p_kept text default null
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
  if exists (
    select from pg_attribute where attrelid = v_new_oid and attname = '_load_run' and atthasdef and not attisdropped
  ) then
    execute format('alter table %s alter column _load_run drop default', v_new);
  end if;
  for v_grant in
    select distinct a.grantee from pg_class c, aclexplode(c.relacl) as a
    where c.oid = v_new_oid and a.grantee <> c.relowner
  loop
    execute format('revoke all on %s from %I', v_new, pg_get_userbyid(v_grant.grantee));
  end loop;
  if p_old is null then
    execute format('grant select on %s to locaria_reader, locaria_loader', v_new);
  else
    execute format('lock table %s in access exclusive mode', p_old);
    perform locaria.build_indexes(v_new_oid, p_old, '[]');
    if locaria.list_hanging(p_old) is not null then
      if p_kept is not null then
        execute format('create table locaria_staging.%I (like %s including all)', p_kept, p_old);
        execute format('insert into locaria_staging.%I select * from %s', p_kept, p_old);
      end if;
      perform locaria.refill_table(v_new_oid, p_old);
      return;
    end if;
    for v_grant in
      select case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end as grantee,
        a.privilege_type, a.is_grantable
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
    -- LIKE and build_indexes have copied the indexes under new names; give the copies the names of the originals.
    select coalesce(jsonb_agg(jsonb_build_object('new', n.oid, 'name', o.name)), '[]') into v_indexes
    from locaria.list_indexes(p_old) as o join locaria.list_indexes(v_new_oid) as n using (definition, n);
    if p_kept is null then
      execute format('drop table %s', p_old);
    else
      -- Rename the old indexes, so that the new ones can have their names.
      for v_index in select i.oid::regclass as index, i.oid from locaria.list_indexes(p_old) as i loop
        execute format('alter index %s rename to %I', v_index.index, 'before_' || v_index.oid);
      end loop;
      execute format('alter table %s set schema locaria_staging', p_old);
      execute format('alter table locaria_staging.%I rename to %I', p_table, p_kept);
    end if;
  end if;
  execute format('alter table %s set schema %I', v_new, p_schema);
  execute format('alter table %I.%I rename to %I', p_schema, p_staging, p_table);
  for v_index in
    select (i ->> 'new')::oid::regclass as index, i ->> 'name' as name from jsonb_array_elements(v_indexes) as i
  loop
    execute format('alter index %s rename to %I', v_index.index, v_index.name);
  end loop;
  perform locaria.name_indexes(v_new_oid, p_staging);
end
$$;
comment on function locaria.swap_table(text, text, text, regclass, text) is
  'Replaces a table by a staging table, which gets its grants, comment, options and index names. The old table is '
  'kept in locaria_staging as p_kept if that is given. If dependent objects would be lost (list_hanging), the old '
  'table stays and gets the new rows.';
