create or replace function locaria.describe_status(
  p_file jsonb,
  p_log_messages jsonb
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object(
    'code', p_file -> 'code',
    'message', case when p_file ->> 'phase' = 'done' then coalesce(p_file ->> 'last_message', p_file ->> 'why')
      else p_file ->> 'why' end,
    'attributes', jsonb_strip_nulls(jsonb_build_object(
      'progress', trunc((p_file ->> 'progress')::numeric) || '%',
      'last_error', p_file -> 'last_error'
    )) || jsonb_build_object('log_messages', coalesce(p_log_messages, '[]')),
    'last_update', to_char((p_file ->> 'last_update')::timestamptz at time zone 'utc', 'DD-MM-YYYY HH24:MI:SS')
  )
$$;
comment on function locaria.describe_status(jsonb, jsonb) is
  'The state of a file as get_container_status returns it, from the result of describe_files.';
