create or replace function locaria.get_dispatch_circuit(p_container text)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(
    (select coalesce(parameter -> p_container ->> 'arn', parameter -> 'default' ->> 'arn')
     from locaria.parameters where parameter_name = 'fargate_config'),
    'fargate_config of ' || p_container
  )
$$;
comment on function locaria.get_dispatch_circuit(text) is
  'The circuit breaker of the Lambda function that starts a container.';
