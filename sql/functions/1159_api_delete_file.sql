create or replace function locaria.api_delete_file(p_request jsonb)
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
begin
  select l.refusal into v_refusal from locaria.lock_own_file(v_id, 'delete') as l;
  if v_refusal is not null then
    return v_refusal;
  end if;
  select * into v_file from locaria.files where id = v_id;
  if v_file.claimed_by is not null then
    return locaria.reply_error(409, format('file %s is being worked on: cancel it first', v_id));
  elsif v_file.status = 'DELETED' then
    return locaria.reply_error(409, format('file %s is DELETED already', v_id));
  end if;
  perform set_config('locaria.reason', 'deleted by ' || locaria.actor(), true);
  update locaria.files set status = 'DELETED' where id = v_id;
  perform set_config('locaria.reason', '', true);
  return jsonb_build_object('container_id', v_id, 'message', 'deleted', 'file', locaria.describe_file(v_id));
end
$$;
comment on function locaria.api_delete_file(jsonb) is 'Method delete_file: marks a file as DELETED; nothing is removed but its credentials. Returns {"container_id", "message", "file"}.';
