"""Bulk creation of timers, with the items that the store writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.items import SlotItem, raw
from timer_core.store.keys import slot_key
from timer_core.store.writes import put_new

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

HOUR_MS = 3_600_000
FIRST_USER = 10_000_000
_REPOSITORIES = 40
# BatchWriteItem's limit.
_BATCH = 25


def open_timers(count: int, *, stale: int, now_ms: int) -> Iterator[Timer]:
    """Yield running timers of different people on different issues, stale ones first.

    Parameters
    ----------
    stale
        The number of timers that started more than a day ago; the others started within the last 23 hours.
    """
    for number in range(count):
        if number < stale:
            at_ms = now_ms - 25 * HOUR_MS - (stale - number) * 1000
        else:
            at_ms = now_ms - 23 * HOUR_MS * (count - number) // (count - stale)
        user_id = FIRST_USER + number
        yield Timer.start(
            user_id=user_id,
            ulid=derived_ulid(at_ms, str(number)),
            at_ms=at_ms,
            now_ms=at_ms,
            by="assigned",
            issue=Issue(
                "octo-org",
                f"repo-{number % _REPOSITORIES}",
                number // _REPOSITORIES + 1,
                repo_id=repository_id(f"octo-org/repo-{number % _REPOSITORIES}"),
            ),
        )


def repository_id(full_name: str) -> int:
    """Return the id of one of these repositories."""
    return int(full_name.rpartition("-")[2]) + 1


def put(client: DynamoDBClient, table_name: str, timers: Iterable[Timer]) -> None:
    """Write new timers, and the slots of open ones."""
    items = (item for timer in timers for item in _items(timer))

    def write(batch: list[dict[str, Any]]) -> None:
        pending: Any = {table_name: [{"PutRequest": {"Item": item}} for item in batch]}
        while pending:
            pending = client.batch_write_item(RequestItems=pending)["UnprocessedItems"]

    with ThreadPoolExecutor(4) as pool:
        while batches := list(islice(_batches(items), 400)):
            list(pool.map(write, batches))


def _batches(items: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _items(timer: Timer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = [put_new(timer).item]
    if timer.is_open and timer.issue is not None:
        pk, sk = slot_key(timer.issue, timer.user_id)
        slot = SlotItem(
            pk=pk,
            sk=sk,
            open_ulid=timer.ulid,
            slot_repo=timer.issue.repo_key,
            ulids={timer.ulid},
        )
        items.append(raw(slot))
    return items
