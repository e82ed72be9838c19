"""What Lambda sends to the failure destination of an asynchronous invocation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def failure_record(row: dict[str, Any], state: str, payload: Any) -> dict[str, Any]:
    """The on-failure destination record of an event that was given up, in Lambda's shape.

    Source: AWS Lambda developer guide, "Retaining records of asynchronous invocations".
    """
    arn = f"arn:aws:lambda:local:000000000000:function:{row['function_name']}:{row['qualifier']}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now,
        "requestContext": {
            "requestId": str(row["request_id"]),
            "functionArn": arn,
            "condition": "EventAgeExceeded" if state == "expired" else "RetriesExhausted",
            "approximateInvokeCount": row["attempts"] - (1 if state == "expired" else 0),
        },
        "requestPayload": row["payload"],
    }
    if payload is not None:
        record["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        record["responsePayload"] = payload
    return record
