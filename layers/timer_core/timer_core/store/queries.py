"""The queries for timers: one timer, a page of a person's list, a period, and all open timers.

The table is never scanned, because every list is a query of an index (see
docs/decisions/0002-table-layout.md).
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from pynamodb.expressions.condition import Condition

from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound
from timer_core.domain.ids import order_at, ulid_ms
from timer_core.domain.issues import Issue
from timer_core.domain.sheets import Label
from timer_core.domain.timers import LATEST_MS, Period, Timer
from timer_core.store.items import (
    TimerItem,
    decode_span,
    description_of,
    is_tombstone,
    to_gaps,
    to_issue,
    to_timer,
)
from timer_core.store.keys import (
    CALENDAR_SK,
    OPEN_SHARDS,
    end_key,
    end_keys_of_open,
    end_keys_of_stopped,
    end_keys_since,
    end_keys_since_with_calendar,
    name_of,
    open_timers_pk,
    start_sk,
    start_sks,
    timer_sk,
    user_id_of,
    user_pk,
)
from timer_core.store.positions import OpenTimerKey, OpenTimersCursor, Position
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import RawItem, Table

_FILTERED_READ = 1000
# The number of items that a read of a page has in addition, because tombstones may be among them.
_SPARE = 5
# A read also ends at 1 MB (AWS, "Paginating table query results"). Twenty reads take about two seconds.
_READS = 20
_PERIOD_TIMERS = 5000
_OPEN_PAGE = 100
# A page has about 50 KB. DynamoDB rounds its size up to a multiple of 4 KB, which adds little to the cost.
_OPEN_TIMERS_PAGE = 250


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters by which a list selects a person's timers.

    Attributes
    ----------
    repo_keys
        The keys of the repository, see `timer_core.domain.issues.Issue.repo_key`. Timers that were added
        before the repository's id was known have its name as the key.
    period
        Selects the timers that overlap it: those that started in it, and those that started earlier and were
        open after its beginning.
    """

    is_open: bool | None = None
    repo_keys: frozenset[str] = frozenset()
    number: int | None = None
    start_from_ms: int | None = None
    start_before_ms: int | None = None
    period: Period | None = None

    @property
    def latest_start_ms(self) -> int | None:
        """The time before which the selected timers started; None if there is no limit."""
        limits = (self.start_before_ms, self.period and self.period.until_ms)
        return min((limit for limit in limits if limit is not None), default=None)

    @property
    def selects_any(self) -> bool:
        """Whether the filters can select a timer."""
        start, end = self.start_from_ms, self.latest_start_ms
        is_empty = self.period is not None and self.period.since_ms >= self.period.until_ms
        return not is_empty and (start is None or end is None or start < end)

    def selects_start(self, start_ms: int) -> bool:
        """Whether the filters can select a timer with this start."""
        start, end = self.start_from_ms, self.latest_start_ms
        return (start is None or start <= start_ms) and (end is None or start_ms < end)

    @property
    def selects_started(self) -> bool:
        """Whether the filters can select a timer that started in the period."""
        end = self.latest_start_ms
        return self.period is None or self.is_open is True or end is None or self.period.since_ms < end

    @property
    def selects_earlier(self) -> bool:
        """Whether timers that started before the period need a query of their own.

        Open timers do not, because one range of keys contains them all.
        """
        if self.period is None or self.is_open or self.period.since_ms <= 0:
            return False
        return self.start_from_ms is None or self.start_from_ms < self.period.since_ms


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first, and the positions of the next and the previous page."""

    timers: Sequence[Timer]
    next: Position | None
    previous: Position | None


@dataclass(frozen=True, slots=True)
class _Source:
    """A part of the table or of an index whose items are sorted by start.

    Attributes
    ----------
    attribute
        The sort key.
    filter
        Selects the timers for the list, apart from the range of keys.
    selects_most
        Whether the filter selects all timers, so that a page needs to read hardly more than its own items.
    """

    index: str | None
    attribute: str
    keys: Condition
    filter: Condition | None
    selects_most: bool


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
        self._days = StoredDays(table)

    def get(self, user_id: int, ulid: str) -> Timer:
        """Return a timer.

        Raises
        ------
        NotFound
            If the timer does not exist, or was deleted.
        """
        return existing(self._table.get(user_pk(user_id), timer_sk(ulid)))

    def get_all(self, user_id: int, ulids: Iterable[str], filters: Filters | None = None) -> list[Timer]:
        """Return the timers that exist, and that the filters select apart from the period, in any order."""
        found = self._table.get_many((user_pk(user_id), timer_sk(ulid)) for ulid in sorted(ulids))
        selected = filters or Filters()
        return [to_timer(item) for item in found if not is_tombstone(item) and _selects(selected, item)]

    def page(
        self,
        user_id: int,
        filters: Filters,
        *,
        page_size: int,
        position: Position | None = None,
        has_moved_starts: bool = True,
    ) -> Page:
        """Return a page of a person's timers, newest start first.

        A page ends after 20,000 timers (or 20 MB) were read, even if the filters selected few of them. So a
        page with few or no timers may be followed by another page.

        Parameters
        ----------
        has_moved_starts
            Whether the person may have timers whose start has moved (`StoredState.has_moved_starts`). By
            default they may, because nothing else finds these timers.

        Raises
        ------
        InvalidInput
            If the position is outside of the time range of the filters.
        """
        if not filters.selects_any:
            return Page((), None, None)
        if position is not None and not filters.selects_start(position.start_ms):
            raise InvalidInput("cursor", "Belongs to a list with other filters.", ErrorCode.INVALID_CURSOR)
        sources = _sources(filters, has_moved_starts=has_moved_starts)
        found, stop = self._read_page(user_id, filters, sources, page_size, position)
        return _to_page(found, stop, page_size, position)

    def in_period(
        self, user_id: int, filters: Filters, others: Set[str] = frozenset()
    ) -> tuple[list[Timer], bool]:
        """Return all timers that the list with these filters contains, newest start first.

        At most 5,000 timers are returned, and at most 20 MB are read. (20 MB hold at least 3,000 timers.)

        Parameters
        ----------
        others
            The ULIDs of timers that may lie outside of the period. Those that the other filters select
            follow.

        Returns
        -------
        tuple[list[Timer], bool]
            The timers, and whether they are all.
        """
        if not filters.selects_any:
            return [], True
        found, stop = self._read_page(user_id, filters, _sources(filters), _PERIOD_TIMERS, None)
        is_complete = stop is None and len(found) <= _PERIOD_TIMERS
        timers = [to_timer(item) for item in found[:_PERIOD_TIMERS]]
        unlisted = others - {timer.ulid for timer in timers}
        return timers + self.get_all(user_id, unlisted, replace(filters, period=None)), is_complete

    def count(self, user_id: int, filters: Filters) -> int:
        """Return the number of timers on all pages of a list. All these timers are read."""
        if not filters.selects_any:
            return 0
        counted = len(self._earlier(user_id, filters))
        for source in _sources(filters) if filters.selects_started else ():
            start: RawItem | None = None
            while True:
                _, of_read, start = self._table.query(
                    user_pk(user_id),
                    source.keys,
                    index=source.index,
                    filter_condition=source.filter,
                    start=start,
                    count=True,
                )
                counted += of_read
                if start is None:
                    break
        return counted

    def _read_page(
        self,
        user_id: int,
        filters: Filters,
        sources: Sequence[_Source],
        page_size: int,
        position: Position | None,
    ) -> tuple[list[RawItem], Position | None]:
        """Return the items after a position, and the position where reading stopped.

        The position is None if reading reached the end of the list. If more items are returned than fit on a
        page, another page follows.

        The list of a period begins with the timers that started in the period. Those that started earlier
        follow, because they are older.
        """
        backwards = position is not None and position.backwards
        earlier: list[RawItem] = []
        if position is not None and _is_earlier(position, filters):
            earlier = self._earlier(user_id, filters, position)
            if not backwards or len(earlier) > page_size:
                return earlier, None
            position = None
        started: list[RawItem] = []
        stop = None
        if filters.selects_started:
            count = page_size - len(earlier)
            parts = [
                self._started(user_id, source, count, position, backwards=backwards) for source in sources
            ]
            started, stop = _merged(parts, backwards=backwards)
        if not backwards and stop is None and len(started) <= page_size:
            earlier = self._earlier(user_id, filters)
            return started + earlier, None
        return earlier + started, stop

    def _started(
        self, user_id: int, source: _Source, count: int, after: Position | None, *, backwards: bool
    ) -> tuple[list[RawItem], Position | None]:
        """Return more than ``count`` items of a source after a position, if there are as many.

        Returns
        -------
        tuple[list[RawItem], Position | None]
            The items, and the position where reading stopped; None if reading reached the end.
        """
        start = None if after is None else _list_start(user_id, after, source)
        found: list[RawItem] = []
        for _ in range(_READS):
            items, _, start = self._table.query(
                user_pk(user_id),
                source.keys,
                index=source.index,
                filter_condition=source.filter,
                forward=backwards,
                limit=count + 1 - len(found) + _SPARE if source.selects_most else _FILTERED_READ,
                start=start,
            )
            found += items
            if start is None or len(found) > count:
                break
        return found, None if start is None else _stop(start, source, backwards=backwards)

    def _earlier(self, user_id: int, filters: Filters, position: Position | None = None) -> list[RawItem]:
        """Return the items of the timers that started before the period and reach into it.

        They begin after the position, and are sorted as its page is read: newest first, or oldest first.
        """
        period = filters.period
        if period is None or not filters.selects_earlier:
            return []
        found = [item for item in self._crossing(user_id, period.since_ms) if _selects(filters, item)]
        backwards = position is not None and position.backwards
        found.sort(key=_order, reverse=not backwards)
        if position is None:
            return found
        at = _order_of(position)
        return [item for item in found if (_order(item) > at if backwards else _order(item) < at)]

    def _crossing(self, user_id: int, at_ms: int) -> list[RawItem]:
        """Return the items of all timers that started before an instant and were open after it.

        The stored day with the instant names them, so the work does not grow with a person's history. Only if
        the day is not stored, or not valid, all timers that ended later are read.
        """
        if at_ms < self._days.state(user_id).valid_until_ms:
            day = self._days.last_before(user_id, at_ms + 1)
            ulids = day.carry.timers if day else ()
            found = self._table.get_many((user_pk(user_id), timer_sk(ulid)) for ulid in ulids)
        else:
            found = list(self._reaching(user_id, at_ms))
        return [item for item in found if "start_ms" in item and _crosses(item, at_ms)]

    def overlapping(self, user_id: int, period: Period) -> list[Timer]:
        """Return all timers that may change a person's timeline in a period, or begin at its end.

        See `Timer.reach`. They include the deleted timers whose time became gaps. The query also reads all
        timers that ended after the period.
        """
        return overlapping(self._reaching(user_id, period.since_ms), period)

    def with_calendar(self, user_id: int, since_ms: int) -> tuple[list[RawItem], RawItem]:
        """Return the items of all timers whose reach ends at an instant or later, and of the calendar.

        The item of the calendar is empty if the person has none. The read is strongly consistent.
        """
        keys = TimerItem.end_key.between(*end_keys_since_with_calendar(since_ms))
        items = list(self._table.query_all(user_pk(user_id), keys, index="by-end"))
        calendar = items.pop() if items and items[-1]["sk"]["S"] == CALENDAR_SK else {}
        return items, calendar

    def labels(self, user_id: int, ulids: Iterable[str], ended: Period) -> dict[str, Label]:
        """Return the labels of a person's timers by ULID. Timers that do not exist have none.

        Parameters
        ----------
        ended
            The period in which most of the timers ended; one query reads all timers that ended in it.
        """
        wanted = set(ulids)
        if not wanted:
            return {}
        items = list[RawItem]()
        if ended.since_ms < ended.until_ms:
            keys = TimerItem.end_key.between(*end_keys_of_stopped(*ended))
            items += self._table.query_all(user_pk(user_id), keys, index="by-end")
        others = wanted - {name_of(item["sk"]["S"]) for item in items}
        items += self._table.get_many((user_pk(user_id), timer_sk(ulid)) for ulid in sorted(others))
        return {name_of(item["sk"]["S"]): _to_label(item) for item in items if not is_tombstone(item)}

    def stopped_issues(self, user_id: int, since_ms: int) -> list[Issue]:
        """Return the issues of a person's stopped timers whose reach ends at an instant or later."""
        keys = TimerItem.end_key.between(*end_keys_of_stopped(since_ms, LATEST_MS))
        items = self._table.query_all(user_pk(user_id), keys, index="by-end")
        return [issue for item in items if not is_tombstone(item) and (issue := to_issue(item))]

    def _reaching(self, user_id: int, since_ms: int) -> Iterator[RawItem]:
        """Yield the items of all timers that are open, or whose reach ends at an instant or later."""
        keys = TimerItem.end_key.between(*end_keys_since(since_ms))
        return self._table.query_all(user_pk(user_id), keys, index="by-end")

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
        since = TimerItem.start_ms
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
        timers = [timer for item in found if not is_tombstone(item) and (timer := to_timer(item)).is_open]
        return timers, after


