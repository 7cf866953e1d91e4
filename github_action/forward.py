"""Forward the event that started a workflow to Issue Timer, in the form of a webhook delivery.

The script runs on the runners' Python (3.8 or newer) and needs only its standard library.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
https://docs.github.com/en/actions/reference/workflows-and-actions/variables
https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import hmac
import json
import os
import random
import re
import sys
import time
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import Any, Callable, NamedTuple
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

# The events that Issue Timer handles and that can start a workflow.
EVENTS = ("issues", "issue_comment")
ATTEMPTS = 5
TIMEOUT_S = 10.0
# All attempts and waits together take at most a minute and a half.
MAX_WAIT_S = 40.0
_MAX_RESPONSE_BYTES = 65_536


class NotForwarded(Exception):
    """The event was not forwarded; the message is the reason.

    Attributes
    ----------
    details
        The server's message or the network error; `_quoted` makes it safe for a log.
    """

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


class Retryable(NotForwarded):
    """Another attempt may succeed, in ``after_s`` seconds or later."""

    def __init__(self, reason: str, details: str = "", after_s: float = 0.0) -> None:
        super().__init__(reason, details)
        self.after_s = after_s


class Delivery(NamedTuple):
    """A webhook delivery, ready to be sent.

    Attributes
    ----------
    receiver
        The host (and port) of the URL, for the log.
    """

    receiver: str
    url: str
    headers: dict[str, str]
    body: bytes


def main() -> int:
    """Forward the event, print the result, and return the exit status."""
    event, secret = os.environ["GITHUB_EVENT_NAME"], os.environ["ISSUE_TIMER_SECRET"]
    # A rerun has the same run id, so the event counts only once.
    guid = f"run-{os.environ['GITHUB_REPOSITORY_ID']}-{os.environ['GITHUB_RUN_ID']}"
    exit_status = 0
    try:
        delivery = signed_delivery(
            os.environ["ISSUE_TIMER_URL"],
            secret,
            event=event,
            guid=guid,
            body=_event_file(Path(os.environ["GITHUB_EVENT_PATH"])),
        )
        response = forward(delivery)
        status = response["status"]
        reason = f" ({_quoted(str(response['reason']), secret)})" if "reason" in response else ""
        print(f"{event} forwarded to {delivery.receiver} as {guid}: {status}{reason}")
    except NotForwarded as failure:
        status = "failed"
        must_not_fail = os.environ["ISSUE_TIMER_FAIL_ON_ERROR"].lower() == "true"
        exit_status = int(must_not_fail)
        message = f"{failure}: {_quoted(failure.details, secret)}" if failure.details else str(failure)
        print(f"::{'error' if must_not_fail else 'warning'} title=Issue Timer::{_escaped(message)}")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
        outputs.write(f"status={status}\n")
    return exit_status


def _event_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotForwarded("The file with the event cannot be read", str(error)) from error


def signed_delivery(url: str, secret: str, *, event: str, guid: str, body: bytes) -> Delivery:
    """Return a signed delivery with this body.

    Raises
    ------
    NotForwarded
        If Issue Timer does not handle the event, the secret is missing, or the URL is not an HTTPS URL.
    """
    if not secret:
        raise NotForwarded(
            "The input secret is empty: the repository or organization has no such secret, or does not pass "
            "it to this run"
        )
    if event not in EVENTS:
        raise NotForwarded(f"Only {' and '.join(EVENTS)} are forwarded, not this event", event)
    receiver, address = _target(url.strip())
    signature = hmac.new(os.fsencode(secret), body, "sha256").hexdigest()
    headers = {
        "Host": receiver,
        "Content-Type": "application/json",
        "User-Agent": "issue-timer-action",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return Delivery(receiver, address, headers, body)


def _target(url: str) -> tuple[str, str]:
    """Return the host of a URL, and the URL to which to connect."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        # Refuse a host name with an empty or too long label here, because the connection would fail to encode
        # the name.
        host.encode("idna")
    except ValueError:
        host = ""
    if host and "@" not in parts.netloc and re.fullmatch("[!-~]+", url):
        if parts.scheme == "https":
            return parts.netloc, url
        if parts.scheme == "http" and re.fullmatch(r"127\.0\.0\.1|localhost", host):
            # Some resolvers do not resolve localhost to this machine (RFC 6761, section 6.3).
            return parts.netloc, parts._replace(netloc=f"127.0.0.1:{port or 80}").geturl()
    raise NotForwarded("The input url is not the address of a host that begins with https://")


def forward(
    delivery: Delivery, *, timeout_s: float = TIMEOUT_S, sleep: Callable[[float], None] = time.sleep
) -> dict[str, Any]:
    """Send a delivery, with retries, and return the response of Issue Timer.

    Raises
    ------
    NotForwarded
        If the delivery was refused, or failed too often.
    """
    attempt, waited_s = 1, 0.0
    while True:
        try:
            return _post(delivery, timeout_s)
        except Retryable as failure:
            backoff_s = 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311 - not for secrets
            wait_s = max(backoff_s, failure.after_s)
            waited_s += wait_s
            if attempt == ATTEMPTS or waited_s > MAX_WAIT_S:
                raise
            print(f"Attempt {attempt}: {failure}. The next one is in {wait_s:.1f} s.", flush=True)
        sleep(wait_s)
        attempt += 1


class _AnyStatus(HTTPErrorProcessor):
    """Returns errors and redirects as responses.

    Redirects are not followed, so that no other host gets the delivery.
    """

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002
        return response

    https_response = http_response


_opener = build_opener(_AnyStatus)


def _post(delivery: Delivery, timeout_s: float) -> dict[str, Any]:
    request = Request(delivery.url, delivery.body, delivery.headers, method="POST")  # noqa: S310 - see _target
    try:
        with _opener.open(request, timeout=timeout_s) as response:
            status: int = response.status
            headers: HTTPMessage = response.headers
            members = _members(response.read(_MAX_RESPONSE_BYTES))
    except (OSError, HTTPException) as error:
        raise Retryable(f"{delivery.receiver} did not answer", str(error) or type(error).__name__) from error
    outcome = f"{delivery.receiver} answered {status}"
    details = str(members.get("detail", ""))
    if status == 429 or status >= 500:
        raise Retryable(outcome, details, _retry_after_s(headers))
    if 300 <= status < 400:
        raise NotForwarded(f"{outcome}, and redirects are not followed")
    if status >= 400:
        raise NotForwarded(outcome, details)
    if members.get("status") not in ("accepted", "ignored"):
        raise NotForwarded(f"{outcome}, but not as Issue Timer does: is it the stack's WebhookUrl?")
    return members


def _members(text: bytes) -> dict[str, Any]:
    """Return the members of a JSON object; no members if the text is not a JSON object."""
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _retry_after_s(headers: HTTPMessage) -> float:
    """Return the seconds in ``Retry-After`` (RFC 9110, section 10.2.3); 0 if it is not a number."""
    value = headers.get("Retry-After", "")
    return float(value) if re.fullmatch("[0-9]{1,9}", value) else 0.0


def _quoted(text: str, secret: str) -> str:
    """Return an untrusted text for a log: on one line, shortened, and without the secret."""
    # Runners interpret "##[" as a command anywhere in a line.
    return json.dumps(text.replace(secret, "***")[:200]).replace("##[", "# #[")


def _escaped(message: str) -> str:
    """Escape a message for a workflow command, by the rules of actions/toolkit."""
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


if __name__ == "__main__":
    sys.exit(main())
