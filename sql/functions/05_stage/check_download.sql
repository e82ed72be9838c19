create or replace function locaria.check_download(
  p_run bigint,
  p_table text,
  out table_schema text,
  out table_name text,
  out columns jsonb,
  out postgis text,
  out srid integer,
  out longest interval
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_relation regclass;
  v_kind "char";
  v_schemas jsonb := coalesce(
    (select parameter -> 'schemas' from locaria.parameters where parameter_name = 'download_config'), '["public"]'
  );
begin
  perform locaria.require_run(p_run);
  select t.table_schema, t.table_name into strict table_schema, table_name from locaria.parse_target(p_table) as t;
  if table_schema in ('locaria', 'locaria_staging', 'aws_lambda', 'aws_commons', 'information_schema')
    or table_schema like 'pg\_%'
    or not v_schemas ? table_schema then
    raise exception using errcode = 'LC009',
      message = format('table: nothing may be downloaded from schema "%s"', table_schema),
      hint = format('Allowed: %s (parameters.download_config.schemas).',
        coalesce((select string_agg(x, ', ') from jsonb_array_elements_text(v_schemas) as x), 'none'));
  end if;
  select c.oid, c.relkind into v_relation, v_kind
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = table_schema and c.relname = table_name and c.relkind in ('r', 'p', 'v', 'm', 'f');
  if not found then
    raise exception using errcode = 'LC008',
      message = format('table: there is no table or view "%s.%s"', table_schema, table_name);
  end if;
  -- Only columns that the loader's login may read; this function runs as Locaria's owner, which can read more.
  select jsonb_agg(jsonb_build_object(
      'name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod),
      'base', case
        when b.typtype = 'b' and b.typelem = 0
          then format_type(b.oid, case when t.typtype = 'd' then t.typtypmod else a.atttypmod end)
        else 'text'
      end
    ) order by a.attnum)
  into columns
  from pg_attribute a
  join pg_type t on t.oid = a.atttypid
  join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
  where a.attrelid = v_relation and a.attnum > 0 and not a.attisdropped
    and has_column_privilege(session_user, v_relation, a.attnum, 'select');
  if columns is null or not has_schema_privilege(session_user, table_schema, 'usage') then
    raise exception using errcode = 'LC009',
      message = format('table: the login of the loaders, %s, may not read "%s.%s"',
        session_user, table_schema, table_name),
      hint = format('grant select on %I.%I to locaria_loader', table_schema, table_name);
  end if;
  -- Without PostGIS a geometry is WKB, which has no SRID: take it from the result of the load.
  select coalesce(r.result ->> 'srid', (
      select t ->> 'srid'
      from jsonb_array_elements(
        case when jsonb_typeof(r.result -> 'tables') = 'array' then r.result -> 'tables' else '[]' end
      ) as t
      where t ->> 'table' in (p.table_name, p.table_schema || '.' || p.table_name) limit 1))::integer
  into srid
  from locaria.published_tables p join locaria.runs r on r.id = p.run_id
  where p.table_schema = check_download.table_schema and p.table_name = check_download.table_name;
  select n.nspname into postgis
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'postgis';
  longest := make_interval(secs => locaria.get_parameter('download_config', 'longest_s', '3600')::double precision);
end
$$;
comment on function locaria.check_download(bigint, text) is
  'What a run may download of a table or view ("schema.table" or "table"): the columns that the login of the '
  'loaders may read, [{"name", "type", "base"}]; the schema of PostGIS; the SRID that the last load reported; how '
  'long a snapshot may be held. Errors: LC001, LC008 (no such table), LC009 (schema not in download_config, or no '
  'privilege).';
