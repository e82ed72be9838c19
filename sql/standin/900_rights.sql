-- Nobody may use what is here unless it is granted to him by name, as with the real extensions.
revoke all on schema aws_commons, aws_lambda from public;
revoke all on all functions in schema aws_commons from public;
revoke all on all functions in schema aws_lambda from public;
revoke all on all tables in schema aws_lambda from public;
