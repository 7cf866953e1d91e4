"""Webhook deliveries in GitHub's format.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import uuid
from pathlib import Path

from timer_core.github.webhooks.signature import sign

WEBHOOK_PATH = "/api/github-timer-webhook/"


def event_of(file: Path) -> str:
    """Return the event's name from a sample's file name: ``issues`` for ``issues.assigned.json``."""
    return file.name.partition(".")[0]


def delivery_headers(event: str, body: bytes, secret: str, *, delivery: str | None = None) -> dict[str, str]:
    """Return the headers of a delivery with this body; the GUID is new unless ``delivery`` is given."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/local",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
        "X-Hub-Signature-256": sign(secret, body),
    }
