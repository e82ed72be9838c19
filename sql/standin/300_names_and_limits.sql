-- How a function is named, and what the real service refuses.

create or replace function aws_lambda._timeout_ms(p_setting text, p_default integer)
returns integer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_ms integer := coalesce(nullif(current_setting(p_setting, true), '')::integer, p_default);
begin
  if v_ms not between 1 and 900000 then
    raise invalid_parameter_value
      using message = format('%s is outside the valid range for parameter "%s" (1 .. 900000)', v_ms, p_setting);
  end if;
  return v_ms;
end
$$;
comment on function aws_lambda._timeout_ms(text, integer) is
  'A timeout in milliseconds: aws_lambda.connect_timeout_ms (default 1000) or aws_lambda.request_timeout_ms (3000).';

create or replace function aws_lambda._raise_api(p_said text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  -- The SQLSTATE of the real error is not documented: match on nothing but "others".
  raise external_routine_exception
    using message = 'invoke API failed', detail = format('AWS Lambda client returned ''%s''.', p_said);
end
$$;
comment on function aws_lambda._raise_api(text) is 'The error of a call that Lambda refused or that did not reach it.';

create or replace function aws_lambda._resolve(
  p_function text,
  p_region text,
  p_qualifier text,
  out function_name text,
  out arn text,
  out qualifier text,
  out fault text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts text[] := regexp_match(
    p_function,
    '^(?:arn:aws[a-z-]*:lambda:([a-z0-9-]+):)?(?:(\d{12}):)?(?:function:)?([A-Za-z0-9_-]{1,140})'
    '(?::([A-Za-z0-9$_-]{1,128}))?$'
  );
  v_aliases text[];
begin
  if v_parts is null then
    perform aws_lambda._raise_api(format('Value ''%s'' at ''functionName'' is not a function name', p_function));
  end if;
  if v_parts[1] is not null and p_region is not null and v_parts[1] <> p_region then
    raise invalid_parameter_value
      using message = format('region "%s" conflicts with the region of "%s"', p_region, p_function);
  end if;
  if v_parts[4] is not null and p_qualifier is not null and v_parts[4] <> p_qualifier then
    raise invalid_parameter_value
      using message = format('qualifier "%s" conflicts with the qualifier of "%s"', p_qualifier, p_function);
  end if;
  qualifier := coalesce(v_parts[4], p_qualifier, '$LATEST');
  function_name := v_parts[3];
  arn := format(
    'arn:aws:lambda:%s:%s:function:%s%s',
    coalesce(v_parts[1], p_region, 'local'),
    coalesce(v_parts[2], '000000000000'),
    function_name,
    case when qualifier <> '$LATEST' then ':' || qualifier else '' end
  );
  select f.fault, f.aliases
    into fault, v_aliases
    from aws_lambda.functions f
   where f.function_name = v_parts[3];
  if not found or (qualifier <> '$LATEST' and not qualifier = any (v_aliases)) then
    perform aws_lambda._raise_api(format('Function not found: %s', arn));
  end if;
end
$$;
comment on function aws_lambda._resolve(text, text, text) is
  'Finds a function by name, partial ARN or ARN; refuses what contradicts itself or does not exist.';

create or replace function aws_lambda._check_limits(
  p_payload text,
  p_invocation_type text,
  p_log_type text,
  p_context text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit integer := case p_invocation_type when 'Event' then 1048576 else 6291456 end;
begin
  if p_invocation_type is null or p_invocation_type not in ('Event', 'RequestResponse', 'DryRun') then
    raise invalid_parameter_value
      using message = format('invalid invocation type "%s"', p_invocation_type);
  end if;
  if p_log_type is null or p_log_type not in ('None', 'Tail') then
    raise invalid_parameter_value using message = format('invalid log type "%s"', p_log_type);
  end if;
  if octet_length(p_payload) > v_limit then
    perform aws_lambda._raise_api(
      format('Request must be smaller than %s bytes for the InvokeFunction operation', v_limit)
    );
  end if;
  if ceil(octet_length(p_context) / 3.0) * 4 > 3583 then
    perform aws_lambda._raise_api('Client context must be no more than 3583 bytes when base64-encoded');
  end if;
end
$$;
comment on function aws_lambda._check_limits(text, text, text, text) is
  'Refuses unknown (case-sensitive) types, payloads over 1 MB (Event) or 6 MB, and too long a client context.';
