"""The SQL stand-in against the signatures that AWS documents for the extension aws_lambda.

Source: Amazon RDS user guide, "AWS Lambda function and parameter reference".
"""

from typing import Any

ARN = "aws_commons._lambda_function_arn_1"


def documented(name: str, kind: str, *, by_arn: bool) -> str:
    region = "" if by_arn else "region text DEFAULT NULL::text, "
    return (
        f"function_name {name}, payload {kind}, {region}"
        "invocation_type text DEFAULT 'RequestResponse'::text, log_type text DEFAULT 'None'::text, "
        f"context {kind} DEFAULT NULL::{kind}, "
        "qualifier character varying DEFAULT NULL::character varying, "
        f"OUT status_code integer, OUT payload {kind}, OUT executed_version text, "
        "OUT log_result text"
    )


def test_invoke_has_the_four_documented_overloads_and_is_written_in_sql(db: Any) -> None:
    rows = db.connect().execute(
        """
        select pg_get_function_arguments(p.oid) as arguments, l.lanname as language
          from pg_proc p join pg_language l on l.oid = p.prolang
         where p.pronamespace = 'aws_lambda'::regnamespace and p.proname = 'invoke'
        """
    )
    found = {(row["arguments"], row["language"]) for row in rows}
    assert found == {
        (documented("text" if not by_arn else ARN, kind, by_arn=by_arn), "sql")
        for kind in ("json", "jsonb")
        for by_arn in (False, True)
    }


def test_create_lambda_function_arn_is_as_documented(db: Any) -> None:
    row = (
        db.connect()
        .execute(
            """
            select pg_get_function_arguments(oid) as arguments, prorettype::regtype::text as type
              from pg_proc where pronamespace = 'aws_commons'::regnamespace
            """
        )
        .fetchone()
    )
    assert row == {
        "arguments": "function_name text, region text DEFAULT NULL::text",
        "type": ARN,
    }


def test_a_positional_mode_lands_in_the_region_as_on_aws(db: Any) -> None:
    """The trap that named notation avoids: (text, jsonb, text) is the overload with a region."""
    connection = db.connect(autocommit=False)
    connection.execute("set local aws_lambda.request_timeout_ms = 50")
    row = connection.execute(
        """
        explain (verbose, costs off)
        select aws_lambda.invoke('ecsRunTask'::text, '{}'::jsonb, 'Event')
        """
    ).fetchall()
    assert "'Event'::text, 'RequestResponse'::text" in " ".join(str(line) for line in row)
