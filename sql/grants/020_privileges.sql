-- Revoke everything first: by default every role could execute the functions.
revoke all on all functions in schema locaria from public;
revoke all on all tables in schema locaria from public;

-- Applications: insert files, read what becomes of them.
grant usage on schema locaria to locaria_app;
grant insert (container, status, priority, run_after, debug, attributes) on locaria.files to locaria_app;
grant select on locaria.files, locaria.status, locaria.running, locaria.queue, locaria.log, locaria.attempts,
  locaria.history,
  locaria.rejects, locaria.containers, locaria.statuses, locaria.published_tables to locaria_app;

-- Loaders: the reporter's functions, no table.
grant usage on schema locaria, locaria_staging to locaria_loader;
grant execute on function
  locaria.schema_version(),
  locaria.start_task(text, text, bigint, integer, jsonb),
  locaria.claim_files(bigint, integer),
  locaria.wait_for_files(bigint, text, interval),
  locaria.leave_task(bigint, integer, text),
  locaria.heartbeat(bigint, bigint[]),
  locaria.report_progress(bigint, jsonb),
  locaria.report_listening(bigint, text, text),
  locaria.report_result(bigint, jsonb),
  locaria.log_run(bigint, jsonb),
  locaria.checkpoint_run(bigint, jsonb, text),
  locaria.reject_rows(bigint, jsonb),
  locaria.get_reject_limit(bigint),
  locaria.create_staging(bigint, text, jsonb, text, jsonb),
  locaria.index_staging(bigint, text, jsonb),
  locaria.check_scripts(bigint, text[]),
  locaria.publish_staging(bigint, text, bigint),
  locaria.check_download(bigint, text),
  locaria.find_published(bigint, jsonb),
  locaria.find_earlier_run(bigint, text[]),
  locaria.publish_load(bigint, jsonb, text[], text[]),
  locaria.finish_run(bigint, text, jsonb),
  locaria.finish_runs(bigint[]),
  locaria.fail_run(bigint, text, text, text, interval, integer),
  locaria.release_run(bigint, text)
to locaria_loader;

-- Bundle ingest: its listener and its loader are loaders, too.
grant execute on function
  locaria.get_ingest_config(),
  locaria.reserve_ingest_job(),
  locaria.begin_ingest(bigint, bigint, text, text, bigint, interval, jsonb),
  locaria.report_ingests(bigint, jsonb),
  locaria.register_ingest(bigint, bigint, text, jsonb, boolean),
  locaria.get_resumable(bigint),
  locaria.report_resumable(bigint, bigint, bigint, jsonb, interval),
  locaria.fail_ingest(bigint, text),
  locaria.fail_lost_ingests(),
  locaria.get_ingest_state(bigint),
  locaria.check_ingest_policy(bigint, jsonb),
  locaria.ingest_transaction(bigint, jsonb),
  locaria.archive_files(bigint, jsonb),
  locaria.is_ingested(bigint),
  locaria.explain_ingest_rule(text, text),
  locaria.list_ingest_leftovers(integer, bigint),
  locaria.lock_ingest_leftover(bigint, text),
  locaria.settle_ingest(bigint, text),
  locaria.list_move_sources(bigint)
to locaria_loader;
grant execute on function locaria.get_ingest_state(bigint) to locaria_app, locaria_reader, locaria_operator;
grant execute on function locaria.set_ingest_job(bigint, text, text, numeric, text) to locaria_operator;

-- Readers: everything, and nothing but reading.
grant usage on schema locaria to locaria_reader;
grant select on all tables in schema locaria to locaria_reader;
-- Operators: read everything, and the control functions.
grant usage on schema locaria to locaria_operator;
grant select on all tables in schema locaria to locaria_operator;
-- Only the owner reads the configuration, and no role reads credentials.
revoke select on locaria.parameters, locaria.file_credentials, locaria.scripts, locaria.container_scripts
  from locaria_reader, locaria_operator;
grant execute on function
  locaria.cancel(bigint[], text), locaria.cancel(bigint, text),
  locaria.retry(bigint[], text), locaria.retry(bigint, text),
  locaria.hold(bigint[]), locaria.release(bigint[]), locaria.run_now(bigint[]), locaria.set_priority(bigint[], integer),
  locaria.hold(bigint), locaria.release(bigint), locaria.run_now(bigint), locaria.set_priority(bigint, integer),
  locaria.pause(text, text), locaria.resume(text, text), locaria.undo(bigint, text),
  locaria.tick(), locaria.record_task_event(jsonb)
to locaria_operator;

-- The Lambda function taskEvents: records the events of AWS and calls tick().
grant usage on schema locaria to locaria_events;
grant execute on function locaria.record_task_event(jsonb), locaria.tick() to locaria_events;

-- The functions that the views call with the reader's rights, and those that only read.
grant execute on function
  locaria.clock(), locaria.statement_clock(), locaria.get_phase(text, timestamptz, integer, timestamptz, text),
    locaria.may_move_clock(), locaria.in_words(interval), locaria.schema_version(),
    locaria.get_dispatch_circuit(text), locaria.queue_keys(text),
  locaria.list_run_backends(), locaria.timeline(bigint), locaria.explain(bigint), locaria.check_attributes(text, jsonb),
  locaria.error_pattern(text), locaria.list_failed(text, text, text), locaria.list_files(jsonb, integer)
to locaria_app, locaria_reader, locaria_operator;

grant execute on function locaria.clock(), locaria.may_move_clock() to locaria_loader;

-- The API. Each method's function runs with the owner's rights: who may execute it is its least role.
grant usage on schema locaria to locaria_web;
grant execute on function
  locaria.api(jsonb, jsonb), locaria.check_request(jsonb), locaria.api_call(text, jsonb),
    locaria.api_error(text, text, text, text), locaria.reply_error(integer, text, jsonb),
  locaria.api_get_containers(), locaria.api_get_container_status(jsonb), locaria.api_get_files(jsonb),
    locaria.api_get_file(jsonb), locaria.api_get_overview(),
  locaria.watch_changes(interval), locaria.get_changes(bigint[], bigint)
to locaria_reader, locaria_app, locaria_operator;
grant execute on function
  locaria.api_instantiate_container(jsonb), locaria.api_add_file(jsonb), locaria.api_delete_file(jsonb),
    locaria.api_cancel_file(jsonb), locaria.api_retry_file(jsonb)
to locaria_app, locaria_operator;
grant execute on function locaria.api_update_file(jsonb), locaria.api_get_parameters(jsonb),
  locaria.api_set_parameters(jsonb) to locaria_operator;
grant execute on function locaria.watch_changes(interval), locaria.get_changes(bigint[], bigint) to locaria_web;
