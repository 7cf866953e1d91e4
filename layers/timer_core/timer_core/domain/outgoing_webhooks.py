"""Outgoing webhooks: the addresses to which an organization has notifications sent."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.notifications import Happening

MAX_WEBHOOKS = 20
MAX_ADDRESS = 2000
# A failed notification is sent again for this time, as GitHub's deliveries can be.
RETRIED_FOR_MS = 3 * 86_400_000

_FIRST_WAIT_S = 60
_LONGEST_WAIT_S = 6 * 3600
# RFC 3986 allows these characters, and "%". All others could be read differently by two parsers.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
# A name in the Domain Name System. Its last label begins with a letter, so it is no IPv4 address.
_HOST = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])"
)
_PORTS = {443, 8443}
_LOCAL_HOSTS = {"localhost", "127.0.0.1"}


class WebhookFormat(StrEnum):
    """The form of the body that a receiver expects."""

    JSON = "json"
    SLACK = "slack"


@dataclass(frozen=True, slots=True)
class OutgoingWebhook:
    """An address to which notifications are sent.

    Attributes
    ----------
    url
        The address. It may be a secret, as Slack's are.
    secret
        The key that signs the notifications; empty if they are not signed.
    """

    id: str
    url: str
    secret: str
    happenings: frozenset[Happening]
    format: WebhookFormat
    created_ms: int


class Order(NamedTuple):
    """A message of the queue: a notification to send to an outgoing webhook.

    Attributes
    ----------
    webhook, user, notification
        The ids of the webhook, of the person in whose partition the notification is, and of the notification.
    again
        Whether to send a notification that was sent already.
    """

    webhook: str
    user: int
    notification: str
    again: bool = False

    def to_json(self) -> str:
        """Return the body of the message."""
        return json.dumps(self._asdict())


class Target(NamedTuple):
    """The parts of an address that a request needs; ``path`` includes the query."""

    is_secure: bool
    host: str
    port: int
    path: str


def parse_address(url: str, *, allow_local: bool = False) -> Target:
    """Return the parts of an address to which notifications may be sent.

    The name of its host may still lead to a private network, which the sender checks.

    Parameters
    ----------
    allow_local
        Whether this machine may be the receiver, over plain HTTP and at any port. It is false in AWS.

    Raises
    ------
    InvalidInput
        If the address is not an HTTPS address of a host name, with port 443 or 8443, or it contains
        credentials or a fragment.
    """
    if len(url) > MAX_ADDRESS:
        raise InvalidInput("url", f"Must have at most {MAX_ADDRESS} characters.", ErrorCode.TOO_LONG)
    refused = InvalidInput(
        "url",
        "Must be an address such as https://example.com/path, with a host name, port 443 or 8443, and without"
        " credentials and fragment.",
        ErrorCode.NOT_AN_ADDRESS,
    )
    if not _CHARACTERS.fullmatch(url):
        raise refused
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused from None
    host = parts.hostname or ""
    # An empty fragment or empty credentials are only visible in the text.
    if "#" in url or "@" in parts.netloc or "[" in parts.netloc:
        raise refused
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if allow_local and parts.scheme == "http" and host in _LOCAL_HOSTS:
        return Target(False, host, port or 80, path)
    if parts.scheme != "https" or not _HOST.fullmatch(host) or (port or 443) not in _PORTS:
        raise refused
    return Target(True, host, port or 443, path)


def wait_s(attempt: int, fraction: float) -> int:
    """Return the time until the next attempt (seconds).

    It is a minute after the first attempt, doubles with each, and is six hours at most.

    Parameters
    ----------
    attempt
        The number of the attempt that failed, from 1 on.
    fraction
        A random number from 0 to 1, so that notifications that failed together are not repeated together. Up
        to half of the time is omitted.
    """
    longest_s: int = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(attempt - 1, 20))
    return int(longest_s * (1 - fraction / 2))
