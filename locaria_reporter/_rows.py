"""Rows of the SQL functions as Python's values, and the other way round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from locaria_reporter._channel import ClaimedRun, Json


def claimed(row: Mapping[str, Any]) -> ClaimedRun:
    return ClaimedRun(
        run_id=row["run_id"],
        file_id=row["file_id"],
        attempt=row["attempt"],
        max_attempts=row["max_attempts"],
        requested_status=row["requested_status"],
        attributes=row["attributes"] or {},
        parameters=row["parameters"] or {},
        checkpoint=row["checkpoint"] or {},
        previous_run=row["previous_run"],
        lease=in_seconds(row["lease"], 60.0),
        timeout=in_seconds(row["timeout"], None),
        stall_timeout=in_seconds(row["stall_timeout"], None),
    )


def in_seconds(interval: timedelta | None, otherwise: Any) -> Any:
    return otherwise if interval is None else interval.total_seconds()


def as_jsonb(value: Any) -> Jsonb:
    return Jsonb(value, dumps=lambda item: json.dumps(item, default=str))


def aged(message: Json, now: datetime) -> Json:
    """Say how long ago a message was logged: the database's clock alone tells when that was."""
    at = message.get("at")
    ago = (now - datetime.fromisoformat(at)).total_seconds() if isinstance(at, str) else 0.0
    return message | {"ago": round(max(0.0, ago), 3)}
