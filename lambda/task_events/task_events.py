"""The Lambda function `taskEvents`: records the events of tasks in the database.

It takes four shapes, the first three as AWS sends them:

- EventBridge's "ECS Task State Change" (a task started, stopped, ran out of memory, …),
- the record of an asynchronous invocation that failed (Lambda's on-failure destination),
- an SQS batch of either, of which the messages that failed are reported for another delivery,
- `{"action": "tick"}`, which a schedule sends, to call `locaria.tick()`.

Every other event becomes one call of the SQL function `locaria.record_task_event(jsonb)`, which
interprets it. Events may come twice, late or out of order; the SQL function handles that, too.

The connection is kept between invocations.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from database_settings import DatabaseUnavailable
from event_database import EventDatabase, EventRefused

log = logging.getLogger("locaria.task_events")
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # In Lambda: bare JSON lines. Elsewhere the process that loads this module decides.
    log.addHandler(logging.StreamHandler(sys.stdout))
    log.setLevel(logging.INFO)
    log.propagate = False

_database = EventDatabase()
TICK = {"action": "tick"}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle one invocation.

    Args:
        event: an EventBridge envelope, an on-failure record, an SQS batch of them, or `TICK`.
        context: Lambda's context object, of which only the request id is used, in the log.

    Returns:
        For a batch `{"batchItemFailures": [{"itemIdentifier": id}, …]}`, which needs
        `ReportBatchItemFailures` on the event source mapping; for a tick, the result of tick();
        otherwise `{"recorded": 1}`.

    Raises:
        EventRefused: the event has none of the three shapes, or the SQL function refused it.
        DatabaseUnavailable: no connection, or the database failed twice.
    """
    if isinstance(event, dict) and "Records" in event:
        return _record_batch(event["Records"], context)
    try:
        if event == TICK:
            done = _database.tick()
            _log("tick", context, done=done)
            return done
        _record(event)
    except (EventRefused, DatabaseUnavailable) as error:
        _log("failed", context, error_type=type(error).__name__, error=str(error))
        raise
    _log("recorded", context)
    return {"recorded": 1}


def _record_batch(messages: list[dict[str, Any]], context: object) -> dict[str, Any]:
    """Record each message of an SQS batch. A bad message does not hold up the others."""
    failed: list[str] = []
    unavailable = False
    for message in messages:
        if not unavailable:
            try:
                _record(_body_of(message))
                continue
            except EventRefused as error:
                _log("failed", context, message=message["messageId"], error=str(error))
            except DatabaseUnavailable as error:
                unavailable = True  # The other messages would wait for the same timeout.
                _log("failed", context, message=message["messageId"], error=str(error))
        failed.append(message["messageId"])
    _log("batch", context, recorded=len(messages) - len(failed), failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _body_of(message: dict[str, Any]) -> object:
    if message.get("eventSource") != "aws:sqs":
        raise EventRefused("Records are taken from SQS only")
    try:
        return json.loads(message["body"])
    except ValueError as error:
        raise EventRefused(f"the body of the message is not JSON: {error}") from None


def _record(event: object) -> None:
    if not is_task_event(event):
        raise EventRefused(
            "neither an ECS Task State Change of EventBridge nor an on-failure record of Lambda: "
            f"{_shape_of(event)}"
        )
    _database.record(event)


def is_task_event(event: object) -> bool:
    """Whether the event has one of the two shapes that the SQL function accepts."""
    if not isinstance(event, dict):
        return False
    if event.get("source") == "aws.ecs" and event.get("detail-type") == "ECS Task State Change":
        return isinstance(event.get("detail"), dict)
    return isinstance(event.get("requestContext"), dict) and "requestPayload" in event


def _shape_of(event: object) -> str:
    """Describe an unknown event for the log: the names of its keys, never its values."""
    if isinstance(event, dict):
        return f"an object with the keys {', '.join(sorted(map(str, event))[:20])}"
    return f"a {type(event).__name__}"


def _log(what: str, context: object, **more: object) -> None:
    """Log one line of JSON."""
    line = {"event": what, "request_id": getattr(context, "aws_request_id", None)}
    log.info(json.dumps(line | more))
