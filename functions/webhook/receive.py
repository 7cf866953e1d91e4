"""Receive a delivery from GitHub: check its signature, reduce it to events and queue them.

GitHub waits for 10 seconds and does not retry ("Handling failed webhook deliveries"). So this function does
little, and imports few modules. If the queue does not accept the delivery, the response is an error: GitHub
then lists the delivery as failed, and the sweeper requests its redelivery.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from timer_core import startup
from timer_core.api.problems import HttpError, response
from timer_core.clients import client
from timer_core.clock import now_ms
from timer_core.github.messages import DeliverySummary, Hook, QueuedEvent
from timer_core.github.webhooks.payloads import (
    Ignored,
    IgnoredReason,
    MalformedDelivery,
    hook_of,
    not_timed,
    read,
    server_of,
    summary_of,
)
from timer_core.github.webhooks.signature import is_signed
from timer_core.observability import make_logger, publish
from timer_core.secrets import WEBHOOK_STAGE, RotatingSecret
from timer_core.settings import settings
from webhook.queue import send

logger = make_logger("webhook-receive")

_ABOUT = "This is the address of Issue Timer's webhook, to which GitHub delivers events with POST requests."
# An SQS deduplication id has at most 128 letters, digits and punctuation marks; GitHub sends a UUID.
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,72}")
# The share of deliveries that may fail. Each delivery publishes by how much it exceeds this share. So the sum
# of one metric is the number of failures beyond the share, which WebhookFailureAlarm reads.
_TOLERATED_FAILURES = 0.05

sqs = client("sqs")
triggers = settings().triggers
# The minute of the last report of each kind.
_reported: dict[str, int] = {}
secrets = RotatingSecret(client("secretsmanager"), settings().webhook_secret_arn, WEBHOOK_STAGE)


@startup.completes
@logger.inject_lambda_context
def handler(event: dict[str, Any], _: LambdaContext) -> dict[str, Any]:
    """Respond to a delivery with 202 (queued), 200 (ignored), 400, 401, 415 (refused) or 503 (not queued)."""
    method = event["requestContext"]["http"]["method"]
    if method != "POST":
        return _response_to(method)
    # Every log line about a delivery contains its GUID, here and in the processor.
    delivery = event["headers"].get("x-github-delivery", "")
    # The sender is not verified yet, so no other part of the request may be logged.
    logger.set_correlation_id(delivery if _DELIVERY.fullmatch(delivery) else None)
    try:
        status, body = _receive(event["headers"], _raw_body(event))
    except HttpError as refused:
        logger.warning("Delivery refused", extra={"status": refused.status.value, "reason": refused.detail})
        publish("ExcessDeliveryFailures", 1 - _TOLERATED_FAILURES)
        return response(refused.status, refused.detail, refused.headers)
    logger.info("Delivery received", extra=body)
    publish("ExcessDeliveryFailures", -_TOLERATED_FAILURES)
    return {
        "statusCode": status.value,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def _response_to(method: str) -> dict[str, Any]:
    """Return the response to a request that is not a delivery, for example of a person's browser."""
    if method not in {"GET", "HEAD"}:
        allowed = {"Allow": "GET, HEAD, POST"}
        return response(HTTPStatus.METHOD_NOT_ALLOWED, f"This path does not allow {method}.", allowed)
    return {
        "statusCode": HTTPStatus.OK.value,
        "headers": {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"},
        "body": _ABOUT if method == "GET" else "",
    }


def _receive(headers: Mapping[str, str], body: bytes) -> tuple[HTTPStatus, dict[str, str]]:
    # Nothing is parsed before the signature is verified.
    received_ms = now_ms()
    if not _is_authentic(headers, body):
        _report(DeliverySummary(received_ms, is_refused=True))
        raise HttpError(HTTPStatus.UNAUTHORIZED, "X-Hub-Signature-256 is missing or wrong.")
    name, delivery = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
    if not name or not _DELIVERY.fullmatch(delivery):
        raise HttpError(HTTPStatus.BAD_REQUEST, "X-GitHub-Event or X-GitHub-Delivery is missing.")
    payload = _payload(headers.get("content-type", ""), body)
    summary = summary_of(name, payload, received_ms=received_ms)
    server = server_of(headers)
    if server not in (None, settings().github_host):
        # The users and repositories of another server have other ids.
        logger.warning("Delivery of another GitHub server", extra={"server": server})
        return _ignored("other_server", summary)
    try:
        hook = hook_of(headers, payload)
        if name == "ping":
            # The processor stores the webhook, so that redelivery covers it even before its first event, and
            # admins see that the webhook works.
            _queue(delivery, (), hook, summary)
            return HTTPStatus.OK, {"status": "pong"}
        events = read(name, payload, delivery=delivery, received_ms=received_ms, triggers=triggers)
    except MalformedDelivery as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error
    if events != Ignored("not_handled") and (accounts := not_timed(payload)):
        logger.info("Accounts that are never timed", extra={"accounts": accounts})
    if isinstance(events, Ignored):
        return _ignored(events.reason, summary)
    _queue(delivery, events, hook, summary)
    return HTTPStatus.ACCEPTED, {"status": "accepted", "delivery": delivery}


def _ignored(reason: IgnoredReason, summary: DeliverySummary) -> tuple[HTTPStatus, dict[str, str]]:
    _report(replace(summary, ignored=reason))
    return HTTPStatus.OK, {"status": "ignored", "reason": reason}


def _is_authentic(headers: Mapping[str, str], body: bytes) -> bool:
    signature = headers.get("x-hub-signature-256", "")
    try:
        # If the signature does not match, the secret may have been rotated after it was fetched.
        return is_signed(body, signature, secrets.get()) or (
            bool(signature) and secrets.refresh() and is_signed(body, signature, secrets.get())
        )
    except (BotoCoreError, ClientError) as error:
        logger.exception("The webhook secret could not be read")
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "The signature cannot be checked now.") from error


def _report(summary: DeliverySummary) -> None:
    """Queue the summary of a delivery that no timer needs, for admins; at most one of a kind a minute.

    Senders without the secret can cause reports too. SQS drops those of other processes in the same minute,
    because they have the same deduplication id.
    """
    kind, minute = "refused" if summary.is_refused else "ignored", summary.received_ms // 60_000
    if _reported.get(kind) == minute:
        return
    _reported[kind] = minute
    try:
        send(sqs, settings().delivery_queue_url, (), delivery=f"{kind}-{minute}", summary=summary)
    except (BotoCoreError, ClientError):
        logger.exception("A delivery could not be reported to admins")


def _queue(delivery: str, events: Sequence[QueuedEvent], hook: Hook | None, summary: DeliverySummary) -> None:
    try:
        send(sqs, settings().delivery_queue_url, events, delivery=delivery, hook=hook, summary=summary)
    except (BotoCoreError, ClientError) as error:
        logger.exception("The queue did not accept a delivery")
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "The delivery could not be queued.") from error


def _raw_body(event: Mapping[str, Any]) -> bytes:
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body)
    except binascii.Error as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not base64.") from error


def _payload(content_type: str, body: bytes) -> dict[str, Any]:
    """Parse a body, which has one of the two content types of webhooks."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode()
        if media_type == "application/x-www-form-urlencoded":
            text = parse_qs(text, strict_parsing=True)["payload"][0]
        elif media_type != "application/json":
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "The content type must be application/json or application/x-www-form-urlencoded.",
            )
        payload = json.loads(text)
    except (ValueError, KeyError, RecursionError) as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body is not a JSON payload.") from error
    if not isinstance(payload, dict):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The payload is not a JSON object.")
    return payload
