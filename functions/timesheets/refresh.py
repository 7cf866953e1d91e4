"""Send hints to the open pages of people whose timers or calendars have changed, and store their days.

Notifications for outgoing webhooks are made from the same records (`timesheets.notify`).

The function reads the table's stream. A record is delivered at least once, and storing a day twice changes
nothing. If a person's days cannot be stored, the person is queued, so that nobody else waits; if a record
cannot be read, all days of its person are derived. The function also reads this queue, and SQS moves a
message that keeps failing to the dead-letter queue. There, Lambda also reports batches of the stream that it
has discarded, and failed sweeps. When the dead letters are moved back to the queue, such a report is only
logged, because it names no people; the sweep stores their days.

If the time of issues is written to GitHub, the function also queues the issues whose time a change may have
altered: those of all stopped timers that reach beyond the instant of the change, since the focus, for
example, passes from one timer to another. The time of open timers is queued by the daily sweep.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from timer_core import startup
from timer_core.clients import client, connections_client
from timer_core.clock import now_ms
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.issues import Issue
from timer_core.domain.outgoing_webhooks import Order
from timer_core.domain.timers import LATEST_MS, Timer
from timer_core.observability import make_logger
from timer_core.services.live import LiveConnections
from timer_core.services.team import Team
from timer_core.services.write_back_queue import WriteBackQueue
from timer_core.settings import settings
from timer_core.store.calendars import Calendars
from timer_core.store.connections import Connection, ConnectionStore, connections_of
from timer_core.store.derived_days import stored_until
from timer_core.store.items import claims_of, is_tombstone, to_gaps, to_issue, to_timer
from timer_core.store.keys import CALENDAR_SK, CONNECTIONS_SK, user_id_of, user_pk
from timer_core.store.queries import TimerQueries
from timer_core.store.stored_days import StoredState, to_state
from timer_core.store.table import RawItem, Table
from timer_core.store.timesheets import Timesheets
from timesheets.notify import Notifier

# If less time remains, the rest of a batch is queued.
_RESERVE_MS = 15_000
_THREADS = 8
# The delay of the second attempt to send a hint (seconds).
_HINT_AGAIN_S = 10
# The attributes of a calendar that result from storing days, or mark days that a changed timer concerns.
_OF_DAYS = {"stored_until_ms", "carry", "dirty_days", "dirty_changes", "has_moved_starts"}

logger = make_logger("timesheets")

table = Table(settings().table_name)
timers = TimerQueries(table)
timesheets = Timesheets(table, timers, Calendars(table))
live = LiveConnections(ConnectionStore(table), partial(connections_client, settings().live_endpoint), logger)


@cache
def _sqs() -> Any:
    return client("sqs")


def _queue_notification(order: Order) -> None:
    _sqs().send_message(QueueUrl=settings().hook_queue_url, MessageBody=order.to_json())


notifier = Notifier(
    table,
    timesheets,
    Team(
        table,
        lead_teams=settings().triggers.lead_teams,
        admins=settings().admins,
        default=settings().team_visibility,
    ),
    _queue_notification,
    logger,
)
write_back_queue = WriteBackQueue(_sqs, settings().write_back_queue_url)


@dataclass(frozen=True, slots=True)
class Change:
    """A person whose timers or calendar changed, and the instant from which the timeline may be different.

    With ``is_hint``, the person's open pages do not know of the change yet.
    """

    user_id: int
    from_ms: int
    is_hint: bool = False


@startup.completes
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of the stream or of the queue; return the messages that SQS delivers again."""
    records = event["Records"]
    queued: list[tuple[str, Change]] = []
    failed: list[str] = []
    for message in (record for record in records if "body" in record):
        try:
            queued += [(message["messageId"], change) for change in _queued(message["body"])]
        except (ValueError, TypeError):
            logger.exception("A message is not a change", extra={"message_id": message["messageId"]})
            failed.append(message["messageId"])
    images = [record["dynamodb"] for record in records if "dynamodb" in record]
    changes, hinted = _changes(images), _people_to_hint(images)
    hinted_again = {change.user_id for _, change in queued if change.is_hint}
    pending = _by_person([*(change for _, change in queued), *changes])
    states, connections = _read({*pending, *hinted})
    # Send hints first: users wait for hints, not for stored days.
    for user_id in _hint(hinted | hinted_again, connections) - hinted_again:
        _queue({"user_id": user_id, "from_ms": LATEST_MS, "is_hint": True}, delay_s=_HINT_AGAIN_S)
    with ThreadPoolExecutor(_THREADS) as pool:
        stored = pool.map(
            lambda change: _store(change, states.get(change.user_id), context), pending.values()
        )
    is_stored = dict(zip(pending, stored, strict=True))
    for change in _by_person(changes).values():
        if not is_stored[change.user_id]:
            _queue({"user_id": change.user_id, "from_ms": change.from_ms})
    failed += [
        message_id
        for message_id, change in queued
        if not is_stored[change.user_id] or (change.is_hint and connections is None)
    ]
    # Make notifications last: if this fails, Lambda repeats the batch, and all of the above changes nothing.
    notifier.notify(images, now_ms=now_ms())
    if write_back_queue.is_on:
        # If SQS fails, the batch is repeated.
        write_back_queue.send(_issues(images))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _queued(body: str) -> Iterator[Change]:
    """Yield the change in a message of the queue; none if the message is a report of Lambda.

    Lambda writes reports of discarded batches and of failed sweeps into the dead-letter queue (AWS, "Retain
    discarded records for a DynamoDB event source in Lambda" and "Capturing records of Lambda asynchronous
    invocations").

    Raises
    ------
    ValueError, TypeError
        If the message has another form.
    """
    document = json.loads(body)
    if "requestContext" in document:
        logger.warning("A report of a failed invocation", extra={"report": document})
    else:
        change = Change(**document)
        yield Change(int(change.user_id), int(change.from_ms), change.is_hint is True)


