create or replace function locaria.check_requested(
  p_status text,
  p_kind text,
  p_container text,
  p_known boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_kind is null then
    raise exception using errcode = 'LC005',
      message = format('files.status: "%s" is not a status', p_status),
      hint = 'Statuses: ' || (select string_agg(status, ', ' order by status) from locaria.statuses);
  elsif p_kind <> 'requested' then
    raise exception using errcode = 'LC003',
      message = format('files.status: a new file can''t be %s', p_status),
      hint = 'Statuses of new files: ' || (
        select string_agg(status, ', ' order by status) from locaria.statuses where kind = 'requested'
      );
  elsif p_container is null or not p_known then
    raise exception using errcode = 'LC004',
      message = format('files.container: there is no container "%s"', p_container),
      hint = 'Containers: ' || coalesce(
        (select string_agg(name, ', ' order by name) from locaria.containers), 'none is registered yet'
      ) || '.';
  end if;
end
$$;
comment on function locaria.check_requested(text, text, text, boolean) is
  'Refuses a requested file with an unknown status (LC005), a status that a new file cannot have (LC003) or an '
  'unknown container (LC004).';
