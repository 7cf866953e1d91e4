"""Takes deliveries from the queue and brings the timers in line with them."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

import boto3
from aws_lambda_powertools import Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core.clients import CLIENT_CONFIG
from timer_core.clock import now_ms
from timer_core.domain.issues import Issue
from timer_core.github.api.cards import ask_card
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.github.api.errors import GitHubError, InvalidCredential, NoCredential, Refused, Unavailable
from timer_core.github.api.replies import send_reply
from timer_core.github.messages import (
    CardEvent,
    CommentEvent,
    IssueEvent,
    Message,
    MoveEvent,
    QueuedEvent,
    ReplyEvent,
    from_json,
)
from timer_core.observability import make_logger, make_metrics
from timer_core.services.command_replies import answer_to
from timer_core.services.event_handler import EventHandler, Handled
from timer_core.services.issue_timers import IssueTimers
from timer_core.settings import settings
from timer_core.store.health import Capability, HealthStore
from timer_core.store.hooks import HookStore
from timer_core.store.people import PeopleStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from webhook.queue import send

# What fails waits this long, and twice as long each time. What waits for GitHub waits an hour at most,
# within which its primary rate limit ends; all else holds up what is told of its issue meanwhile.
_FIRST_WAIT_S = 15
_LONGEST_WAIT_S = 120
_LONGEST_WAIT_FOR_GITHUB_S = 3_600
# What is begun with less time left than one question to GitHub takes at most waits for the next batch.
_RESERVE_MS = 8_000
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.UNPROCESSABLE_ENTITY}

logger = make_logger("webhook-process")
metrics = make_metrics("webhook-process")
tracer = Tracer(service="webhook-process", patch_modules=["botocore"])

table = Table(settings().table_name)
timers = TimerStore(table, exclusive=settings().exclusive)
issue_timers = IssueTimers(table, timers)
event_handler = EventHandler(
    issue_timers, timers, PeopleStore(table), track_unregistered=settings().track_unregistered
)
health = HealthStore(table)
hooks = HookStore(table)
github = GitHub(CredentialParameter(settings().github_credential), api_url=settings().github_api_url)
triggers = settings().triggers

# What fails is delivered again by itself: in which order an issue's deliveries are processed does
# not matter, so the others of its batch need not follow it.
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class _NoTime(Exception):
    """There is too little time left to begin with a message."""


@logger.inject_lambda_context
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process a batch; answer which messages to deliver again."""
    records = _in_turn(event["Records"])
    answer = process_partial_response(
        event={"Records": records}, record_handler=_process, processor=processor, context=context
    )
    again = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    processed = len(records) - len(again)
    lost = sum(record["messageId"] in again and _is_last_try(record) for record in records)
    metrics.add_metric("DeliveriesProcessed", MetricUnit.Count, processed)
    metrics.add_metric("DeliveriesRetried", MetricUnit.Count, len(again) - lost)
    metrics.add_metric("DeliveriesFailed", MetricUnit.Count, lost)
    _count(processed, lost)
    return dict(answer)


