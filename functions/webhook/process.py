"""Takes deliveries from the queue and brings the timers in line with them."""

import os
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.clock import now_ms
from timer_core.domain.errors import InvalidInput, TimerNotFound
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Fact
from timer_core.domain.timers import Timer, finished
from timer_core.github.events import LOG, IssueEvent, from_json
from timer_core.observability import make_logger, make_metrics
from timer_core.settings import settings
from timer_core.store.facts import FactStore
from timer_core.store.health import HealthStore
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

_MAX_RECEIVES = int(os.environ.get("MAX_RECEIVES", "5"))

logger = make_logger("webhook-process")
metrics = make_metrics("webhook-process")
tracer = Tracer(service="webhook-process", patch_modules=["botocore"])

table = Table(settings().table_name)
timers = TimerStore(table, exclusive=settings().exclusive)
facts = FactStore(table, timers)
people = PeopleStore(table)
health = HealthStore(table)

# What fails is delivered again by itself: in which order an issue's deliveries are processed does
# not matter, so those behind it need not wait for it, nor follow it to the dead-letter queue.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch; answer which messages to deliver again."""
    answer = process_partial_response(
        event=event, record_handler=_process, processor=processor, context=context
    )
    again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    processed = len(event["Records"]) - len(again)
    lost = sum(record["messageId"] in again and _is_last_try(record) for record in event["Records"])
    metrics.add_metric("DeliveriesProcessed", MetricUnit.Count, processed)
    metrics.add_metric("DeliveriesRetried", MetricUnit.Count, len(again) - lost)
    metrics.add_metric("DeliveriesFailed", MetricUnit.Count, lost)
    _count(processed, lost)
    return dict(answer)


def _is_last_try(record: dict[str, Any]) -> bool:
    """Whether SQS moves a message to the dead-letter queue if it fails now."""
    return int(record["attributes"]["ApproximateReceiveCount"]) >= _MAX_RECEIVES


def _process(record: SQSRecord) -> None:
    try:
        for event in from_json(record.body):
            logger.set_correlation_id(event.delivery)
            logger.info("Delivery processed", extra={"kind": event.kind, **_apply(event)})
    except Exception:
        logger.exception("Delivery failed", extra={"message_id": record.message_id})
        raise


def _apply(event: IssueEvent) -> dict[str, Any]:
    """Bring the timers in line with an event and return what to log of it."""
    try:
        issue = Issue.of(event.repo, event.number)
    except InvalidInput as error:
        return {"outcome": "ignored", "reason": f"not_an_issue: {error}"}
    users = None if event.users is None else frozenset(event.users)
    if users is not None and not settings().track_unregistered:
        registered = people.registered(users)
        unregistered = len(users) - len(registered)
        if unregistered:
            metrics.add_metric("UsersNotRegistered", MetricUnit.Count, unregistered)
        if not registered:
            return {"outcome": "ignored", "reason": "user_not_registered"}
        users = frozenset(registered)
    if event.kind == LOG:
        changed = [timer for user_id in users or () for timer in _log_time(event, issue, user_id)]
    else:
        changed = facts.apply(Fact(event.delivery, event.kind, event.at_ms, users), issue, now_ms=now_ms())
    return {"outcome": "applied", "timers": [timer.id for timer in changed]}


def _log_time(event: IssueEvent, issue: Issue, user_id: int) -> list[Timer]:
    """Add finished time up to the moment of the event; its id makes a repetition the same timer."""
    timer = finished(
        user_id=user_id,
        ulid=derived_ulid(event.at_ms, issue.key, str(user_id), event.delivery),
        start_ms=event.at_ms - event.duration_ms,
        end_ms=event.at_ms,
        now_ms=max(event.at_ms, now_ms()),
        issue=issue,
        by=event.kind,
    )
    try:
        return [timers.add(timer)]
    except TimerNotFound:
        # The person has deleted it since the delivery came first.
        return []


def _count(processed: int, failed: int) -> None:
    try:
        health.count_deliveries(processed=processed, failed=failed, now_ms=now_ms())
    except Exception:
        # The deliveries are done; for a statistic they are not done again.
        logger.exception("The deliveries could not be counted")
