"""Hooks and their deliveries ("Webhook events and payloads", "Redelivering webhooks")."""

from __future__ import annotations

import hmac
import json
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import urllib3

from fake_github import payloads
from fake_github.model import Account, Addresses, App, Repository, Thing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fake_github.model import Installation
    from fake_github.payloads import JSON

# A URL, or a function that receives headers and body and returns the status of the response.
Receiver: TypeAlias = str | Callable[[Mapping[str, str], bytes], int]

RESPONSE_TIMEOUT_S = 10.0
RETENTION = timedelta(days=3)
BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504

# The events of an App that needs the organization permission "Members" ("Webhook events and payloads").
MEMBERS_EVENTS = frozenset({"membership", "organization", "team"})

# Ids of attempts exceed 32 bits, as at GitHub.
_FIRST_ATTEMPT = 180_000_000_000

# The Unix epoch in ticks since the start of the Gregorian calendar, from which version 1 UUIDs count.
_GREGORIAN_TICKS = 0x01B21DD213814000
_TICKS_PER_S = 10_000_000


@dataclass(eq=False, repr=False)
class Hook(Thing):
    """A webhook of a repository, an organization or an App.

    Attributes
    ----------
    events
        The events that the hook subscribes to; ``*`` means all.
    auto
        Whether deliveries are sent immediately. If not, the test sends them.
    attempts
        All attempts to deliver, oldest first.
    """

    id: int
    target: Repository | Account | App
    receiver: Receiver
    secret: str
    events: frozenset[str]
    auto: bool
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def target_type(self) -> str:
        if isinstance(self.target, App):
            return "integration"
        return "repository" if isinstance(self.target, Repository) else "organization"

    def installation(self, owner: Account) -> Installation | None:
        """Return the owner's installation of the hook's App, if any."""
        installations = self.target.installations if isinstance(self.target, App) else []
        return next((one for one in installations if one.account is owner), None)

    def receives(self, event: str, owner: Account, repository: Repository | None) -> bool:
        if not self.events & {event, "*"}:
            return False
        if isinstance(self.target, App):
            permitted = event not in MEMBERS_EVENTS or "members" in self.target.permissions
            return permitted and self.installation(owner) is not None
        return self.target is (repository if self.target_type == "repository" else owner)


@dataclass(eq=False, repr=False)
class Delivery:
    """An event for a hook, with its payload at the time of the event."""

    guid: str
    event: str
    action: str | None
    payload: JSON
    hook: Hook
    at: datetime
    repository: Repository | None = None
    installation: Installation | None = None

    def __repr__(self) -> str:
        return f"<Delivery {self.event}.{self.action} to {self.hook} at {self.at:%H:%M:%S}>"

    @cached_property
    def body(self) -> bytes:
        return json.dumps(self.payload).encode()

    @property
    def headers(self) -> dict[str, str]:
        signature = hmac.digest(self.hook.secret.encode(), self.body, "sha256").hex()
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/0fa4e19",
            "X-GitHub-Delivery": self.guid,
            "X-GitHub-Event": self.event,
            "X-GitHub-Hook-ID": str(self.hook.id),
            "X-GitHub-Hook-Installation-Target-ID": str(self.hook.target.id),
            "X-GitHub-Hook-Installation-Target-Type": self.hook.target_type,
            **({"X-Hub-Signature-256": f"sha256={signature}"} if self.hook.secret else {}),
        }


@dataclass(frozen=True)
class Attempt:
    """A recorded attempt to deliver.

    Attributes
    ----------
    id
        The attempt's id in the REST API.
    duration_s
        The time until the response (seconds); 0 if nothing was sent.
    """

    id: int
    delivery: Delivery
    at: datetime
    redelivery: bool
    status_code: int
    status: str
    duration_s: float


class Numbers:
    """An iterator over new numbers.

    Attributes
    ----------
    last
        The last number that was used.
    """

    def __init__(self) -> None:
        self.last = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.last += 1
        return self.last


