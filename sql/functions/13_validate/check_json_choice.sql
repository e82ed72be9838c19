create or replace function locaria.check_json_choice(
  p_value jsonb,
  p_schema jsonb,
  p_key text,
  p_path text,
  p_defs jsonb,
  p_secret boolean,
  p_depth integer
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rule jsonb := p_schema -> p_key;
  v_branch jsonb;
  v_found jsonb;
  v_errors jsonb := '[]';
  v_fitting integer := 0;
  v_alternatives text[] := '{}';
  v_reason text;
begin
  if p_key = 'if' then
    v_branch := p_schema -> (case when locaria.check_json(p_value, v_rule, p_path, p_defs, p_secret, p_depth) = '[]'
      then 'then' else 'else' end);
    return case when v_branch is null then '[]' else locaria.check_json(p_value, v_branch, p_path, p_defs, p_secret,
      p_depth) end;
  elsif p_key = 'not' then
    return case when locaria.check_json(p_value, v_rule, p_path, p_defs, p_secret, p_depth) = '[]'
      then jsonb_build_array(jsonb_build_object('path', p_path, 'reason',
        coalesce(v_rule ->> 'description', 'is what it must not be'))) else '[]' end;
  end if;
  for v_branch in select b from jsonb_array_elements(v_rule) as e (b) loop
    v_found := locaria.check_json(p_value, v_branch, p_path, p_defs, p_secret, p_depth);
    if v_found = '[]' then
      v_fitting := v_fitting + 1;
    elsif p_key = 'allOf' then
      v_errors := v_errors || v_found;
    else
      v_alternatives := v_alternatives || coalesce(v_branch ->> 'description',
        concat_ws(' ', nullif(v_found -> 0 ->> 'path', p_path), v_found -> 0 ->> 'reason'));
    end if;
  end loop;
  v_reason := case
    when p_key <> 'allOf' and v_fitting = 0 then left(array_to_string(v_alternatives, '; or '), 2000)
    when p_key = 'oneOf' and v_fitting > 1 then format('fits %s of the alternatives, and may fit one only', v_fitting)
  end;
  return case when v_reason is null then v_errors
    else jsonb_build_array(jsonb_build_object('path', p_path, 'reason', v_reason)) end;
end
$$;
comment on function locaria.check_json_choice(jsonb, jsonb, text, text, jsonb, boolean, integer) is
  'The rules of a JSON Schema that combine others: allOf, anyOf, oneOf, not, if/then/else. Where no alternative '
  'fits, the reason names what each lacks.';
