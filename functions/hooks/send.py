"""Send notifications to outgoing webhooks.

A message of the queue names a webhook and a notification. A notification is sent at least once, and again for
three days until the receiver accepts it. Its person may have decided meanwhile that nobody sees their time,
or have deleted their account, so each attempt reads both anew.
"""

import json
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from hooks.slack import message
from hooks.transport import SendingFailed, Transport
from timer_core import startup
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.domain.errors import InvalidInput
from timer_core.domain.notifications import Happening
from timer_core.domain.outgoing_webhooks import (
    RETRIED_FOR_MS,
    Order,
    OutgoingWebhook,
    WebhookFormat,
    parse_address,
    wait_s,
)
from timer_core.github.webhooks.signature import sign
from timer_core.observability import make_logger
from timer_core.services.message_retries import retry_after
from timer_core.services.team import Team
from timer_core.settings import settings
from timer_core.store.outgoing_webhooks import (
    Attempt,
    Batch,
    Notification,
    Notifications,
    Sending,
    SendingState,
)
from timer_core.store.table import Table

# The size of a batch (template.yaml).
_THREADS = 10
# After a time-out, a process leaves the host alone for this time, so that others do not wait for it.
_SPARED_FOR_MS = 60_000

logger = make_logger("hooks")

table = Table(settings().table_name)
notifications = Notifications(table)
team = Team(
    table,
    lead_teams=settings().triggers.lead_teams,
    admins=settings().admins,
    default=settings().team_visibility,
)
transport = Transport()
# The hosts that did not respond in time, with the times of this (milliseconds since the epoch).
_slow_ms: dict[str, int] = {}


@cache
def _sqs() -> Any:
    return client("sqs")


@dataclass(frozen=True, slots=True)
class _Received:
    """A message of the queue.

    Attributes
    ----------
    number
        How often SQS has delivered it, with this time.
    sent_ms
        When it was queued (milliseconds since the epoch).
    """

    id: str
    handle: str
    number: int
    sent_ms: int
    order: Order


@startup.completes
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes it
    """Send the notifications of a batch; return the messages that SQS delivers again."""
    received, failed = list[_Received](), list[str]()
    for record in event["Records"]:
        try:
            received.append(_received(record))
        except (ValueError, TypeError):
            logger.exception("A message names no notification", extra={"message_id": record["messageId"]})
            failed.append(record["messageId"])
    batch = notifications.read(one.order[:3] for one in received)
    visible = team.seen_by_leads({one.order.user for one in received}).keys()
    with ThreadPoolExecutor(_THREADS) as pool:
        done = pool.map(lambda one: _handle(one, batch, is_visible=one.order.user in visible), received)
    failed += [one.id for one, is_done in zip(received, done, strict=True) if not is_done]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _received(record: Mapping[str, Any]) -> _Received:
    attributes = record["attributes"]
    return _Received(
        record["messageId"],
        record["receiptHandle"],
        int(attributes["ApproximateReceiveCount"]),
        int(attributes["SentTimestamp"]),
        Order(**json.loads(record["body"])),
    )


def _handle(received: _Received, batch: Batch, *, is_visible: bool) -> bool:
    """Send a notification, and return whether its message is done."""
    order = received.order
    webhook = batch.webhook(order.webhook)
    notification = batch.notification(order.user, order.notification)
    if webhook is None or notification is None:
        # The webhook was removed, or the person's account, or the notification has expired.
        return True
    known = batch.sending(webhook.id, notification.id)
    if known and known.state is SendingState.SENT and not order.again:
        return True
    if not is_visible and notification.happening is not Happening.PING:
        logger.info("The person of a notification is hidden", extra={"notification": notification.id})
        return True
    try:
        return _send(received, webhook, notification)
    except Exception:
        logger.exception("A notification could not be handled", extra={"notification": notification.id})
        _retry_later(received)
        return False


def _send(received: _Received, webhook: OutgoingWebhook, notification: Notification) -> bool:
    began_ms = now_ms()
    attempt = _attempt(webhook, notification, began_ms)
    if attempt is None:
        _retry_later(received)
        return False
    is_sent = attempt.status is not None and 200 <= attempt.status < 300
    is_last = attempt.failure == "address_refused" or began_ms - received.sent_ms >= RETRIED_FOR_MS
    state = SendingState.SENT if is_sent else SendingState.GIVEN_UP if is_last else SendingState.WAITING
    sending = Sending(notification.id, notification.happening, notification.user_id, state)
    notifications.record(webhook.id, sending, attempt, now_ms=began_ms)
    logger.info(
        "Notification sent" if is_sent else "Notification not sent",
        extra={
            "webhook": webhook.id,
            "notification": notification.id,
            "state": state,
            "status": attempt.status,
            "failure": attempt.failure,
        },
    )
    if state is SendingState.WAITING:
        _retry_later(received)
    return state is not SendingState.WAITING


def _attempt(webhook: OutgoingWebhook, notification: Notification, at_ms: int) -> Attempt | None:
    """Send a request; return None without one if the host did not respond in time a moment ago."""
    try:
        target = parse_address(webhook.url, allow_local=settings().local_port is not None)
    except InvalidInput:
        return Attempt(at_ms, 0, failure="address_refused")
    if at_ms - _slow_ms.get(target.host, -_SPARED_FOR_MS) < _SPARED_FOR_MS:
        return None
    body = _body(webhook, notification)
    began = time.monotonic()
    attempt = Attempt(at_ms, 0)
    try:
        status = transport.post(target, body, _headers(webhook, notification, body))
        attempt = attempt._replace(status=status)
    except SendingFailed as failed:
        attempt = attempt._replace(failure=failed.reason)
        if failed.reason == "timeout":
            _slow_ms[target.host] = at_ms
    return attempt._replace(duration_ms=round((time.monotonic() - began) * 1000))


def _body(webhook: OutgoingWebhook, notification: Notification) -> bytes:
    body = notification.body if webhook.format is WebhookFormat.JSON else message(notification.body)
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def _headers(webhook: OutgoingWebhook, notification: Notification, body: bytes) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "issue-timer",
        "X-Issue-Timer-Event": notification.happening.value,
        "X-Issue-Timer-Delivery": notification.id,
    }
    if webhook.secret:
        headers["X-Issue-Timer-Signature-256"] = sign(webhook.secret, body)
    return headers


def _retry_later(received: _Received) -> None:
    delay_s = wait_s(received.number, random.random())  # noqa: S311 - not for secrets
    retry_after(_sqs(), settings().hook_queue_url, received.handle, delay_s, logger)
