"""Process the queued deliveries: handle their events, and retry what fails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core import startup
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.github.messages import Message, QueuedEvent, ReplyEvent, from_json
from timer_core.observability import make_logger
from timer_core.services.event_handler import EventHandler
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.lead_teams import LeadTeams
from timer_core.services.message_retries import retry_after, wait_s
from timer_core.services.queued_events import Outcome, QueuedEventHandler
from timer_core.services.write_back_queue import WriteBackQueue
from timer_core.settings import settings
from timer_core.store.health import DeliveryState, HealthStore, LastDelivery
from timer_core.store.hooks import HookStore
from timer_core.store.lead_teams import LeadTeamStore
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from webhook.queue import send

# The longest time of one request to GitHub; if less time remains, a message waits for the next batch.
_RESERVE_MS = 8_000

logger = make_logger("webhook-process")
tracer = Tracer(service="webhook-process", patch_modules=["botocore"])


@cache
def _sqs() -> Any:
    return client("sqs")


def _queue_reply(reply: ReplyEvent) -> None:
    send(_sqs(), settings().delivery_queue_url, [reply], delivery=f"comment-{reply.comment}-reply")


table = Table(settings().table_name)
timers = TimerStore(table)
issue_timers = IssueTimers(table, timers)
health = HealthStore(table)
hooks = HookStore(table)
github = GitHub(CredentialParameter(settings().github_credential), api_url=settings().github_api_url)
write_back_queue = WriteBackQueue(_sqs, settings().write_back_queue_url)
lead_teams = LeadTeams(github, LeadTeamStore(table), settings().triggers.lead_teams, logger)
queued_events = QueuedEventHandler(
    EventHandler(
        issue_timers,
        timers,
        PeopleStore(table),
        track_unregistered=settings().track_unregistered,
        again_after_ms=settings().apply_again_after_s * 1000,
    ),
    issue_timers,
    lead_teams,
    github,
    settings().triggers,
    health,
    queue_reply=_queue_reply,
    queue_closed=lambda issue: write_back_queue.send([issue]),
    clock=now_ms,
    logger=logger,
)

# SQS delivers only the failed messages again. The messages after a failed message are still processed,
# because the order of an issue's deliveries does not matter.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class _NoTime(Exception):
    """Too little time remains to process a message."""


class _Again(Exception):
    """A message is done, and has to be processed again later."""


@startup.completes
@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch; return the ids of the messages that SQS should deliver again."""
    records = _in_alternating_order(event["Records"])
    batch = BatchReport()
    response = process_partial_response(
        event={"Records": records},
        record_handler=lambda record, lambda_context: _process(record, lambda_context, batch),
        processor=processor,
        context=context,
    )
    failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
    processed = len(records) - len(failed) - batch.reports
    lost = sum(record["messageId"] in failed and _is_last_try(record) for record in records)
    _count_deliveries(processed, lost, batch)
    return dict(response)


@dataclass(slots=True)
class BatchReport:
    """The deliveries of a batch for admins.

    Attributes
    ----------
    reports
        The messages that only report an ignored or refused delivery.
    ignored
        The processed deliveries that changed no timer.
    last
        The last delivery.
    refused_ms
        When a delivery with a wrong signature was received (milliseconds since the epoch); None if there was
        none.
    """

    reports: int = 0
    ignored: int = 0
    last: LastDelivery | None = None
    refused_ms: int | None = None

    def add(self, message: Message, state: DeliveryState, reason: str) -> None:
        """Add a message that was handled, or has failed."""
        summary = message.summary
        if summary is None:
            return
        if summary.is_refused:
            self.refused_ms = summary.received_ms
        else:
            self.last = LastDelivery(summary.event, summary.source, summary.received_ms, state, reason)
        self.reports += bool(summary.ignored) or summary.is_refused
        self.ignored += state in {"ignored", "given_up"} and not summary.ignored