def _by_person(changes: Iterable[Change]) -> dict[int, Change]:
    """Return one change for each person, from the earliest instant of the person's changes."""
    found: dict[int, Change] = {}
    for change in sorted(changes, key=lambda change: change.from_ms):
        found.setdefault(change.user_id, change)
    return found


def _changes(records: Iterable[Mapping[str, Any]]) -> list[Change]:
    """Return the changes in records of the stream."""
    changes = list[Change]()
    for images in records:
        try:
            change = _change(images)
        except Exception:
            logger.exception("A record of the stream cannot be read", extra={"keys": images.get("Keys")})
            change = _unreadable(images)
        if change is not None:
            changes.append(change)
    return changes


def _change(images: Mapping[str, Any]) -> Change | None:
    """Return the change in a record of the stream; None if it leaves all days as they are."""
    key, old, new = images["Keys"], images.get("OldImage"), images.get("NewImage")
    user_id = user_id_of(key["pk"]["S"])
    if key["sk"]["S"] == CALENDAR_SK:
        # Other changes of this item result from storing days.
        return Change(user_id, LATEST_MS) if new and "dirty_days" in new else None
    if not new:
        return None
    changed_ms = changed_from_ms(_timer(old), _timer(new))
    return None if changed_ms is None else Change(user_id, changed_ms)


def _unreadable(images: Mapping[str, Any]) -> Change | None:
    """Return the change of all days of the person in an unreadable record.

    If they cannot be stored either, or the record names no person, the queue moves it to the dead letters.
    """
    try:
        return Change(user_id_of(images["Keys"]["pk"]["S"]), 0)
    except (KeyError, TypeError, ValueError):
        _queue({"record": images.get("Keys")})
        return None


def _timer(item: RawItem | None) -> Timer | None:
    if item is None:
        return None
    if is_tombstone(item):
        return to_gaps(item) if claims_of(item) else None
    return to_timer(item)


