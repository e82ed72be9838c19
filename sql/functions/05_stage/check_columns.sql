create or replace function locaria.check_columns(
  p_columns jsonb,
  p_like regclass default null
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_column record;
  v_type text;
  v_modifiers text;
  v_checked jsonb := '[]';
  v_names text[] := '{}';
begin
  if jsonb_typeof(p_columns) is distinct from 'array' or jsonb_array_length(p_columns) = 0 then
    raise exception using errcode = 'LC007', message = 'columns: at least one {"name", "type"} is required';
  elsif jsonb_array_length(p_columns) > 1600 then
    raise exception using errcode = 'LC007',
      message = format('columns: %s are given, but a table can have at most 1,600', jsonb_array_length(p_columns));
  end if;
  for v_column in
    select c ->> 'name' as name, coalesce(c ->> 'type', 'text') as type, n
    from jsonb_array_elements(p_columns) with ordinality as e (c, n) order by n
  loop
    if coalesce(v_column.name, '') = '' then
      raise exception using errcode = 'LC007', message = format('columns: column %s has no name', v_column.n);
    elsif octet_length(v_column.name) > 63 then
      raise exception using errcode = 'LC007',
        message = format('columns: the name of column %s, "%s", is longer than 63 bytes',
          v_column.n, left(v_column.name, 80));
    elsif v_column.name in ('tableoid', 'ctid', 'xmin', 'xmax', 'cmin', 'cmax') then
      raise exception using errcode = 'LC007',
        message = format('columns: "%s" is a name that Postgres reserves', v_column.name);
    elsif v_column.name = any (v_names) then
      raise exception using errcode = 'LC007', message = format('columns: "%s" is given twice', v_column.name);
    end if;
    v_names := v_names || v_column.name;
    if p_like is not null then
      select format_type(a.atttypid, a.atttypmod) into v_type
      from pg_attribute a
      where a.attrelid = p_like and a.attname = v_column.name and a.attnum > 0 and not a.attisdropped;
      if not found then
        raise exception using errcode = 'LC007',
          message = format('columns: %s has no column "%s"', p_like, v_column.name),
          hint = 'Columns of the table: ' || (
            select string_agg(attname, ', ' order by attnum) from pg_attribute
            where attrelid = p_like and attnum > 0 and not attisdropped);
      end if;
    else
      begin
        -- numeric(10,2), public.geometry(Point,4326): to_regtype() drops the part in parentheses.
        v_modifiers := substring(v_column.type from '\(([A-Za-z0-9_, -]+)\)\s*$');
        select locaria.format_type_with(t.oid, v_modifiers) into v_type
        from pg_type t where t.oid = to_regtype(v_column.type) and t.typtype not in ('p', 'c');
      exception when syntax_error or undefined_object or feature_not_supported or invalid_parameter_value
        or invalid_text_representation
      then
        v_type := null; -- Some versions of Postgres raise an error where others return null.
      end;
      if v_type is null then
        raise exception using errcode = 'LC007',
          message = format('columns: "%s" has the unknown type "%s"', v_column.name, left(v_column.type, 80));
      end if;
    end if;
    v_checked := v_checked || jsonb_build_object('name', v_column.name, 'type', v_type);
  end loop;
  return v_checked;
end
$$;
comment on function locaria.check_columns(jsonb, regclass) is
  'Validates the columns of a staging table (LC007). With p_like, their types are taken from that table.';
