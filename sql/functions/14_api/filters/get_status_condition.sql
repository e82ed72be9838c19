-- Adds what follows from the kind of the statuses, because the partial indexes of files are defined in these terms.
create or replace function locaria.get_status_condition(p_statuses text[])
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select case
    when count(*) = 0 then 'false'
    else format('f.status = any (%L)', array_agg(s.status)) || case
      when bool_and(s.kind = 'requested') then ' and f.claimed_by is null and f.finished is null'
      when bool_and(s.kind = 'processing') then ' and f.claimed_by is not null'
      when bool_and(s.kind not in ('requested', 'processing')) then ' and f.finished is not null'
      else ''
    end
  end
  from locaria.statuses s
  where s.status = any (p_statuses)
$$;
comment on function locaria.get_status_condition(text[]) is
  'A condition on files f that finds the files in one of these statuses, in terms that indexes can serve.';