def _in_alternating_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a batch in the order of processing. The order is reversed at even attempts.

    A poison message may kill the process at every attempt. `_process` deletes each retried message when it is
    done. So the odd attempts process the messages before the poison message, and the even attempts the
    messages after it.
    """
    attempt = max(map(_receive_count, records))
    return records if attempt % 2 else records[::-1]


def _receive_count(record: dict[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _is_last_try(record: dict[str, Any]) -> bool:
    """Whether SQS moves a message to the dead-letter queue if it fails now."""
    return _receive_count(record) >= settings().max_receives


def _process(record: SQSRecord, lambda_context: LambdaContext, batch: BatchReport) -> None:
    is_last_try = _is_last_try(record.raw_event)
    if lambda_context.get_remaining_time_in_millis() < _RESERVE_MS and not is_last_try:
        # Leave this message to the next batch. SQS deletes the processed messages only if the function
        # returns in time.
        _retry_after(record, 0)
        raise _NoTime
    # Replace the id of the previous message before parsing, because this message may be invalid.
    logger.set_correlation_id(record.raw_event["attributes"].get("MessageDeduplicationId"))
    message = None
    try:
        message = from_json(record.body)
        if message.delivery:
            # Replies and redriven messages have a deduplication id that differs from the delivery's GUID.
            logger.set_correlation_id(message.delivery)
        outcomes = [_handle(event, message) for event in message.events]
        if message.hook is not None:
            hooks.note(message.hook.path, now_ms=now_ms())
    except Exception as error:
        if message is not None:
            batch.add(message, "failed" if is_last_try else "waiting", "")
        logger.exception(
            "Delivery failed", extra={"message_id": record.message_id, "is_last_try": is_last_try}
        )
        if not is_last_try:
            _retry_after(record, wait_s(error, receives=_receive_count(record.raw_event)))
        raise
    again_ms = max((outcome.again_ms for outcome in outcomes), default=0)
    if again_ms and not is_last_try:
        batch.add(message, "waiting", "")
        _retry_after(record, math.ceil(again_ms / 1000))
        raise _Again
    batch.add(message, *_state_of(message, outcomes))
    if again_ms:
        # SQS would move this message to the dead-letter queue. A new message with the same events has all
        # attempts; it waits after its first one.
        again = f"{message.delivery}-again"
        send(_sqs(), settings().delivery_queue_url, message.events, delivery=again, hook=message.hook)
    if _receive_count(record.raw_event) > 1:
        # Delete this message now. Another message of the batch may have killed the process at the last
        # attempt, and may kill the process again.
        _delete(record)


def _state_of(message: Message, outcomes: Sequence[Outcome]) -> tuple[DeliveryState, str]:
    """Return what became of a delivery, and the reason if it was ignored or given up."""
    if message.summary is not None and message.summary.ignored:
        return "ignored", message.summary.ignored
    given_up = next((outcome for outcome in outcomes if outcome.name == "given_up"), None)
    if given_up:
        return "given_up", given_up.details["reason"]
    if outcomes and all(outcome.name == "ignored" for outcome in outcomes):
        return "ignored", outcomes[0].details["reason"]
    return "processed", ""


def _handle(event: QueuedEvent, message: Message) -> Outcome:
    outcome = queued_events.handle(event, message)
    counts = {"unregistered": outcome.unregistered, "refused_by_github": int(outcome.is_refused)}
    details = outcome.details | {name: count for name, count in counts.items() if count}
    fields = {"event": type(event).__name__, "outcome": outcome.name, **details}
    logger.info("Delivery processed", extra=fields)
    return outcome


def _retry_after(record: SQSRecord, delay_s: int) -> None:
    retry_after(_sqs(), settings().delivery_queue_url, record.receipt_handle, delay_s, logger)


def _delete(record: SQSRecord) -> None:
    try:
        _sqs().delete_message(QueueUrl=settings().delivery_queue_url, ReceiptHandle=record.receipt_handle)
    except Exception:
        # SQS deletes the message when the whole batch has been processed.
        logger.exception("The message could not be deleted")


def _count_deliveries(processed: int, failed: int, batch: BatchReport) -> None:
    try:
        health.count_deliveries(
            processed=processed,
            ignored=batch.ignored,
            failed=failed,
            last=batch.last,
            refused_ms=batch.refused_ms,
            now_ms=now_ms(),
        )
    except Exception:
        # Do not raise the error, because SQS would then deliver the processed messages again.
        logger.exception("The deliveries could not be counted")
