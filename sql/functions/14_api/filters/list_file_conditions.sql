create or replace function locaria.list_file_conditions(p_request jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_conditions text := 'true';
begin
  if p_request ? 'status' then
    v_conditions := v_conditions || ' and ' || locaria.get_status_condition(locaria.list_texts(p_request -> 'status'));
  end if;
  if p_request ? 'phase' then
    v_conditions := v_conditions
      || format(' and (%s)', locaria.get_phase_condition(locaria.list_texts(p_request -> 'phase')));
  end if;
  if p_request ? 'container' then
    v_conditions := v_conditions || format(
      case
        when locaria.get_asked_container(p_request ->> 'container') is null then ' and f.container = %L'
        else ' and (f.container = %L or f.container is null)'
      end,
      p_request ->> 'container'
    );
  end if;
  return v_conditions;
end
$$;
comment on function locaria.list_file_conditions(jsonb) is
  'The filters status, phase and container of a request, as conditions on files f that indexes can serve.';
