-- From the temporary table that ogr2ogr's SQL has filled into a staging table, and that published.
-- psql's variables: run, table, mode, layer.
set standard_conforming_strings = on;

do $$
begin
  if to_regclass('pg_temp.whole') is null then
    raise exception 'the rows did not all come';
  end if;
end $$;

select exists (select from pg_attribute where attrelid = 'pg_temp.loaded'::regclass and attname = 'geometry' and not attisdropped) as spatial,
  (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'postgis') is not null as postgis,
  coalesce((select format('%I.geometry', n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'postgis'), 'bytea') as geometry_type
\gset

select jsonb_agg(jsonb_build_object(
    'name', attname,
    'type', case when attname = 'geometry' then :'geometry_type' else format_type(atttypid, null) end
  ) order by attnum) as columns,
  string_agg(quote_ident(attname), ', ' order by attnum) as names,
  string_agg(case when attname <> 'geometry' then quote_ident(attname) when :'postgis' then 'geometry::' || :'geometry_type'
    else $$decode(geometry, 'hex')$$ end, ', ' order by attnum) as values
from pg_attribute
where attrelid = 'pg_temp.loaded'::regclass and attnum > 0 and not attisdropped and attname <> 'gdal_fid'
\gset

select staging from locaria.create_staging(:run, :'table', :'columns', :'mode')
\gset

insert into :staging (:names) select :values from pg_temp.loaded;

begin;
select locaria.publish_staging(:run, :'staging') as rows
\gset
select locaria.finish_run(:run, format('%s rows of %s into %s', :rows, :'layer', :'table'),
  jsonb_build_object('table', :'table', 'rows', :rows, 'layer', :'layer', 'columns', :'columns'::jsonb));
commit;
