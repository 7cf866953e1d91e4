"""Time that the webhook's receiver takes for a delivery, without its call to the queue."""

import importlib
import json
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from tests.support.gateway import Context, request_event
from timer_core.github.webhooks.signature import sign

_PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
SECRET = "bench"
_DELIVERIES = 2_000
_WARM_UP = 100
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "DELIVERY_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/bench.fifo",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "START_LABELS": "bug",
    "TABLE_NAME": "bench",
    "WEBHOOK_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:bench",
}


class _Queue:
    """Accepts every message immediately."""

    def send_message(self, **_: str) -> None:
        return


class _Secrets:
    def get(self) -> tuple[str, ...]:
        return (SECRET, "")

    def refresh(self) -> bool:
        return False


def load_receiver() -> ModuleType:
    """Load the receiver's module, with `SECRET` as the secret that signs deliveries."""
    os.environ.update(_ENVIRONMENT)
    receiver = importlib.import_module("webhook.receive")
    vars(receiver).update(secrets=_Secrets())
    return receiver


def measure() -> str:
    """Return the table of the median and the 99th percentile of warm deliveries, in milliseconds."""
    receiver = load_receiver()
    vars(receiver).update(sqs=_Queue())
    rows = ["| delivery | KB | response | median ms | p99 ms |", "| --- | ---: | ---: | ---: | ---: |"]
    assigned = (_PAYLOADS / "issues.assigned.json").read_bytes()
    for name, event, body, content_type in (
        ("issues.assigned", "issues", assigned, "application/json"),
        (
            "issues.assigned, as a form",
            "issues",
            b"payload=" + quote(assigned).encode(),
            "application/x-www-form-urlencoded",
        ),
        (
            "issues.transferred",
            "issues",
            (_PAYLOADS / "issues.transferred.json").read_bytes(),
            "application/json",
        ),
        ("issue_comment.created, a command", "issue_comment", _command(), "application/json"),
        (
            "issues.opened, ignored",
            "issues",
            (_PAYLOADS / "issues.opened.json").read_bytes(),
            "application/json",
        ),
    ):
        headers = {
            "x-github-event": event,
            "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "x-hub-signature-256": sign(SECRET, body),
            "content-type": content_type,
        }
        status, times = _times(receiver.handler, headers, body)
        rows.append(
            f"| {name} | {len(body) / 1024:.0f} | {status} | {statistics.median(times):.2f} "
            f"| {statistics.quantiles(times, n=100)[98]:.2f} |"
        )
    return "\n".join(rows)


def _command() -> bytes:
    payload = json.loads((_PAYLOADS / "issue_comment.created.json").read_text())
    payload["comment"]["body"] = "Done for today.\n\n/timer log 1h30m"
    return json.dumps(payload).encode()


def _times(handler: object, headers: Mapping[str, str], body: bytes) -> tuple[int, list[float]]:
    assert callable(handler)
    times, status = [], 0
    for number in range(_WARM_UP + _DELIVERIES):
        event = request_event("POST", "/api/github-timer-webhook/", body=body, headers=headers)
        began = time.perf_counter()
        status = handler(event, Context())["statusCode"]
        if number >= _WARM_UP:
            times.append((time.perf_counter() - began) * 1000)
    return status, times
