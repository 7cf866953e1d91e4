"""Outgoing webhooks, the notifications for them, and what became of sending these."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model

from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound
from timer_core.domain.notifications import Happening
from timer_core.domain.outgoing_webhooks import MAX_WEBHOOKS, OutgoingWebhook, WebhookFormat
from timer_core.store.items import compact, expiry, raw
from timer_core.store.keys import (
    HOOKS,
    OUTGOING_PK,
    SENDINGS,
    name_of,
    notification_sk,
    outgoing_sk,
    sending_sk,
    user_pk,
)
from timer_core.store.table import ConditionFailed, Key, RawItem, Table, Write

# The number of days for which notifications, and what became of them, are stored.
KEPT_DAYS = 30
# The number of sendings in a list.
MOST_SHOWN = 100
_CACHE_MS = 60_000

_T = TypeVar("_T")


class OutgoingWebhookItem(Model):
    """``outgoing-webhooks`` / ``hook#<id>``: an address to which notifications are sent.

    ``secret`` is the key that signs them; it does not exist if they are not signed.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    url = UnicodeAttribute()
    secret = UnicodeAttribute(null=True)
    happenings = UnicodeSetAttribute(null=True)
    format = UnicodeAttribute()
    created_ms = NumberAttribute()


class NotificationItem(Model):
    """``user#<id>`` / ``notification#<ULID>``: what outgoing webhooks tell about a person's timer or day.

    ``body`` is the JSON that is sent. The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    happening = UnicodeAttribute()
    body = UnicodeAttribute()
    expires_at = NumberAttribute()


class SendingItem(Model):
    """``hook#<id>`` / ``sending#<ULID>``: the sending of a notification to an outgoing webhook.

    ``attempts`` contains one text for each attempt: its time (milliseconds since the epoch), its duration
    (milliseconds) and the status of the response or the reason of the failure. ``user_id`` is the person in
    whose partition the notification is. The item expires by TTL.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    happening = UnicodeAttribute()
    user_id = NumberAttribute()
    state = UnicodeAttribute()
    attempts: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute, null=True)
    expires_at = NumberAttribute()


class SendingState(StrEnum):
    """What became of sending a notification."""

    SENT = "sent"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


class Attempt(NamedTuple):
    """An attempt to send a notification.

    Attributes
    ----------
    status
        The status of the response; None without one.
    failure
        Why there was no response; empty with one.
    """

    at_ms: int
    duration_ms: int
    status: int | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of sending a notification to an outgoing webhook.

    Attributes
    ----------
    id
        The id of the notification.
    user_id
        The person in whose partition the notification is.
    attempts
        The attempts, in order.
    """

    id: str
    happening: Happening
    user_id: int
    state: SendingState
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """What outgoing webhooks tell about a person's timer or day.

    Attributes
    ----------
    id
        A ULID. A repeated change has the same id.
    user_id
        The person whom it is about, or who has sent a ping.
    body
        What is sent, as it is written in JSON.
    """

    id: str
    user_id: int
    happening: Happening
    body: Mapping[str, Any]


class OutgoingWebhooks:
    """The outgoing webhooks in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cache: list[OutgoingWebhook] = []
        self._cached_ms = -_CACHE_MS

    def all(self) -> list[OutgoingWebhook]:
        """Return all outgoing webhooks, the oldest first."""
        items = self._table.query_all(OUTGOING_PK, OutgoingWebhookItem.sk.startswith(HOOKS))
        return [_to_webhook(item) for item in items]

    def recent(self, *, now_ms: int) -> list[OutgoingWebhook]:
        """Return all outgoing webhooks, as they were up to a minute ago."""
        if not 0 <= now_ms - self._cached_ms < _CACHE_MS:
            self._cache, self._cached_ms = self.all(), now_ms
        return self._cache

    def get(self, webhook_id: str) -> OutgoingWebhook:
        """Return an outgoing webhook.

        Raises
        ------
        NotFound
            If there is no such webhook.
        """
        item = self._table.get(OUTGOING_PK, outgoing_sk(webhook_id))
        if item is None:
            raise _no_webhook()
        return _to_webhook(item)

    def add(self, webhook: OutgoingWebhook) -> None:
        """Store a new outgoing webhook.

        Raises
        ------
        InvalidInput
            If there are too many of them.
        """
        if len(self.all()) >= MAX_WEBHOOKS:
            message = f"There are already {MAX_WEBHOOKS} outgoing webhooks."
            raise InvalidInput("url", message, ErrorCode.TOO_MANY_VALUES)
        self._table.write(_put(webhook))

    def change(self, webhook: OutgoingWebhook) -> None:
        """Replace an outgoing webhook.

        Raises
        ------
        NotFound
            If it was removed.
        """
        try:
            self._table.write(replace(_put(webhook), condition=OutgoingWebhookItem.pk.exists()))
        except ConditionFailed:
            raise _no_webhook() from None

    def remove(self, webhook_id: str) -> None:
        """Remove an outgoing webhook. Its sendings expire.

        Raises
        ------
        NotFound
            If there is no such webhook.
        """
        exists = OutgoingWebhookItem.pk.exists()
        try:
            self._table.write(Write("Delete", OUTGOING_PK, outgoing_sk(webhook_id), exists))
        except ConditionFailed:
            raise _no_webhook() from None


