create or replace function locaria.check_target(
  p_schema text,
  p_table text,
  p_relation regclass,
  p_mode text
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_mode is null or p_mode not in ('create', 'replace', 'append', 'merge') then
    raise exception using errcode = 'LC007',
      message = format('mode: "%s" is not one of create, replace, append, merge', p_mode);
  elsif p_schema in ('locaria', 'locaria_staging', 'aws_lambda', 'aws_commons', 'information_schema')
    or p_schema like 'pg\_%'
    or not coalesce(
      (select parameter -> 'schemas' ? p_schema from locaria.parameters where parameter_name = 'publish_config'),
      p_schema = 'public'
    )
  then
    raise exception using errcode = 'LC009',
      message = format('table: loads may not publish into schema "%s"', p_schema),
      hint = format('Allowed: %s (parameters.publish_config.schemas).', coalesce((
        select string_agg(x, ', ') from locaria.parameters, jsonb_array_elements_text(parameter -> 'schemas') as x
        where parameter_name = 'publish_config'
      ), 'public'));
  elsif to_regnamespace(quote_ident(p_schema)) is null then
    raise exception using errcode = 'LC009',
      message = format('table: there is no schema "%s"', p_schema), hint = format('create schema %I', p_schema);
  elsif (p_mode in ('create', 'replace') or p_mode = 'merge' and p_relation is null)
    and not has_schema_privilege(current_user, p_schema, 'create')
  then
    raise exception using errcode = 'LC009',
      message = format('table: Locaria''s owner %s may not create tables in schema "%s"', current_user, p_schema),
      hint = format('grant create on schema %I to %I', p_schema, current_user);
  elsif p_mode = 'create' and p_relation is not null then
    raise exception using errcode = 'LC009',
      message = format('table: "%s.%s" already exists', p_schema, p_table),
      hint = 'Use mode replace or append, or another name.';
  elsif p_mode = 'append' and p_relation is null then
    raise exception using errcode = 'LC009',
      message = format('table: there is no "%s.%s" to append to', p_schema, p_table),
      hint = 'Use mode create or replace.';
  elsif p_mode = 'replace' and p_relation is not null
    and (select relkind from pg_class where oid = p_relation) not in ('r', 'p')
  then
    raise exception using errcode = 'LC009',
      message = format('table: "%s.%s" is not a table, and is not replaced', p_schema, p_table),
      hint = 'Load under another name.';
  elsif p_mode = 'replace' and p_relation is not null and not exists (
    -- Appending to a table of the site does not allow loads to replace it.
    select from locaria.published_tables where table_schema = p_schema and table_name = p_table and mode <> 'append'
  ) then
    raise exception using errcode = 'LC009',
      message = format('table: "%s.%s" was not loaded by Locaria and is not replaced', p_schema, p_table),
      hint = 'Load under another name, or append. To allow replacing it, the owner inserts it into '
        'locaria.published_tables with mode replace.';
  end if;
end
$$;
comment on function locaria.check_target(text, text, regclass, text) is
  'Refuses (LC009) a target that loads may not publish to: a schema that is not allowed, or a table that Locaria '
  'did not create.';
