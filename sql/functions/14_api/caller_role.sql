create or replace function locaria.caller_role()
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select case least(m.rank, case coalesce(current_setting('locaria.api_role', true), '')
      when '' then 3 when 'reader' then 1 when 'submitter' then 2 when 'operator' then 3 else 0 end)
    when 1 then 'reader' when 2 then 'submitter' when 3 then 'operator' else 'none' end
  from (
    select case
      when pg_has_role(c.name, 'locaria_operator', 'usage') or pg_has_role(c.name, n.nspowner, 'usage') then 3
      when pg_has_role(c.name, 'locaria_app', 'usage') then 2
      when pg_has_role(c.name, 'locaria_reader', 'usage') then 1
      else 0
    end as rank
    from (values (locaria.caller()::name)) as c (name), pg_namespace n
    where n.nspname = 'locaria'
  ) as m
$$;
comment on function locaria.caller_role() is
  'What the caller may do in the API: reader, submitter, operator or none. By the group roles of the SQL session''s '
  'role, and no more than the identity that api() was given.';