def overlapping(items: Iterable[RawItem], period: Period) -> list[Timer]:
    """Return the timers that `TimerQueries.overlapping` returns, given their items and perhaps others."""
    found = (to_gaps(item) if is_tombstone(item) else to_timer(item) for item in items)
    reaching = ((timer, timer.reach) for timer in found)
    since_ms, until_ms = period
    return [timer for timer, reach in reaching if reach.since_ms <= until_ms and reach.until_ms >= since_ms]


# The filter of the items in the table that are not in the index by-start, and no tombstones.
_IN_TABLE: Condition = TimerItem.deleted_ms.does_not_exist() & TimerItem.start_key.does_not_exist()


def _sources(filters: Filters, *, has_moved_starts: bool = True) -> list[_Source]:
    """Return what contains the selected timers that started in the period, each timer once."""
    start, end = filters.start_from_ms, filters.latest_start_ms
    condition = _filter_condition(filters)
    if filters.is_open:
        keys = TimerItem.end_key.between(*end_keys_of_open(start, end))
        return [_Source("by-end", "end_key", keys, condition, condition is None)]
    if filters.period is not None:
        since_ms = filters.period.since_ms
        start = since_ms if start is None else max(start, since_ms)
    between = start_sks(start, end)
    in_table = _IN_TABLE if condition is None else _IN_TABLE & condition
    sources = [_Source(None, "sk", TimerItem.sk.between(*between), in_table, condition is None)]
    if has_moved_starts:
        keys = TimerItem.start_key.between(*between)
        sources.append(_Source("by-start", "start_key", keys, condition, condition is None))
    return sources


