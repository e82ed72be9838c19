create or replace function locaria.steer_file(
  p_request jsonb,
  p_what text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id bigint := (p_request ->> 'container_id')::numeric::bigint;
  v_locked record;
  v_file locaria.files;
  v_conflict text;
  v_note text;
begin
  select * into v_locked from locaria.lock_own_file(v_id, p_what);
  if v_locked.refusal is not null then
    return v_locked.refusal;
  end if;
  v_file := v_locked.file;
  v_conflict := case
    when p_what <> 'cancel' and v_file.claimed_by is not null
      then format('file %s is being worked on: cancel it first', v_id)
    when p_what = 'cancel' and v_file.finished is not null
      then format('file %s is %s already: nothing to cancel', v_id, v_file.status)
    when p_what = 'delete' and v_file.status = 'DELETED' then format('file %s is DELETED already', v_id)
    when p_what = 'retry' and v_file.status = 'DELETED' then format('file %s is DELETED, for good: add it anew', v_id)
  end;
  if v_conflict is not null then
    return locaria.reply_error(409, v_conflict);
  end if;
  case p_what
    when 'cancel' then
      select c.note into v_note from locaria.cancel(array[v_id], p_request ->> 'reason') as c;
    when 'retry' then
      select r.note into v_note from locaria.retry(array[v_id], p_request ->> 'reason') as r;
    when 'delete' then
      perform set_config('locaria.reason', 'deleted by ' || locaria.actor(), true);
      update locaria.files set status = 'DELETED' where id = v_id;
      perform set_config('locaria.reason', '', true);
      v_note := 'deleted';
  end case;
  return jsonb_build_object('container_id', v_id, 'message', v_note, 'file', locaria.describe_file(v_id));
end
$$;
comment on function locaria.steer_file(jsonb, text) is
  'What delete_file, cancel_file and retry_file have in common: whose file it is (404, 403), whether its state '
  'allows it (409), the act, and the reply {"container_id", "message", "file"}.';
