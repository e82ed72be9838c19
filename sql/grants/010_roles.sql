-- Group roles without login; grant them to logins. They belong to the cluster, so they may be there already.
do $$
declare
  v_role text;
begin
  foreach v_role in array array['locaria_app', 'locaria_loader', 'locaria_reader', 'locaria_operator', 'locaria_web',
    'locaria_events'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then
          null; -- Another database's installation was quicker.
        when insufficient_privilege then
          raise exception using errcode = '42501',
            message = format('role %s is missing and %s may not create roles', v_role, current_user),
            hint = format('Have an administrator run: create role %s nologin', v_role);
      end;
    end if;
  end loop;
end
$$;
