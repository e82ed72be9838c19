create or replace function locaria.parse_time(p_time text)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $$
begin
  return p_time::timestamptz;
exception when invalid_datetime_format or datetime_field_overflow or invalid_parameter_value then
  return null;
end
$$;
comment on function locaria.parse_time(text) is 'A time, in UTC unless it names a zone; null where the text is none.';
