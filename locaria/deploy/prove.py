"""The proof of a deployment: one file, loaded by a real task, from bucket to table."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from psycopg import sql

from locaria.deploy.errors import DeployError
from locaria.deploy.steps import save_record
from locaria.deploy.target import Target

CONTAINER = "file_loader"
ROWS = "id,name\n1,one\n2,two\n3,three\n"
LONGEST_S = 600.0


def prove(target: Target, longest_s: float = LONGEST_S) -> str:
    """Load three rows by the deployed path; everything made for it goes again.

    Returns:
        What happened, in words.

    Raises:
        DeployError: the file did not come to a good end; the message says why.
    """
    mark = f"locaria_check_{secrets.token_hex(4)}"
    key = f"check/{mark}.csv"
    target.bucket.put(key, ROWS.encode())
    if target.aws.dry_run:
        target.say("insert into locaria.files (container, attributes) values ('file_loader', …)")
        target.bucket.delete(key)
        return "shown"
    s3 = target.aws.client("s3")
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": target.bucket.name, "Key": key}, ExpiresIn=3600
    )
    try:
        said = _load(target, {"url": url, "table": mark}, mark, longest_s)
        save_record(target, target.deployed | {"proved": True})
        return said
    finally:
        target.bucket.delete(key)


def _load(target: Target, attributes: dict[str, Any], table: str, longest_s: float) -> str:
    with target.site.connect() as connection:
        row = connection.execute(
            "insert into locaria.files (container, attributes) values (%s, %s) returning id",
            [CONTAINER, json.dumps(attributes)],
        ).fetchone()
        assert row is not None
        deadline, said = time.monotonic() + longest_s, ""
        while True:
            status = connection.execute(
                "select phase, why from locaria.status where file_id = %s", [row["id"]]
            ).fetchone()
            assert status is not None
            if status["phase"] != said:
                said = str(status["phase"])
                target.say(f"file {row['id']}: {said}: {status['why']}")
            if said in ("done", "failed", "cancelled") or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if said != "done":
            raise DeployError(
                f"everything is deployed, but file {row['id']} is {said}: {status['why']}",
                f"locaria explain {row['id']}; locaria logs {row['id']}",
            )
        connection.execute(sql.SQL("drop table if exists {}").format(sql.Identifier(table)))
    return f"file {row['id']} was loaded by a task of {target.settings.stack}"