def _issues(records: Iterable[Mapping[str, Any]]) -> Iterator[Issue]:
    """Yield the issues whose time is different after the changes in records of the stream."""
    reached: dict[int, int] = {}
    for images in records:
        # `_change` reports a record that cannot be read.
        with suppress(KeyError, TypeError, ValueError):
            yield from _left(images)
            from_ms = _reached_ms(images)
            if from_ms is not None:
                user_id = user_id_of(images["Keys"]["pk"]["S"])
                reached[user_id] = min(from_ms, reached.get(user_id, from_ms))
    for user_id, from_ms in reached.items():
        yield from timers.stopped_issues(user_id, from_ms)


def _left(images: Mapping[str, Any]) -> list[Issue]:
    """Return the issue from which a timer was deleted or moved, and the one that it was moved to."""
    if images["Keys"]["sk"]["S"] == CALENDAR_SK:
        return []
    old, new = (images.get(name) or {} for name in ("OldImage", "NewImage"))
    before, after = to_issue(old), to_issue(new)
    if before is None or (after is not None and after.key == before.key):
        return []
    return [before] if after is None else [before, after]


def _reached_ms(images: Mapping[str, Any]) -> int | None:
    """Return the instant from which a change may have altered the timeline; None if it did not."""
    if images["Keys"]["sk"]["S"] != CALENDAR_SK:
        return changed_from_ms(_timer(images.get("OldImage")), _timer(images.get("NewImage")))
    new, changed = images.get("NewImage") or {}, _changed_attributes(images)
    dirty = [int(ms) for ms in new["dirty_days"]["NS"]] if "dirty_days" in changed & new.keys() else []
    # The days that are not stored are not marked.
    return min([*dirty, stored_until(now_ms())]) if dirty or changed - _OF_DAYS else None


def _changed_attributes(images: Mapping[str, Any]) -> set[str]:
    """Return the names of the attributes in which the two images of a record differ."""
    old, new = (images.get(name) or {} for name in ("OldImage", "NewImage"))
    return {name for name in {*old, *new} if old.get(name) != new.get(name)}


def _people_to_hint(records: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return the people whose pages show something else after the changes in records of the stream."""
    found = set[int]()
    for images in records:
        # `_change` reports a record that cannot be read.
        with suppress(KeyError, TypeError, ValueError):
            key = images["Keys"]
            if key["sk"]["S"] != CALENDAR_SK or _changed_attributes(images) - _OF_DAYS:
                found.add(user_id_of(key["pk"]["S"]))
    return found


def _hint(user_ids: Set[int], connections: Mapping[int, list[Connection]] | None) -> Set[int]:
    """Send hints to people, and return those whose pages may not have got one.

    They get a second hint a little later, and no third, because a connection may refuse all of them.
    """
    if connections is None:
        return user_ids
    return live.hint({user_id: connections[user_id] for user_id in user_ids}, now_ms=now_ms())


def _read(
    user_ids: Collection[int],
) -> tuple[dict[int, StoredState], dict[int, list[Connection]] | None]:
    """Return which days of people are stored, and their connections.

    If it cannot be read at once, no days are known to be stored, and the connections are None.
    """
    try:
        items = table.get_map(
            (user_pk(user_id), sk) for user_id in sorted(user_ids) for sk in (CALENDAR_SK, CONNECTIONS_SK)
        )
    except Exception:
        logger.exception("The people of a batch could not be read at once")
        return {}, None
    states = {user_id: to_state(items.get((user_pk(user_id), CALENDAR_SK), {})) for user_id in user_ids}
    connections = {
        user_id: connections_of(items.get((user_pk(user_id), CONNECTIONS_SK))) for user_id in user_ids
    }
    return states, connections


def _store(change: Change, state: StoredState | None, context: LambdaContext) -> bool:
    """Store the days of a person, and return whether that succeeded."""
    if context.get_remaining_time_in_millis() < _RESERVE_MS:
        return False
    try:
        timesheets.refresh(change.user_id, now_ms=now_ms(), changed_ms=change.from_ms, state=state)
    except Exception:
        logger.exception("The days of a person could not be stored")
        return False
    return True


def _queue(document: Mapping[str, Any], *, delay_s: int = 0) -> None:
    _sqs().send_message(
        QueueUrl=settings().timesheet_queue_url, MessageBody=json.dumps(document), DelaySeconds=delay_s
    )
