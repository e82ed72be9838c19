create or replace function locaria.apply_ingest_policy(p_submission jsonb)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select format('policy: user "%s" may not submit for submitter %s, project %s, instrument %s',
    p_submission ->> 'user', coalesce(p_submission ->> 'submitter', '(none)'),
      coalesce(p_submission ->> 'project', '(none)'),
    coalesce(p_submission ->> 'instrument', '(none)'))
  where exists (select from locaria.ingest_policy) and not exists (
    select from locaria.ingest_policy p
    where (p.ingest_user is null or p.ingest_user = p_submission ->> 'user')
      and (p.submitter is null or p.submitter = p_submission ->> 'submitter')
      and (p.project is null or p.project = p_submission ->> 'project')
      and (p.instrument is null or p.instrument = p_submission ->> 'instrument')
  )
$$;
comment on function locaria.apply_ingest_policy(jsonb) is
  'The default policy: a row of ingest_policy has to fit, unless there is none at all. Null allows; words refuse.';
