"""The queries for timers: one timer, a page of a person's list, a time range, and all open timers.

The table is never scanned, because every list is a query of an index (see
docs/decisions/0002-table-layout.md).
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.store.items import TimerItem, to_issue, to_timer
from timer_core.store.keys import OPEN_SHARDS, name_of, open_timers_pk, timer_sk, user_id_of, user_pk
from timer_core.store.positions import OpenTimerKey, OpenTimersCursor, Position
from timer_core.store.table import RawItem, Table

_FILTERED_READ = 1000
# A read also ends at 1 MB (AWS, "Paginating table query results"). Ten reads take about a second.
_FILTERED_READS = 10
_OPEN_PAGE = 100
# A page has about 50 KB. DynamoDB rounds its size up to a multiple of 4 KB, which adds little to the cost.
_OPEN_TIMERS_PAGE = 250
_RANGE_READ = 500
_RANGE_READS = 20
_RANGE_TIMERS = 5000
_LONGEST_MS = 366 * 86_400_000


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters by which a list selects a person's timers.

    Attributes
    ----------
    repo_keys
        The keys of the repository, see `timer_core.domain.issues.Issue.repo_key`. Timers that were added
        before the repository's id was known have its name as the key.
    """

    is_open: bool | None = None
    repo_keys: frozenset[str] = frozenset()
    number: int | None = None
    start_from_ms: int | None = None
    start_before_ms: int | None = None

    @property
    def selects_any(self) -> bool:
        """Whether a start can lie in the range."""
        start, end = self.start_from_ms, self.start_before_ms
        return start is None or end is None or start < end

    def selects_start(self, start_ms: int) -> bool:
        """Whether this start lies in the range."""
        return (self.start_from_ms is None or self.start_from_ms <= start_ms) and (
            self.start_before_ms is None or start_ms < self.start_before_ms
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first, and the positions of the next and the previous page."""

    timers: Sequence[Timer]
    next: Position | None
    previous: Position | None


class OpenTimer(NamedTuple):
    """The attributes of an open timer that the index of open timers contains."""

    user_id: int
    ulid: str
    since_ms: int
    issue: Issue | None


class TimerQueries:
    """Reads the timers in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, user_id: int, ulid: str) -> Timer:
        """Return a timer.

        Raises
        ------
        NotFound
            If the timer does not exist, or was deleted.
        """
        return existing(self._table.get(user_pk(user_id), timer_sk(ulid)))

    def page(
        self, user_id: int, filters: Filters, *, page_size: int, position: Position | None = None
    ) -> Page:
        """Return a page of a person's timers, newest start first.

        A page ends after 10,000 timers (or 10 MB) were read, even if the filters selected few of them. So a
        page with few or no timers may be followed by another page.

        Raises
        ------
        InvalidInput
            If the position is outside of the time range of the filters.
        """
        if not filters.selects_any:
            return Page((), None, None)
        if position is not None and not filters.selects_start(position.start_ms):
            raise InvalidInput("cursor", "Belongs to a list with other filters.", ErrorCode.INVALID_CURSOR)
        found, stop = self._read_page(user_id, filters, page_size, position)
        return _to_page(found, stop, page_size, position)

    def _read_page(
        self, user_id: int, filters: Filters, page_size: int, position: Position | None
    ) -> tuple[list[RawItem], Position | None]:
        """Return the items after a position, and the position where reading stopped.

        The position is None if reading reached the end of the list. If more items are returned than fit on a
        page, another page follows.
        """
        index, sort_key = ("open-by-user", "open_since_ms") if filters.is_open else ("by-start", "start_ms")
        backwards = position is not None and position.backwards
        start = None if position is None else _list_start(user_id, position, sort_key)
        condition = _filter_condition(filters)
        found: list[RawItem] = []
        for _ in range(_FILTERED_READS):
            items, _, start = self._table.query(
                user_pk(user_id),
                _range_condition(sort_key, filters),
                index=index,
                filter_condition=condition,
                forward=backwards,
                limit=page_size + 1 if condition is None else _FILTERED_READ,
                start=start,
            )
            found += items
            if start is None or len(found) > page_size:
                break
        if start is None:
            return found, None
        return found, Position(int(start[sort_key]["N"]), name_of(start["sk"]["S"]), backwards)

    def in_range(
        self, user_id: int, filters: Filters, *, since_ms: int, until_ms: int
    ) -> tuple[list[Timer], bool]:
        """Return a person's timers that overlap a time range, newest start first.

        The search reads timers that started in the range or up to 366 days before it. The search stops when
        it has found 5,000 timers, or has read 10,000 timers or 20 MB. (20 MB hold at least 3,000 timers.)

        Parameters
        ----------
        filters
            The filters by issue. Their range of starts is ignored.

        Returns
        -------
        tuple[list[Timer], bool]
            The timers, and whether the search was complete.
        """
        reaches = TimerItem.end_ms.does_not_exist() | (TimerItem.end_ms > since_ms)
        of_issues = _filter_condition(filters)
        found: list[Timer] = []
        start: RawItem | None = None
        for _ in range(_RANGE_READS):
            items, _, start = self._table.query(
                user_pk(user_id),
                Path("start_ms").between(since_ms - _LONGEST_MS, until_ms - 1),
                index="by-start",
                filter_condition=reaches if of_issues is None else reaches & of_issues,
                forward=False,
                limit=_RANGE_READ,
                start=start,
            )
            found += map(to_timer, items)
            if start is None:
                return found, True
            if len(found) >= _RANGE_TIMERS:
                break
        return found, False

    def open_timers(self, *, from_ms: int = 0, before_ms: int | None = None) -> Iterator[OpenTimer]:
        """Yield everybody's open timers that started in a range, oldest first.

        The timers of all iterators of `open_timer_segments` are merged.
        """
        segments = self.open_timer_segments(from_ms=from_ms, before_ms=before_ms)
        return heapq.merge(*segments, key=lambda timer: timer.since_ms)

    def open_timer_segments(
        self, *, from_ms: int = 0, before_ms: int | None = None
    ) -> list[Iterator[OpenTimer]]:
        """Return iterators that together yield everybody's open timers that started in a range.

        Each iterator reads a different part of the index, so the iterators can run in parallel. An iterator
        reads the oldest timers first, one page at a time, so that memory use stays constant. The index is
        eventually consistent.
        """
        since = TimerItem.open_since_ms
        started = since >= from_ms if before_ms is None else since.between(from_ms, before_ms - 1)
        return [self._open_timers(shard, started) for shard in range(OPEN_SHARDS)]

    def _open_timers(self, shard: int, started: Condition) -> Iterator[OpenTimer]:
        pages = self._table.query_all(
            open_timers_pk(shard), started, index="open-timers", page_size=_OPEN_TIMERS_PAGE
        )
        for item in pages:
            since_ms, user_id, ulid = _open_timer_key(item)
            yield OpenTimer(user_id, ulid, since_ms, to_issue(item))

    def open_page(
        self, cursor: OpenTimersCursor | None = None
    ) -> tuple[list[Timer], OpenTimersCursor | None]:
        """Return a page of all open timers, and the cursor of the next page; None on the last page."""
        after: OpenTimersCursor | None = cursor or OpenTimersCursor(0)
        keys: list[tuple[str, str]] = []
        while after is not None and len(keys) < _OPEN_PAGE:
            shard, pk = after.shard, open_timers_pk(after.shard)
            items, _, last = self._table.query(
                pk, index="open-timers", limit=_OPEN_PAGE - len(keys), start=_open_timers_start(after)
            )
            keys += [(item["pk"]["S"], item["sk"]["S"]) for item in items]
            if last is not None:
                after = OpenTimersCursor(shard, _open_timer_key(last))
            else:
                after = OpenTimersCursor(shard + 1) if shard + 1 < OPEN_SHARDS else None
        found = self._table.get_many(keys)
        timers = [timer for item in found if "deleted_ms" not in item and (timer := to_timer(item)).is_open]
        return timers, after