def _list_start(user_id: int, position: Position, source: _Source) -> RawItem:
    """Return the key after which a page begins, in a source."""
    start_key = start_sk(position.start_ms, position.ulid)
    pk = {"S": user_pk(user_id)}
    if source.index is None:
        return {"pk": pk, "sk": {"S": start_key}}
    key = start_key if source.attribute == "start_key" else end_key(position.start_ms, None)
    return {"pk": pk, "sk": {"S": timer_sk(position.ulid)}, source.attribute: {"S": key}}


def _stop(last: RawItem, source: _Source, *, backwards: bool) -> Position:
    """Return the position where reading stopped, given the last key that was read."""
    key = name_of(last[source.attribute]["S"])
    start_ms = int(key) if source.attribute == "end_key" else ulid_ms(key)
    return Position(start_ms, name_of(last["sk"]["S"]), backwards)


def _merged(
    parts: Sequence[tuple[list[RawItem], Position | None]], *, backwards: bool
) -> tuple[list[RawItem], Position | None]:
    """Return the items of several sources in order, up to the first position where one of them stopped."""
    if len(parts) == 1:
        # The index of open timers sorts those of the same start by their whole ULIDs, as its positions do.
        return parts[0]
    found = sorted((item for items, _ in parts for item in items), key=_order, reverse=not backwards)
    stops = sorted((stop for _, stop in parts if stop is not None), key=_order_of, reverse=not backwards)
    if not stops:
        return found, None
    at = _order_of(stops[0])
    return [item for item in found if (_order(item) <= at if backwards else _order(item) >= at)], stops[0]


