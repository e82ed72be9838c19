create or replace function locaria.check_json_rule(
  p_value jsonb,
  p_type text,
  p_size numeric,
  p_key text,
  p_rule jsonb,
  p_secret boolean
)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_key = 'enum' then
    return case when not exists (select from jsonb_array_elements(p_rule) as e (choice) where e.choice = p_value) then
      format('%s is not one of %s', locaria.describe_json(p_value, p_secret),
        left((select string_agg(e.choice::text, ', ') from jsonb_array_elements(p_rule) as e (choice)), 1000)) end;
  elsif p_key = 'const' then
    return case when p_value <> p_rule then format('must be %s, not %s', p_rule,
      locaria.describe_json(p_value, p_secret)) end;
  elsif p_type = 'number' then
    return case
      when p_key = 'minimum' and p_size < p_rule::numeric
        then format('must be at least %s, not %s', p_rule, locaria.describe_json(p_value, p_secret))
      when p_key = 'maximum' and p_size > p_rule::numeric
        then format('must be at most %s, not %s', p_rule, locaria.describe_json(p_value, p_secret))
      when p_key = 'exclusiveMinimum' and p_size <= p_rule::numeric
        then format('must be more than %s, not %s', p_rule, locaria.describe_json(p_value, p_secret))
      when p_key = 'exclusiveMaximum' and p_size >= p_rule::numeric
        then format('must be less than %s, not %s', p_rule, locaria.describe_json(p_value, p_secret))
      when p_key = 'multipleOf' and p_size % p_rule::numeric <> 0
        then format('must be a multiple of %s, not %s', p_rule, locaria.describe_json(p_value, p_secret))
    end;
  elsif p_type = 'string' then
    return case
      when p_key = 'minLength' and p_size < p_rule::numeric then case when p_rule = '1' then 'must not be empty'
        else format('must have at least %s characters, not %s', p_rule, p_size) end
      when p_key = 'maxLength' and p_size > p_rule::numeric
        then format('must have at most %s characters, not %s', p_rule, p_size)
      when p_key = 'pattern' and not (p_value #>> '{}') ~ (p_rule #>> '{}')
        then format('%s does not match the pattern %s', locaria.describe_json(p_value, p_secret), p_rule #>> '{}')
    end;
  elsif p_type = 'array' then
    return case
      when p_key = 'minItems' and p_size < p_rule::numeric
        then format('must have at least %s items, not %s', p_rule, p_size)
      when p_key = 'maxItems' and p_size > p_rule::numeric
        then format('must have at most %s items, not %s', p_rule, p_size)
      when p_key = 'uniqueItems' and p_rule = 'true'
        and p_size <> (select count(distinct i) from jsonb_array_elements(p_value) as e (i)) then 'names one item twice'
    end;
  elsif p_type = 'object' then
    return case
      when p_key = 'minProperties' and p_size < p_rule::numeric
        then format('must have at least %s keys, not %s', p_rule, p_size)
      when p_key = 'maxProperties' and p_size > p_rule::numeric
        then format('must have at most %s keys, not %s', p_rule, p_size)
    end;
  end if;
  return null;
end
$$;
comment on function locaria.check_json_rule(jsonb, text, numeric, text, jsonb, boolean) is
  'One rule of a JSON Schema about a value itself; returns what is wrong, null if nothing is. p_size: the number, '
  'or the length of a text, list or object.';
