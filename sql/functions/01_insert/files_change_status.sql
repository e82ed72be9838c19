create or replace function locaria.files_change_status()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_from text;
  v_to text;
  v_container text;
  v_known boolean;
begin
  select a.kind, b.kind, coalesce(new.container, b.container), c.name is not null
  into v_from, v_to, v_container, v_known
  from locaria.statuses a
  left join locaria.statuses b on b.status = new.status
  left join locaria.containers c on c.name = coalesce(new.container, b.container)
  where a.status = old.status;
  if v_to is null then
    raise exception using errcode = 'LC005',
      message = format('files.status: "%s" is not a status', new.status),
      hint = 'Statuses: ' || (select string_agg(status, ', ' order by status) from locaria.statuses);
  end if;
  if v_to = 'processing' or not exists (
    select from locaria.status_transitions where from_kind = v_from and to_kind = v_to
  ) then
    raise exception using errcode = 'LC003',
      message = format('file %s can''t go from %s to %s', old.id, old.status, new.status),
      hint = case
        when v_to = 'processing' then 'Only a task that claims the file sets FARGATE_PROCESSING.'
        else 'From ' || old.status || ' it can go to: ' || coalesce((
          select string_agg(s.status, ', ' order by s.status)
          from locaria.status_transitions t join locaria.statuses s on s.kind = t.to_kind
          where t.from_kind = v_from and t.to_kind <> 'processing'
        ), 'nowhere')
      end;
  end if;
  new.last_update := v_now;
  insert into locaria.transitions (file_id, at, from_status, to_status, run_id, by_user, reason)
  values (
    old.id, v_now, old.status, new.status, old.claimed_by, locaria.actor(),
    nullif(current_setting('locaria.reason', true), '')
  );
  if old.claimed_by is not null then
    -- The status was changed by hand while a run is alive: that run loses the file at once.
    new.claimed_by := null;
    perform locaria.close_run(old.claimed_by, 'overridden', new.status, null,
      format('status set to %s by %s', new.status, locaria.actor()), null);
  end if;
  if v_to = 'requested' then
    perform locaria.check_requested(new.status, v_to, v_container, v_known);
    perform locaria.request_dispatch(v_container, 'update');
    new.finished := null;
    new.attempts := 0;
    new.last_error := null;
    if new.run_after = old.run_after then
      new.run_after := locaria.statement_clock();
    end if;
  else
    new.finished := v_now;
    if v_to = 'deleted' then
      delete from locaria.file_credentials where file_id = new.id;
    end if;
  end if;
  return new;
end
$$;
comment on function locaria.files_change_status() is
  'Enforces the state machine when files.status is changed by hand (LC003, LC005): records the transition, ends '
  'the run that owns the file, and asks for a task if the file is requested again.';
