create or replace function locaria.has_listening_file(p_container text)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from locaria.files f join locaria.runs r on r.id = f.claimed_by
    where f.claimed_by is not null and r.container = p_container and not f.attributes ? 'command'
  ) or exists (
    select from locaria.files f
    where coalesce(f.container, f.status) = any (locaria.queue_keys(p_container)) and f.claimed_by is null
      and f.finished is null
      and not f.attributes ? 'command'
  )
$$;
comment on function locaria.has_listening_file(text) is 'Whether a file of a listener waits to listen, or does.';
