create or replace function locaria.get_listener_pause(
  p_file bigint,
  p_backoff interval,
  p_retry_in interval
)
returns interval
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  select case
    when count(*) = 0 then coalesce(p_retry_in, p_backoff)
    else greatest(p_retry_in, least(p_backoff * (2 ^ least(count(*), 20)), '1 hour'))
  end
  from locaria.runs r
  where r.file_id = p_file and r.ended > locaria.clock() - interval '1 hour'
    and r.outcome not in ('released', 'cancelled')
$$;
comment on function locaria.get_listener_pause(bigint, interval, interval) is
  'How long a listener that died waits before it is started again: the backoff, doubled for each death of the last '
  'hour, an hour at most. Its attempts are not counted.';
