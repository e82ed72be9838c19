create or replace function locaria.list_files(
  p_filters jsonb default '{}',
  p_limit integer default 100
)
returns bigint[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids bigint[] := '{}';
  v_after bigint;
  v_page record;
  v_unknown text;
begin
  if jsonb_typeof(p_filters) is distinct from 'object' or p_filters - array['status', 'phase', 'container'] <> '{}' then
    raise exception using errcode = 'LC007',
      message = format('p_filters must be an object with the keys status, phase, container, not %s', p_filters),
      hint = 'Example: {"phase": "failed", "container": "file_loader"}';
  end if;
  select string_agg(n.phase, ', ') into v_unknown
  from unnest(locaria.list_texts(p_filters -> 'phase')) as n (phase)
  where p_filters ? 'phase' and n.phase not in (select l.phase from locaria.list_phases() as l);
  if v_unknown is not null then
    raise exception using errcode = 'LC007',
      message = format('p_filters: unknown phase %s', v_unknown),
      hint = 'Phases: ' || (select string_agg(l.phase, ', ') from locaria.list_phases() as l);
  end if;
  loop
    select f.ids, f.next into v_page from locaria.find_files(
      locaria.list_file_conditions(p_filters),
      null,
      locaria.get_asked_container(p_filters ->> 'container'),
      v_after,
      null,
      p_limit - cardinality(v_ids)
    ) as f;
    v_ids := v_ids || v_page.ids;
    v_after := v_page.next;
    exit when v_after is null or cardinality(v_ids) >= p_limit;
  end loop;
  return v_ids;
end
$$;
comment on function locaria.list_files(jsonb, integer) is
  'The ids of the newest files that match the filters status, phase (each one text, or an array) and container. '
  'Example: select * from locaria.retry(locaria.list_files(''{"phase": "failed"}'')). Error: LC007.';
