create or replace function locaria.ensure_listeners()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_pause interval := make_interval(secs => locaria.get_parameter('dispatch_config', 'retry_most_s',
    '300')::double precision);
  v_container record;
  v_file locaria.files;
  v_kind text;
  v_count integer := 0;
begin
  for v_container in
    select c.name, c.autostart_file from locaria.containers c
    where c.autostart and c.type = 'listener' and not c.paused
    order by c.name
  loop
    select * into v_file from locaria.files where id = v_container.autostart_file;
    select kind into v_kind from locaria.statuses where status = v_file.status;
    -- Running or waiting. Cancelled or deleted: a person stopped it, and only retry() or an INSERT starts it again.
    if v_kind in ('requested', 'processing', 'cancelled', 'deleted') then
      continue;
    elsif locaria.has_listening_file(v_container.name) then
      continue;
    elsif v_kind is null then
      insert into locaria.files (container) values (v_container.name) returning * into v_file;
      update locaria.containers set autostart_file = v_file.id where name = v_container.name;
      v_count := v_count + 1;
    elsif v_file.finished + v_pause <= v_now then
      perform set_config('locaria.reason', 'autostart', true);
      update locaria.files set status = coalesce(
        (select r.requested_status from locaria.runs r where r.file_id = v_file.id order by r.id desc limit 1),
          'REGISTERED')
      where id = v_file.id;
      perform set_config('locaria.reason', '', true);
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end
$$;
comment on function locaria.ensure_listeners() is
  'Sees to it that one file of each container with autostart is alive: inserts it, and runs it again when it has '
  'ended or failed for good, at most every dispatch_config.retry_most_s. One that a person has cancelled or deleted '
  'stays silent until retry(). Returns how many it started.';
