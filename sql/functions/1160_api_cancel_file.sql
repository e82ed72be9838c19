create or replace function locaria.api_cancel_file(p_request jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id bigint := (p_request ->> 'container_id')::numeric::bigint;
  v_refusal jsonb;
  v_file locaria.files;
  v_note text;
begin
  select l.refusal into v_refusal from locaria.lock_own_file(v_id, 'cancel') as l;
  if v_refusal is not null then
    return v_refusal;
  end if;
  select * into v_file from locaria.files where id = v_id;
  if v_file.finished is not null then
    return locaria.reply_error(409, format('file %s is %s already: nothing to cancel', v_id, v_file.status));
  end if;
  select c.note into v_note from locaria.cancel(array[v_id], p_request ->> 'reason') as c;
  return jsonb_build_object('container_id', v_id, 'message', v_note, 'file', locaria.describe_file(v_id));
end
$$;
comment on function locaria.api_cancel_file(jsonb) is 'Method cancel_file: see cancel(). Returns {"container_id", "message", "file"}.';