def _list_start(user_id: int, position: Position, sort_key: str) -> RawItem:
    """Return the key after which a page begins, in an index of a person's timers."""
    return {
        "pk": {"S": user_pk(user_id)},
        "sk": {"S": timer_sk(position.ulid)},
        sort_key: {"N": str(position.start_ms)},
    }


def _to_page(
    found: Sequence[RawItem], stop: Position | None, page_size: int, position: Position | None
) -> Page:
    """Return the page at a position.

    Parameters
    ----------
    found
        The items that were read.
    stop
        The position where reading stopped; None if reading reached the end of the list.
    """
    backwards = position is not None and position.backwards
    timers = tuple(to_timer(item) for item in found[:page_size])
    positions = [Position(timer.start_ms, timer.ulid, backwards) for timer in timers]
    onwards = positions[-1] if len(found) > page_size else stop
    # If the page has no timers, the previous page begins at the last timer that was read.
    first = positions[0] if positions else stop
    back = first and position and first._replace(backwards=not backwards)
    if backwards:
        return Page(timers[::-1], next=back, previous=onwards)
    return Page(timers, next=onwards, previous=back)


def _open_timer_key(item: RawItem) -> OpenTimerKey:
    return OpenTimerKey(
        int(item["open_since_ms"]["N"]), user_id_of(item["pk"]["S"]), name_of(item["sk"]["S"])
    )


def _open_timers_start(cursor: OpenTimersCursor) -> RawItem | None:
    """Return the key after which a page begins, in the index ``open-timers``."""
    if cursor.after is None:
        return None
    return {
        "open_shard": {"S": open_timers_pk(cursor.shard)},
        "open_since_ms": {"N": str(cursor.after.since_ms)},
        "pk": {"S": user_pk(cursor.after.user_id)},
        "sk": {"S": timer_sk(cursor.after.ulid)},
    }


def existing(item: RawItem | None) -> Timer:
    """Convert an item to a timer.

    Raises
    ------
    NotFound
        If the item is None or a tombstone.
    """
    if item is None or "deleted_ms" in item:
        raise NotFound("There is no such timer.")
    return to_timer(item)


def _range_condition(sort_key: str, filters: Filters) -> Condition | None:
    start, end = filters.start_from_ms, filters.start_before_ms
    if start is not None and end is not None:
        # Subtract one millisecond, because ``between`` includes both ends.
        return Path(sort_key).between(start, end - 1)
    if start is not None:
        return Path(sort_key) >= start
    if end is not None:
        return Path(sort_key) < end
    return None


def _filter_condition(filters: Filters) -> Condition | None:
    conditions: list[Condition] = []
    if filters.is_open is False:
        conditions.append(TimerItem.end_ms.exists())
    if filters.repo_keys:
        conditions.append(TimerItem.repo_key.is_in(*sorted(filters.repo_keys)))
    if filters.number is not None:
        conditions.append(TimerItem.number == filters.number)
    if not conditions:
        return None
    combined = conditions[0]
    for condition in conditions[1:]:
        combined &= condition
    return combined
