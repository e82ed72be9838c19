create or replace function locaria.explain_ingest_rule(
  p_table text,
  p_constraint text
)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select obj_description(c.oid, 'pg_constraint') from pg_constraint c
  where c.conname = p_constraint and c.conrelid = to_regclass(format('locaria.%I', p_table))
$$;
comment on function locaria.explain_ingest_rule(text, text) is
  'A constraint of the metadata tables in words: its comment.';
