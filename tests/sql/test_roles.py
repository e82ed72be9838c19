"""Privileges of each role, and how functions protect themselves."""

import psycopg
import pytest

from tests.sql.scenario import Scenario, one, refused

CONTROL = {
    "cancel",
    "retry",
    "hold",
    "release",
    "run_now",
    "set_priority",
    "pause",
    "resume",
    "undo",
    "tick",
    "record_task_event",
    "set_ingest_job",
}
TELLING = {
    "clock",
    "may_move_clock",
    "statement_clock",
    "in_words",
    "schema_version",
    "get_dispatch_circuit",
    "queue_keys",
    "list_run_backends",
    "timeline",
    "explain",
    "check_attributes",
    "error_pattern",
    "list_failed",
    "list_files",
    "get_phase",
    "get_log_position",
    "read_log",
    "get_ingest_state",
}
CONNECTING = {
    "issue_ticket",
    "redeem_ticket",
    "open_connection",
    "find_connection",
    "close_connection",
    "get_metrics",
}
READING = {
    "api",
    "check_request",
    "api_call",
    "api_error",
    "reply_error",
    "api_get_containers",
    "api_get_container_status",
    "api_get_files",
    "api_get_file",
    "api_get_overview",
    "watch_changes",
    "get_changes",
}
SUBMITTING = {
    "api_instantiate_container",
    "api_add_file",
    "api_delete_file",
    "api_cancel_file",
    "api_retry_file",
}
OPERATING = {"api_update_file", "api_get_parameters", "api_set_parameters"}
REPORTING = {
    "schema_version",
    "start_task",
    "claim_files",
    "wait_for_files",
    "leave_task",
    "heartbeat",
    "report_listening",
    "report_progress",
    "report_result",
    "log_run",
    "checkpoint_run",
    "reject_rows",
    "get_reject_limit",
    "create_staging",
    "index_staging",
    "check_scripts",
    "publish_staging",
    "check_download",
    "find_published",
    "find_earlier_run",
    "publish_load",
    "finish_run",
    "finish_runs",
    "fail_run",
    "release_run",
    "clock",
    "may_move_clock",
}
INGESTING = {
    "get_ingest_config",
    "reserve_ingest_job",
    "begin_ingest",
    "report_ingests",
    "register_ingest",
    "get_resumable",
    "report_resumable",
    "fail_ingest",
    "fail_lost_ingests",
    "get_ingest_state",
    "check_ingest_policy",
    "ingest_transaction",
    "archive_files",
    "is_ingested",
    "explain_ingest_rule",
    "list_ingest_leftovers",
    "lock_ingest_leftover",
    "settle_ingest",
    "list_move_sources",
}


@pytest.mark.parametrize(
    ("role", "functions"),
    [
        ("locaria_app", TELLING | READING | SUBMITTING),
        ("locaria_reader", TELLING | READING | {"get_metrics"}),
        (
            "locaria_operator",
            TELLING | CONTROL | READING | SUBMITTING | OPERATING | {"get_metrics"},
        ),
        ("locaria_loader", REPORTING | INGESTING),
        ("locaria_web", CONNECTING | {"watch_changes", "get_changes"}),
        ("locaria_events", {"record_task_event", "tick"}),
        ("public", set()),
    ],
)
def test_each_role_may_call_exactly_its_functions(
    scene: Scenario, role: str, functions: set[str]
) -> None:
    if role == "public":
        scene.root.execute("create role nobody")
        role = "nobody"
    rows = scene.owner.execute(
        "select distinct proname from pg_proc where pronamespace = 'locaria'::regnamespace and has_function_privilege(%s, oid, 'execute')",
        [role],
    )
    try:
        assert {row["proname"] for row in rows} == functions
    finally:
        scene.root.execute("drop role if exists nobody")


