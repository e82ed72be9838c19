create or replace function locaria.refill_table(
  p_new regclass,
  p_old regclass
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_new_columns text;
  v_old_columns text;
  v_key record;
  v_is_referred_to boolean;
begin
  select string_agg(quote_ident(attname), ', ' order by attname) into v_new_columns
  from pg_attribute where attrelid = p_new and attnum > 0 and not attisdropped and attgenerated = '';
  select string_agg(quote_ident(attname), ', ' order by attname) into v_old_columns
  from pg_attribute where attrelid = p_old and attnum > 0 and not attisdropped and attgenerated = '';
  if v_new_columns is distinct from v_old_columns then
    raise exception using errcode = 'LC009',
      message = format('table: %s has different columns now, and it can''t be replaced because of: %s',
        p_old, locaria.list_hanging(p_old)),
      hint = 'Drop these objects, or load under another name.';
  elsif (select relforcerowsecurity from pg_class where oid = p_old) then
    raise exception using errcode = 'LC009',
      message = format('table: %s hides rows from its owner (force row level security)', p_old),
      hint = 'Load under another name.';
  end if;
  -- Deleting rows that other tables refer to would fail or, worse, cascade to their rows.
  for v_key in
    select k.conrelid::regclass as referrer, string_agg(format('%I is not null', a.attname), ' and ') as condition
    from pg_constraint k
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
    where k.confrelid = p_old and k.conrelid <> p_old and k.contype = 'f'
    group by k.oid, k.conrelid
  loop
    execute format('select exists (select from %s where %s)', v_key.referrer, v_key.condition) into v_is_referred_to;
    if v_is_referred_to then
      raise exception using errcode = 'LC009',
        message = format('table: rows of %s refer to %s by a foreign key, so its rows can''t be replaced',
          v_key.referrer, p_old),
        hint = 'Drop the foreign key, or load under another name.';
    end if;
  end loop;
  execute format('delete from %s', p_old);
  execute format('insert into %s (%s) overriding system value select %s from %s',
    p_old, v_old_columns, v_old_columns, p_new);
  execute format('drop table %s', p_new);
end
$$;
comment on function locaria.refill_table(regclass, regclass) is
  'Replaces the rows of a table that has dependent objects by those of a staging table, matching columns by name. '
  'Error: LC009 different columns, or rows of other tables refer to it.';
