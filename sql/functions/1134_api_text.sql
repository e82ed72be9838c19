create or replace function locaria.api_text(
  p_request text,
  p_identity jsonb default null
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_request jsonb;
begin
  begin
    v_request := p_request::jsonb;
  exception
    when untranslatable_character then
      return locaria.reply_error(400, 'the request holds the character \u0000, which can''t be stored');
    when statement_too_complex then
      return locaria.reply_error(400, 'the request is nested too deeply: at most 40 levels');
    when numeric_value_out_of_range then
      return locaria.reply_error(400, 'the request holds a number that is too large');
    when others then
      return locaria.reply_error(400, 'the request is not JSON');
  end;
  return locaria.api(coalesce(v_request, 'null'), p_identity);
end
$$;
comment on function locaria.api_text(text, jsonb) is 'api() for a request as it came over the wire: what is no JSON, or none that Postgres can hold, is answered, too.';
