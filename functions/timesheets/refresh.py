"""Store the days of people whose timers or calendars have changed.

The function reads the table's stream. A record is delivered at least once, and storing a day twice changes
nothing. If a person's days cannot be stored, the person is queued, so that nobody else waits. The function
also reads this queue, and SQS moves a message that keeps failing to the dead-letter queue.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.clients import CLIENT_CONFIG
from timer_core.clock import now_ms
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.timers import LATEST_MS, Timer
from timer_core.observability import make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.items import to_gaps, to_timer
from timer_core.store.keys import CALENDAR_SK, user_id_of
from timer_core.store.queries import TimerQueries
from timer_core.store.table import RawItem, Table
from timer_core.store.timesheets import Timesheets

# If less time remains, the rest of a batch is queued.
_RESERVE_MS = 15_000

logger = make_logger("timesheets")
metrics = make_metrics("timesheets")
tracer = Tracer(service="timesheets", patch_modules=["botocore"])

table = Table(settings().table_name)
timesheets = Timesheets(table, TimerQueries(table), Calendars(table))


@cache
def _sqs() -> Any:
    return boto3.client("sqs", config=CLIENT_CONFIG)


@dataclass(frozen=True, slots=True)
class Change:
    """A person whose timers or calendar changed, and the instant from which the timeline may be different."""

    user_id: int
    from_ms: int


@logger.inject_lambda_context
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Store days for a batch of the stream or of the queue; return the messages that SQS delivers again."""
    records = event["Records"]
    for change in _changes(record["dynamodb"] for record in records if "dynamodb" in record):
        if not _store(change, context):
            _queue(change)
    failures = [
        record["messageId"]
        for record in records
        if "body" in record and not _store(Change(**json.loads(record["body"])), context)
    ]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failures]}


def _changes(records: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """Yield one change for each person in records of the stream."""
    from_ms: dict[int, int] = {}
    for images in records:
        key, old, new = images["Keys"], images.get("OldImage"), images.get("NewImage")
        user_id = user_id_of(key["pk"]["S"])
        if key["sk"]["S"] == CALENDAR_SK:
            # What else changes in this item is the result of storing days.
            if new and "dirty_days" in new:
                from_ms.setdefault(user_id, LATEST_MS)
        elif new:
            changed_ms = changed_from_ms(_timer(old), _timer(new))
            if changed_ms is not None:
                from_ms[user_id] = min(changed_ms, from_ms.get(user_id, LATEST_MS))
    yield from (Change(*change) for change in from_ms.items())


def _timer(item: RawItem | None) -> Timer | None:
    if item is None or ("deleted_ms" in item and "claims" not in item):
        return None
    return to_gaps(item) if "deleted_ms" in item else to_timer(item)


def _store(change: Change, context: LambdaContext) -> bool:
    """Store the days of a person, and return whether that succeeded."""
    if context.get_remaining_time_in_millis() < _RESERVE_MS:
        return False
    try:
        if timesheets.refresh(change.user_id, now_ms=now_ms(), changed_ms=change.from_ms):
            metrics.add_metric("TimesheetsStored", MetricUnit.Count, 1)
    except Exception:
        logger.exception("The days of a person could not be stored")
        metrics.add_metric("TimesheetFailures", MetricUnit.Count, 1)
        return False
    return True


def _queue(change: Change) -> None:
    _sqs().send_message(QueueUrl=settings().timesheet_queue_url, MessageBody=json.dumps(asdict(change)))
