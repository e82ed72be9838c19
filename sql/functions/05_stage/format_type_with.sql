create or replace function locaria.format_type_with(
  p_type oid,
  p_modifiers text
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_function regproc;
  v_modifier integer;
begin
  select nullif(typmodin, 0)::regproc into v_function from pg_type where oid = p_type;
  if p_modifiers is null or v_function is null then
    return format_type(p_type, null);
  end if;
  execute format('select %s(%L::cstring[])', v_function, string_to_array(replace(p_modifiers, ' ', ''), ','))
  into v_modifier;
  return format_type(p_type, v_modifier);
end
$$;
comment on function locaria.format_type_with(oid, text) is
  'Formats a type with its modifiers: numeric and ''10,2'' become numeric(10,2).';