def _is_earlier(position: Position, filters: Filters) -> bool:
    """Whether a position is among the timers that `TimerQueries._earlier` returns."""
    since_ms = filters.period.since_ms if filters.period and filters.selects_earlier else 0
    return position.start_ms < since_ms


def _order(item: RawItem) -> tuple[int, str]:
    return order_at(_number(item, "start_ms"), name_of(item["sk"]["S"]))


def _order_of(position: Position) -> tuple[int, str]:
    return order_at(position.start_ms, position.ulid)


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
    onwards = _position(timers[-1], backwards) if len(found) > page_size else stop
    # If the page has no timers, the previous page begins at the last timer that was read.
    first = _position(timers[0], backwards) if timers else stop
    back = first and position and first._replace(backwards=not backwards)
    if backwards:
        return Page(timers[::-1], next=back, previous=onwards)
    return Page(timers, next=onwards, previous=back)


def _position(timer: Timer, backwards: bool) -> Position:
    return Position(timer.start_ms, timer.ulid, backwards)


def _open_timer_key(item: RawItem) -> OpenTimerKey:
    return OpenTimerKey(int(item["start_ms"]["N"]), user_id_of(item["pk"]["S"]), name_of(item["sk"]["S"]))


def _open_timers_start(cursor: OpenTimersCursor) -> RawItem | None:
    """Return the key after which a page begins, in the index ``open-timers``."""
    if cursor.after is None:
        return None
    return {
        "open_shard": {"S": open_timers_pk(cursor.shard)},
        "start_ms": {"N": str(cursor.after.since_ms)},
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
    if item is None or is_tombstone(item):
        raise NotFound("There is no such timer.")
    return to_timer(item)


def _to_label(item: RawItem) -> Label:
    return Label(to_issue(item), description_of(item))


def _crosses(item: RawItem, at_ms: int) -> bool:
    """Whether a timer started before an instant, and was open or has confirmed time after it."""
    if _number(item, "start_ms") >= at_ms:
        return False
    if "end_ms" not in item or _number(item, "end_ms") > at_ms:
        return True
    return "confirmed_span" in item and decode_span(item["confirmed_span"]["S"]).until_ms > at_ms


def _selects(filters: Filters, item: RawItem) -> bool:
    """Whether the filters select a timer, apart from the period."""
    return (
        filters.selects_start(_number(item, "start_ms"))
        and (filters.is_open is None or filters.is_open == ("end_ms" not in item))
        and (not filters.repo_keys or item.get("repo_key", {}).get("S") in filters.repo_keys)
        and (filters.number is None or ("number" in item and _number(item, "number") == filters.number))
    )


def _number(item: RawItem, name: str) -> int:
    return int(item[name]["N"])


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