def _in_turn(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a batch in the order to process it: forwards and backwards by turns.

    One of its messages may be the end of whatever process takes it. Those before it are done and deleted the
    next time (see `_process`), and those after it the time after that.
    """
    most = max(map(_receives, records))
    return records if most % 2 else records[::-1]


def _receives(record: dict[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _is_last_try(record: dict[str, Any]) -> bool:
    """Whether SQS moves a message to the dead-letter queue if it fails now."""
    return _receives(record) >= settings().max_receives


def _process(record: SQSRecord, lambda_context: LambdaContext) -> None:
    is_last_try = _is_last_try(record.raw_event)
    if lambda_context.get_remaining_time_in_millis() < _RESERVE_MS and not is_last_try:
        # What is done is deleted when the function answers, and not if it is stopped before.
        _put_off(record, 0)
        raise _NoTime
    # Of the message before, otherwise, until it is known what this one tells of.
    logger.set_correlation_id(record.raw_event["attributes"].get("MessageDeduplicationId"))
    try:
        message = from_json(record.body)
        if message.delivery:
            # An answer is queued by a name of its own, and so may be what was redriven.
            logger.set_correlation_id(message.delivery)
        for event in message.events:
            logger.info("Delivery processed", extra={"event": type(event).__name__, **_take(event, message)})
        if message.hook is not None:
            hooks.note(message.hook.path, now_ms=now_ms())
    except Exception as error:
        logger.exception("Delivery failed", extra={"message_id": record.message_id})
        if not is_last_try:
            _put_off(record, _wait_s(record, error))
        raise
    if _receives(record.raw_event) > 1:
        # The last time may have ended with the process, and so may this one.
        _delete(record)


def _wait_s(record: SQSRecord, error: Exception) -> int:
    """Return how long a failed message waits: longer each time, or for as long as GitHub says."""
    most_s = _LONGEST_WAIT_FOR_GITHUB_S if isinstance(error, GitHubError) else _LONGEST_WAIT_S
    longest_s = min(most_s, _FIRST_WAIT_S * 2 ** min(_receives(record.raw_event), 20))
    wait_s = random.uniform(longest_s / 2, longest_s)  # noqa: S311 - not for secrets
    if isinstance(error, Unavailable) and error.retry_after_s is not None:
        wait_s = min(most_s, max(wait_s, error.retry_after_s))
    return round(wait_s)


def _put_off(record: SQSRecord, wait_s: int) -> None:
    try:
        _sqs().change_message_visibility(
            QueueUrl=settings().delivery_queue_url,
            ReceiptHandle=record.receipt_handle,
            VisibilityTimeout=wait_s,
        )
    except Exception:
        # Then it waits for the queue's own time.
        logger.exception("The message could not be put off")


def _delete(record: SQSRecord) -> None:
    try:
        _sqs().delete_message(QueueUrl=settings().delivery_queue_url, ReceiptHandle=record.receipt_handle)
    except Exception:
        # Then it is deleted with its batch.
        logger.exception("The message could not be deleted")


@cache
def _sqs() -> Any:
    return boto3.client("sqs", config=CLIENT_CONFIG)


def _take(event: QueuedEvent, message: Message) -> dict[str, Any]:
    """Bring the timers in line with an event and return what to log of it."""
    match event:
        case IssueEvent():
            return {"kind": event.kind, **_outcome(event_handler.take(event, now_ms=now_ms()))}
        case MoveEvent():
            return _outcome(event_handler.move(event, now_ms=now_ms()))
        case CardEvent():
            return _with_github("project_cards", lambda: _take_card(event))
        case CommentEvent():
            commands = [command for command in message.events if isinstance(command, IssueEvent)]
            return _queue_reply(event, commands)
        case ReplyEvent():
            return _with_github("answers", lambda: _send_reply(event))


def _outcome(taken: Handled) -> dict[str, Any]:
    if taken.unregistered:
        metrics.add_metric("UsersNotRegistered", MetricUnit.Count, taken.unregistered)
    if taken.reason:
        return {"outcome": "ignored", "reason": taken.reason}
    return {"outcome": "applied", "timers": [timer.id for timer in taken.timers]}


# ---------------------------------------------------------------------- what needs GitHub's API


def _with_github(capability: Capability, take: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do what needs GitHub's API, and note whether we can.

    What GitHub refuses is given up, because trying again does not help. What it cannot do now, or
    not with a credential that has expired, is raised, and tried again.
    """
    try:
        outcome = take()
    except (NoCredential, InvalidCredential, Refused) as error:
        if not _is_about_this_one(error):
            _note(capability, is_able=False)
        if isinstance(error, Refused) and error.status == HTTPStatus.UNAUTHORIZED:
            raise
        metrics.add_metric("GitHubRefusals", MetricUnit.Count, 1)
        # Of a comment only the answer is given up: what it commands is done.
        name = "not_answered" if capability == "answers" else "given_up"
        return {"outcome": name, "reason": str(error)}
    _note(capability, is_able=True)
    return outcome


def _is_about_this_one(error: GitHubError) -> bool:
    """Whether something is gone or locked, which does not say what is possible otherwise."""
    return isinstance(error, Refused) and (error.status in _GONE or "locked" in error.reason.lower())


def _note(capability: Capability, *, is_able: bool) -> None:
    try:
        health.note_github(github.credential_kind(), {capability: is_able}, now_ms=now_ms())
    except Exception:
        logger.exception("It could not be noted what is possible on GitHub")


def _take_card(event: CardEvent) -> dict[str, Any]:
    """Take in that a card was moved: it starts the timers of the assignees, or pauses or stops all."""
    card = ask_card(github, event, triggers.status_field)
    if card is None:
        return {"outcome": "ignored", "reason": "no_such_card"}
    kind = triggers.kind_of_status(card.status)
    users = None
    if kind == "project.start":
        if card.state.is_closed:
            return {"outcome": "ignored", "reason": "issue_closed"}
        users = tuple(sorted(card.state.assignees))
        if not users:
            return {"outcome": "ignored", "reason": "no_assignees"}
    issue = card.state.issue
    moved = IssueEvent(
        delivery=event.delivery,
        kind=kind,
        repo=issue.full_name,
        number=issue.number,
        at_ms=card.at_ms,
        users=users,
        title=issue.title,
    )
    return {"kind": kind, **_outcome(event_handler.take(moved, now_ms=now_ms()))}


def _queue_reply(comment: CommentEvent, commands: Sequence[IssueEvent]) -> dict[str, Any]:
    """Queue the answer to a comment by itself: what is told of the issue after it need not wait."""
    is_registered = event_handler.was_timed(comment.author, at_ms=comment.at_ms)
    issue = Issue.of(comment.repo, comment.number)
    own = issue_timers.timers_of(comment.author, issue, at_ms=comment.at_ms) if is_registered else []
    answer = answer_to(comment, commands, own, is_registered=is_registered)
    send(_sqs(), settings().delivery_queue_url, [answer], delivery=f"comment-{comment.comment}-answer")
    return {"outcome": "answer_queued", "reaction": answer.reaction}


def _send_reply(answer: ReplyEvent) -> dict[str, Any]:
    send_reply(github, answer)
    return {"outcome": "answered", "reaction": answer.reaction}


def _count(processed: int, failed: int) -> None:
    try:
        health.count_deliveries(processed=processed, failed=failed, now_ms=now_ms())
    except Exception:
        # The deliveries are done; for a statistic they are not done again.
        logger.exception("The deliveries could not be counted")
