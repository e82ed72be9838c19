create or replace function locaria.check_ingest_policy(
  p_run bigint,
  p_submission jsonb
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_function text := locaria.get_ingest_config() ->> 'policy_function';
  v_known regproc;
  v_refusal text;
begin
  perform locaria.require_run(p_run);
  v_known := to_regproc(v_function);
  if v_known is null then
    raise exception using errcode = 'LC006',
      message = format('parameters, ingest_config: policy_function "%s" is no function, or more than one', v_function),
      hint = 'It takes one jsonb and returns text: null allows, words refuse. The default: locaria.apply_ingest_policy';
  end if;
  execute format('select %s($1)', v_known) into v_refusal using p_submission;
  return v_refusal;
end
$$;
comment on function locaria.check_ingest_policy(bigint, jsonb) is
  'Asks the site''s policy function (ingest_config.policy_function) about {"user", "submitter", "project", '
  '"instrument", "job_id", "kind"}: null, or why the bundle is refused. Errors: LC001, LC006, LC008.';