APP_READS = {
    "files",
    "status",
    "running",
    "queue",
    "log",
    "attempts",
    "history",
    "rejects",
    "containers",
    "statuses",
    "published_tables",
}


def test_each_role_may_touch_exactly_its_tables(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select c.relname, r.role, p.privilege
        from pg_class c, unnest(array['locaria_app', 'locaria_reader', 'locaria_operator', 'locaria_loader', 'locaria_events']) as r (role),
          unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as p (privilege)
        where c.relnamespace = 'locaria'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
          and has_table_privilege(r.role, c.oid, p.privilege)
        """
    ).fetchall()
    granted = {(row["role"], row["privilege"], row["relname"]) for row in rows}
    tables = {
        row["relname"]
        for row in scene.owner.execute(
            "select relname from pg_class where relnamespace = 'locaria'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition"
        )
    }
    secret = {
        "parameters",
        "file_credentials",
        "scripts",
        "container_scripts",
        "tickets",
        "websocket_connections",
    }
    readable = tables - secret
    assert granted == {
        *(("locaria_app", "select", name) for name in APP_READS),
        *(("locaria_reader", "select", name) for name in readable),
        *(("locaria_operator", "select", name) for name in readable),
    }


def test_an_application_can_write_six_columns_of_files_and_nothing_else(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select attname, privilege from pg_attribute, unnest(array['insert', 'update']) as privilege
        where attrelid = 'locaria.files'::regclass and attnum > 0 and has_column_privilege('locaria_app', attrelid, attnum, privilege)
        """
    )
    assert {(row["attname"], row["privilege"]) for row in rows} == {
        (name, "insert")
        for name in ("container", "status", "priority", "run_after", "debug", "attributes")
    }
    file = scene.insert_file()
    for statement in (
        "update locaria.files set status = 'FARGATE_PROCESSED'",
        "delete from locaria.files",
        "insert into locaria.files (claimed_by) values (1)",
        "insert into locaria.files (submitted_by) values ('boss')",
        "select * from locaria.parameters",
        f"select locaria.cancel({file})",
        "select locaria.tick()",
        "select locaria.aws_lambda_interface('{}')",
        "select locaria.start_task('file_loader')",
        "select aws_lambda.invoke('ecsRunTask', '{}'::jsonb)",
        "create table locaria.mine (a int)",
        "create table locaria_staging.mine (a int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scene.app.execute(statement.encode())


def test_a_loader_has_its_functions_and_its_own_staging_tables_only(scene: Scenario) -> None:
    scene.root.execute("grant all on schema public to locaria_owner")
    scene.owner.execute("create table public.site (a int)")
    run = scene.running()
    staging = one(
        scene.loader,
        "select staging from locaria.create_staging(%s, 't', '[{\"name\": \"a\"}]')",
        [run["run_id"]],
    )["staging"]
    others = (
        scene.owner.execute("create table locaria_staging.run_999 (a text)")
        and "locaria_staging.run_999"
    )
    scene.loader.execute(f"insert into {staging} values ('x')".encode())
    scene.loader.execute(f"select * from {staging}".encode())
    relations = scene.owner.execute(
        """
        select oid::regclass::text as name from pg_class
        where relnamespace in ('locaria'::regnamespace, 'aws_lambda'::regnamespace) and relkind in ('r', 'p', 'v')
        """
    ).fetchall()
    for name in [*(row["name"] for row in relations), others, "public.site"]:
        for statement in (
            f"select from {name}",
            f"delete from {name}",
            f"insert into {name} default values",
            f"truncate {name}",
        ):
            with pytest.raises(
                (
                    psycopg.errors.InsufficientPrivilege,
                    psycopg.errors.ObjectNotInPrerequisiteState,
                    psycopg.errors.WrongObjectType,
                )
            ):
                scene.loader.execute(statement.encode())
    for statement in (
        f"update {staging} set a = 'y'",
        f"delete from {staging}",
        f"truncate {staging}",
        f"drop table {staging}",
        f"alter table {staging} add b int",
        f"create index on {staging} (a)",
        "create table locaria_staging.mine (a int)",
        "create table locaria.mine (a int)",
        f"select locaria.cancel({run['file_id']})",
        "select locaria.end_run(1, 'lost', 'x', 'x')",
        "select locaria.close_run(1, 'lost', 'x', 'x', 'x', 'x')",
        "select locaria.expire_runs()",
        "select locaria.open_circuit('x', 'y')",
        "select locaria.swap_table('run_1', 'public', 'site', 'public.site')",
        "select locaria.refill_table('public.site', 'public.site')",
        "select nextval('locaria.log_messages_id')",
        "set session_replication_role = replica",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scene.loader.execute(statement.encode())


def test_a_reader_only_reads_and_an_operator_controls(scene: Scenario) -> None:
    file = scene.insert_file()
    reader = scene.session("reader")
    for statement in (
        f"select locaria.cancel({file})",
        "select locaria.tick()",
        "select locaria.pause('file_loader')",
        "insert into locaria.files default values",
        "select * from locaria.parameters",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(statement.encode())
    for view in ("status", "running", "queue", "log", "attempts", "failures", "history", "health"):
        for session in (reader, scene.operator):
            session.execute(f"select * from locaria.{view}".encode())
    for view in ("status", "running", "queue", "log", "attempts", "history"):
        scene.app.execute(f"select * from locaria.{view}".encode())
    for session in (reader, scene.app):
        assert session.execute("select locaria.explain(%s)", [file]).fetchall()
        assert session.execute("select * from locaria.timeline(%s)", [file]).fetchall()
    assert scene.control("cancel", file)[0]["status"] == "CANCELLED"
    for statement in (
        "select * from locaria.parameters",
        "update locaria.files set priority = 1",
        "update locaria.containers set paused = true",
        "delete from locaria.transitions",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            scene.operator.execute(statement.encode())


def test_views_run_with_the_rights_of_the_owner_and_show_no_configuration(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select distinct v.relname from pg_depend d join pg_rewrite w on w.oid = d.objid join pg_class v on v.oid = w.ev_class
        where d.refobjid = 'locaria.parameters'::regclass
        """
    ).fetchall()
    assert rows == []


def test_functions_pin_their_search_path(scene: Scenario) -> None:
    """All of them, except functions that use no name that could be hijacked."""
    rows = scene.owner.execute(
        """
        select oid::regprocedure::text as name, prosecdef, proconfig from pg_proc
        where pronamespace = 'locaria'::regnamespace and not coalesce(proconfig, '{}') && array['search_path=pg_catalog, pg_temp']
        """
    ).fetchall()
    assert [row["name"] for row in rows if row["prosecdef"]] == []
    assert {row["name"] for row in rows} == {
        "locaria.clock()",
        "locaria.statement_clock()",
        "locaria.get_phase(text,timestamp with time zone,integer,timestamp with time zone,text)",
        "locaria.schema_version()",
    }


def test_only_functions_that_need_the_rights_of_the_owner_are_security_definer(
    scene: Scenario,
) -> None:
    rows = scene.owner.execute(
        """
        select oid::regprocedure::text as name from pg_proc
        where pronamespace = 'locaria'::regnamespace and pg_get_userbyid(proowner) <> 'locaria_owner'
        """
    ).fetchall()
    assert rows == []
    assert one(scene.owner, "select rolsuper from pg_roles where rolname = 'locaria_owner'") == {
        "rolsuper": False
    }


def test_a_temporary_table_cannot_shadow_a_table_of_locaria(scene: Scenario) -> None:
    for session in (scene.app, scene.loader, scene.operator):
        session.execute(
            """
            create temp table files (id bigint, claimed_by bigint, container text, status text, attributes jsonb); create temp table parameters (parameter_name text, parameter jsonb);
            create temp table statuses (status text, kind text, container text);
            insert into parameters values ('fargate_config', '{"default": {"arn": "evil"}}');
            create function pg_temp.clock() returns timestamptz language sql as 'select now() + interval ''9 years''';
            create function pg_temp.hashtext(text) returns int language sql as 'select 1/0';
            set search_path = pg_temp, locaria, public
            """
        )
    file = scene.insert_file()
    assert len(scene.invocations()) == 1
    run = scene.claim_one(scene.start_task())
    assert run["file_id"] == file
    scene.finish(run["run_id"])
    scene.control("retry", file)
    scene.tick()
    assert scene.view(file)["phase"] != "running"
    assert one(scene.app, "select count(*) as n from pg_temp.files")["n"] == 0


def test_every_object_has_a_comment(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select 'schema ' || nspname as what from pg_namespace where nspname in ('locaria', 'locaria_staging') and obj_description(oid, 'pg_namespace') is null
        union all
        select 'relation ' || oid::regclass from pg_class
        where relnamespace = 'locaria'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
          and obj_description(oid, 'pg_class') is null and relname <> 'schema_migrations'
        union all
        select 'function ' || oid::regprocedure from pg_proc where pronamespace = 'locaria'::regnamespace and obj_description(oid, 'pg_proc') is null
        union all
        select 'trigger ' || tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'locaria'::regnamespace and not tgisinternal and obj_description(t.oid, 'pg_trigger') is null
        union all
        select 'column files.' || attname from pg_attribute
        where attrelid = 'locaria.files'::regclass and attnum > 0 and not attisdropped and col_description(attrelid, attnum) is null
        """
    ).fetchall()
    assert [row["what"] for row in rows] == []


def test_constraints_and_indexes_have_no_generated_names(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select conrelid::regclass || ' ' || conname as name from pg_constraint
        where connamespace = 'locaria'::regnamespace and contype not in ('n', 't') and conrelid <> 'locaria.schema_migrations'::regclass
          and not (select relispartition from pg_class where oid = conrelid)
          and (conname ~ '_(check|key|excl)[0-9]*$' or conname ~ '_fkey[0-9]*$' or contype = 'p' and conname !~ '_pkey$')
        union all
        select c.relname from pg_class c join pg_index i on i.indexrelid = c.oid
        where c.relnamespace = 'locaria'::regnamespace and not c.relispartition and c.relname ~ '_idx[0-9]*$'
        """
    ).fetchall()
    assert [row["name"] for row in rows] == []


def test_trigger_names_start_with_their_firing_order(scene: Scenario) -> None:
    rows = scene.owner.execute(
        """
        select tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'locaria'::regnamespace and not tgisinternal and tgname !~ '^_[0-9]{3}_[a-z_]+$'
        """
    ).fetchall()
    assert rows == []


def test_a_row_records_which_login_inserted_it(scene: Scenario) -> None:
    file = scene.insert_file()
    assert scene.file(file)["submitted_by"] == "test_app"
    with refused("LC008"):
        scene.call("timeline", 4711, connection=scene.app)


def test_the_clock_can_be_moved_only_if_the_owner_allows_it(scene: Scenario) -> None:
    scene.set_parameter("installation", movable_clock=False)
    for connection in (scene.app, scene.loader, scene.operator):
        connection.execute("set locaria.fake_now = '2001-01-01'")
        for function in (
            ("clock", "statement_clock") if connection is not scene.loader else ("clock",)
        ):
            row = connection.execute(
                f"select locaria.{function}() > '2020-01-01' as real".encode()
            ).fetchone()
            assert row == {"real": True}
    run = scene.running()
    scene.loader.execute("set locaria.fake_now = '2099-01-01'")
    scene.owner.execute("set locaria.fake_now = '2099-01-01'")
    scene.tick()
    assert scene.run(run["run_id"])["outcome"] is None, "no lease ended early"