class Webhooks:
    """GitHub's clock and its hooks.

    Attributes
    ----------
    addresses
        The addresses in payloads and answers.
    lock
        The lock that protects all objects; it is released while deliveries are sent.
    hooks
        All hooks by their ids.
    outbox
        All deliveries, in the order of their events.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses
        self.lock = threading.RLock()
        self._depth = 0
        self._http = urllib3.PoolManager(retries=False)
        # These counters continue after a reset, so that ids are never reused.
        self.numbers = Numbers()
        self._nodes = count(0x0242AC110002)
        self.reset()

    def reset(self) -> None:
        """Delete everything, and set the clock to the present time."""
        with self.lock:
            self.now = datetime.now(UTC)
            # Ten thousand ticks are a millisecond, and some events have no other time.
            self._ticks = count()
            self._node = next(self._nodes)
            self.hooks: dict[int, Hook] = {}
            self.outbox: list[Delivery] = []
            self._due: list[tuple[Delivery, bool]] = []

    @property
    def now(self) -> datetime:
        """GitHub's time in whole seconds; assign a time with an offset, or seconds since the epoch."""
        return self._now

    @now.setter
    def now(self, at: datetime | float) -> None:
        if not isinstance(at, datetime):
            at = datetime.fromtimestamp(at, UTC)
        elif at.tzinfo is None:
            raise ValueError("GitHub's time needs an offset.")
        self._now = at.astimezone(UTC).replace(microsecond=0)

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Hold the lock, and send the due deliveries after releasing it."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            due = []
            if not self._depth:
                due, self._due = self._due, []
        self._send(due)

    def send(self, delivery: Delivery) -> int:
        """Send a delivery, even if it was sent before, and return the status of the response.

        The status is 502 if the receiver is unreachable, and 504 if its response takes too long.
        """
        return self._transmit(delivery, redelivery=False)

    def fail(self, delivery: Delivery, status: int = BAD_GATEWAY) -> None:
        """Record a failed attempt."""
        self._record(delivery, status, redelivery=False)

    def lose(self, delivery: Delivery) -> None:
        """Drop a delivery without a record."""
        with self.lock:
            self.outbox.remove(delivery)

    def redeliver(self, attempt: Attempt) -> bool:
        """Send the delivery of an attempt again; return False if the delivery is too old."""
        with self.acting():
            if self.now - attempt.delivery.at > RETENTION:
                return False
            self._due.append((attempt.delivery, True))
            return True

    def recent(self, hook: Hook) -> list[Attempt]:
        """Return the attempts that GitHub still lists, newest first."""
        with self.lock:
            return [attempt for attempt in reversed(hook.attempts) if self.now - attempt.at <= RETENTION]

    def _announce(
        self,
        event: str,
        action: str | None,
        members: JSON,
        *,
        sender: Account,
        owner: Account,
        repository: Repository | None = None,
    ) -> None:
        """Create a delivery of an event for every hook that receives it."""
        hooks = [hook for hook in self.hooks.values() if hook.receives(event, owner, repository)]
        if not hooks:
            return
        payload = members if action is None else {"action": action, **members}
        if repository:
            payload["repository"] = payloads.repository(repository)
        if owner.type == "Organization":
            payload["organization"] = payloads.organization(owner)
        payload["sender"] = payloads.account(sender)
        guid = self._guid()
        for hook in hooks:
            own = dict(payload)
            if installation := hook.installation(owner):
                own["installation"] = {"id": installation.id, "node_id": installation.node_id}
            self._queue(Delivery(guid, event, action, own, hook, self.now, repository, installation))

    def _ping(self, hook: Hook, sender: Account) -> None:
        where = f"{self.addresses.api}/hooks/{hook.id}"
        payload: JSON = {
            "zen": "Keep it logically awesome.",
            "hook_id": hook.id,
            "hook": {
                "type": {"repository": "Repository", "organization": "Organization", "integration": "App"}[
                    hook.target_type
                ],
                "id": hook.id,
                "name": "web",
                "active": True,
                "events": sorted(hook.events),
                "config": {
                    "content_type": "json",
                    "insecure_ssl": "0",
                    "secret": "********",
                    "url": hook.receiver if isinstance(hook.receiver, str) else "https://example.com",
                },
                "created_at": payloads.time(self.now),
                "updated_at": payloads.time(self.now),
                "deliveries_url": f"{where}/deliveries",
            },
        }
        repository = hook.target if isinstance(hook.target, Repository) else None
        if isinstance(hook.target, App):
            payload["hook"]["app_id"] = hook.target.id
        else:
            payload["sender"] = payloads.account(sender)
        if repository:
            payload["repository"] = payloads.repository(repository)
        if isinstance(hook.target, Account):
            payload["organization"] = payloads.organization(hook.target)
        self._queue(Delivery(self._guid(), "ping", None, payload, hook, self.now, repository))

    def _queue(self, delivery: Delivery) -> None:
        self.outbox.append(delivery)
        if delivery.hook.auto:
            self._due.append((delivery, False))

    def _send(self, due: Sequence[tuple[Delivery, bool]]) -> None:
        """Send deliveries, each of them with whether it is a redelivery."""
        for delivery, redelivery in due:
            self._transmit(delivery, redelivery=redelivery)

    def _transmit(self, delivery: Delivery, *, redelivery: bool) -> int:
        receiver, begin = delivery.hook.receiver, perf_counter()
        if callable(receiver):
            status = receiver(delivery.headers, delivery.body)
        else:
            status = self._post(receiver, delivery)
        self._record(delivery, status, redelivery=redelivery, duration_s=perf_counter() - begin)
        return status

    def _post(self, url: str, delivery: Delivery) -> int:
        try:
            answer = self._http.request(
                "POST",
                url,
                body=delivery.body,
                headers=delivery.headers,
                timeout=RESPONSE_TIMEOUT_S,
                redirect=False,
            )
        except urllib3.exceptions.ReadTimeoutError:
            return GATEWAY_TIMEOUT
        except urllib3.exceptions.HTTPError:
            return BAD_GATEWAY
        return answer.status

    def _record(self, delivery: Delivery, status: int, *, redelivery: bool, duration_s: float = 0) -> None:
        shown = "OK" if status < 400 else f"Invalid HTTP Response: {status}"
        shown = {BAD_GATEWAY: "failed to connect", GATEWAY_TIMEOUT: "timed out"}.get(status, shown)
        with self.lock:
            attempt = Attempt(
                _FIRST_ATTEMPT + next(self.numbers),
                delivery,
                self.now,
                redelivery,
                status,
                shown,
                duration_s,
            )
            delivery.hook.attempts.append(attempt)

    def _event_ticks(self) -> int:
        """Return the time of an event (100 ns since the epoch), which no other event has."""
        return int(self.now.timestamp()) * _TICKS_PER_S + next(self._ticks)

    def _guid(self) -> str:
        """Return a version 1 UUID (RFC 9562) with GitHub's time, which sorts after those since the reset."""
        ticks = _GREGORIAN_TICKS + self._event_ticks()
        fields = (ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48, 0x80, 0, self._node)
        return str(uuid.UUID(fields=fields, version=1))