class Notifications:
    """The notifications in the table, and their sendings."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, notification: Notification, *, now_ms: int) -> None:
        """Store a notification. A repetition replaces it."""
        item = NotificationItem(
            pk=user_pk(notification.user_id),
            sk=notification_sk(notification.id),
            happening=notification.happening,
            body=compact(notification.body),
            expires_at=expiry(now_ms, KEPT_DAYS),
        )
        self._table.write(Write("Put", item.pk, item.sk, item=raw(item)))

    def sendings(self, webhook_id: str) -> list[Sending]:
        """Return the last 100 sendings of an outgoing webhook, newest first."""
        is_sending = SendingItem.sk.startswith(SENDINGS)
        items, _, _ = self._table.query(outgoing_sk(webhook_id), is_sending, forward=False, limit=MOST_SHOWN)
        return [_to_sending(item) for item in items]

    def sending(self, webhook_id: str, notification_id: str) -> Sending:
        """Return the sending of a notification.

        Raises
        ------
        NotFound
            If the notification was never sent, or not in the last days.
        """
        item = self._table.get(outgoing_sk(webhook_id), sending_sk(notification_id))
        if item is None:
            raise NotFound("There is no such delivery.")
        return _to_sending(item)

    def record(self, webhook_id: str, sending: Sending, attempt: Attempt | None, *, now_ms: int) -> None:
        """Store the state of a sending, and add an attempt."""
        actions = [
            SendingItem.happening.set(sending.happening),
            SendingItem.user_id.set(sending.user_id),
            SendingItem.state.set(sending.state),
            SendingItem.expires_at.set(expiry(now_ms, KEPT_DAYS)),
        ]
        if attempt:
            outcome = attempt.failure if attempt.status is None else str(attempt.status)
            added = [f"{attempt.at_ms} {attempt.duration_ms} {outcome}"]
            actions.append(SendingItem.attempts.set((SendingItem.attempts | []).append(added)))
        self._table.write(Write("Update", outgoing_sk(webhook_id), sending_sk(sending.id), actions=actions))

    def read(self, wanted: Iterable[tuple[str, int, str]]) -> "Batch":
        """Read at once what is needed to send notifications.

        Parameters
        ----------
        wanted
            The ids of the outgoing webhook, of the person and of the notification.
        """
        keys = {
            key
            for webhook_id, user_id, notification_id in wanted
            for key in (
                (OUTGOING_PK, outgoing_sk(webhook_id)),
                (user_pk(user_id), notification_sk(notification_id)),
                (outgoing_sk(webhook_id), sending_sk(notification_id)),
            )
        }
        return Batch(self._table.get_map(sorted(keys)))


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read at once to send notifications; None for what does not exist."""

    _items: Mapping[Key, RawItem]

    def webhook(self, webhook_id: str) -> OutgoingWebhook | None:
        """Return an outgoing webhook."""
        return self._converted((OUTGOING_PK, outgoing_sk(webhook_id)), _to_webhook)

    def notification(self, user_id: int, notification_id: str) -> Notification | None:
        """Return a notification."""
        return self._converted((user_pk(user_id), notification_sk(notification_id)), to_notification)

    def sending(self, webhook_id: str, notification_id: str) -> Sending | None:
        """Return the sending of a notification."""
        return self._converted((outgoing_sk(webhook_id), sending_sk(notification_id)), _to_sending)

    def _converted(self, key: Key, convert: Callable[[RawItem], _T]) -> _T | None:
        item = self._items.get(key)
        return None if item is None else convert(item)


def to_notification(item: RawItem) -> Notification:
    """Convert a `NotificationItem`."""
    return Notification(
        name_of(item["sk"]["S"]),
        int(name_of(item["pk"]["S"])),
        Happening(item["happening"]["S"]),
        json.loads(item["body"]["S"]),
    )


def _put(webhook: OutgoingWebhook) -> Write:
    item = OutgoingWebhookItem(
        pk=OUTGOING_PK,
        sk=outgoing_sk(webhook.id),
        url=webhook.url,
        secret=webhook.secret or None,
        happenings={happening.value for happening in webhook.happenings},
        format=webhook.format,
        created_ms=webhook.created_ms,
    )
    return Write("Put", item.pk, item.sk, item=raw(item))


def _to_webhook(item: RawItem) -> OutgoingWebhook:
    row = OutgoingWebhookItem.from_raw_data(item)
    return OutgoingWebhook(
        id=name_of(row.sk),
        url=row.url,
        secret=row.secret or "",
        happenings=frozenset(map(Happening, row.happenings or ())),
        format=WebhookFormat(row.format),
        created_ms=int(row.created_ms),
    )


def _to_sending(item: RawItem) -> Sending:
    row = SendingItem.from_raw_data(item)
    return Sending(
        name_of(row.sk),
        Happening(row.happening),
        int(row.user_id),
        SendingState(row.state),
        tuple(map(_to_attempt, row.attempts or ())),
    )


def _to_attempt(entry: str) -> Attempt:
    at_ms, duration_ms, outcome = entry.split(" ")
    status = int(outcome) if outcome.isdecimal() else None
    return Attempt(int(at_ms), int(duration_ms), status, "" if status is not None else outcome)


def _no_webhook() -> NotFound:
    return NotFound("There is no such outgoing webhook.")
