create or replace function locaria.log_run(
  p_run bigint,
  p_messages jsonb
)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_file bigint := locaria.require_run(p_run);
  v_limit integer;
  v_debug boolean;
  v_messages jsonb := p_messages;
  v_secrets text[] := locaria.list_secrets(v_file);
  v_before integer;
  v_count integer;
  v_stored integer := 0;
  v_message record;
begin
  if jsonb_typeof(p_messages) is distinct from 'array' then
    raise exception using errcode = 'LC007',
      message = 'log_run: p_messages must be a JSON array of {"level", "message", "stage"}';
  end if;
  select c.log_limit, f.debug into v_limit, v_debug
  from locaria.runs r
  join locaria.containers c on c.name = r.container
  join locaria.files f on f.id = r.file_id
  where r.id = p_run;
  if not v_debug and p_messages @> '[{"level": "debug"}]' then
    v_messages := coalesce((
      select jsonb_agg(m order by n) from jsonb_array_elements(p_messages) with ordinality as e (m, n)
      where m ->> 'level' is distinct from 'debug'
    ), '[]');
  end if;
  v_count := jsonb_array_length(v_messages);
  insert into locaria.run_progress as p (run_id, heartbeat, lease_until, log_messages)
  select p_run, v_now, r.lease_until, v_count from locaria.runs r where r.id = p_run
  on conflict (run_id) do update set log_messages = p.log_messages + v_count
  returning p.log_messages - v_count into v_before;
  for v_message in
    select coalesce(m ->> 'level', 'info') as level, m ->> 'stage' as stage,
      coalesce(m ->> 'message', '') as message,
      locaria.seconds_ago(m ->> 'ago', v_now) as at
    from jsonb_array_elements(v_messages) with ordinality as e (m, n)
    where v_before + n <= v_limit
    order by n
  loop
    perform locaria.add_log_message(v_file, p_run,
      case when v_message.level in ('debug', 'info', 'warning', 'error') then v_message.level else 'info' end,
      locaria.hide_secrets(v_message.stage, v_secrets), locaria.hide_secrets(v_message.message, v_secrets),
      v_message.at);
    v_stored := v_stored + 1;
  end loop;
  if v_before <= v_limit and v_before + v_count > v_limit then
    perform locaria.add_log_message(v_file, p_run, 'warning', null,
      format('log_limit of %s messages reached: further messages of this run are not kept here', v_limit), v_now);
  end if;
  if v_stored > 0 and locaria.is_watched() then
    perform locaria.notify_changes(array[v_file]);
  end if;
  return v_stored;
end
$$;
comment on function locaria.log_run(bigint, jsonb) is
  'Adds messages, [{"level", "message", "stage", "ago"}], to the log of a run. Messages of level debug are kept '
  'only if files.debug is set; messages beyond containers.log_limit are dropped, with one warning. Returns how '
  'many were kept. Errors: LC001, LC002, LC007, LC008.';
