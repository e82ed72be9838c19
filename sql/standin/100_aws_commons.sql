-- The part of the extension aws_commons that names a Lambda function.
create schema if not exists aws_commons;
comment on schema aws_commons is 'Stand-in for the extension aws_commons of RDS and Aurora: names of Lambda functions.';

do $$
begin
  if to_regtype('aws_commons._lambda_function_arn_1') is null then
    -- Its fields are not documented by AWS: build it with the constructor, never read it.
    create type aws_commons._lambda_function_arn_1 as (function_name text, region text);
  end if;
end
$$;
comment on type aws_commons._lambda_function_arn_1 is
  'A Lambda function and its region, as made by create_lambda_function_arn.';

create or replace function aws_commons.create_lambda_function_arn(
  function_name text,
  region text default null
)
returns aws_commons._lambda_function_arn_1
language sql
immutable
as $$
  select row($1, $2)::aws_commons._lambda_function_arn_1
$$;
comment on function aws_commons.create_lambda_function_arn(text, text) is
  'Names a Lambda function: by its name, a partial ARN or a full ARN, and the region where the name has none.';
