"""People's stored days: the slices of a UTC day, and the state of the timeline at its end.

A day is stored if time counted on it, if a timer ended on it, or if it changed the state of the timeline. So
the last day that is stored before an instant has the state at this instant, and names all timers that were
open then. The item `CalendarItem` contains the time up to which days are stored and valid.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any

from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import DAY_MS, midnight
from timer_core.domain.timeline import Carry, Rule, Slice, Timeline, TimerCarry
from timer_core.store.calendars import dirty_of, lower_dirty, to_own
from timer_core.store.items import StoredDayItem, raw
from timer_core.store.keys import CALENDAR_SK, day_of, day_part_sk, day_sk, user_pk
from timer_core.store.table import RawItem, Table, Write

# An item has at most 400 KB (AWS, "DynamoDB quotas").
_PART_BYTES = 380_000
_RULES = tuple(Rule)


@dataclass(frozen=True, slots=True)
class StoredState:
    """Which of a person's days are stored.

    Attributes
    ----------
    own
        The person's own part of the calendar, which is in the same item.
    stored_until_ms
        The UTC midnight up to which days were stored; 0 if none were.
    valid_until_ms
        The UTC midnight up to which the stored days are valid.
    carry
        The state of the timeline at ``valid_until_ms``; None if only the stored days have it.
    changes
        The number of changes that made stored days invalid.
    has_moved_starts
        Whether the start of one of the person's timers was ever moved.
    """

    own: OwnCalendar
    stored_until_ms: int
    valid_until_ms: int
    carry: Carry | None
    changes: int
    has_moved_starts: bool

    @property
    def is_valid(self) -> bool:
        """Whether all stored days are valid."""
        return self.valid_until_ms == self.stored_until_ms

    def valid_until(self, at_ms: int) -> "StoredState":
        """Return the state without the day of an instant, and the later days.

        Days whose details are deleted stay valid, because nothing else has their sums.
        """
        if at_ms >= self.valid_until_ms:
            return self
        valid_ms = max(midnight(at_ms), self.own.details_from_ms)
        return self if valid_ms == self.valid_until_ms else replace(self, valid_until_ms=valid_ms, carry=None)


def outdated(user_id: int, from_ms: int, *, now_ms: int) -> list[Write]:
    """Return the write that marks a person's stored days from an instant on as outdated.

    Yesterday and today (UTC) are never stored, so there is none for a change of the present.
    """
    yesterday_ms = midnight(now_ms) - DAY_MS
    return [lower_dirty(user_id, from_ms)] if from_ms < yesterday_ms else []


class StoredDays:
    """Reads the stored days in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def state(self, user_id: int) -> StoredState:
        """Return which days of a person are stored. The read is strongly consistent."""
        return to_state(self._table.get(user_pk(user_id), CALENDAR_SK) or {})

    def between(self, user_id: int, since_ms: int, until_ms: int) -> Iterator[Timeline]:
        """Yield the stored days that overlap an interval, in order."""
        if since_ms < until_ms:
            contents = self.contents(user_id, since_ms, until_ms)
            for _, of_day in groupby(contents.items(), key=lambda content: day_of(content[0])):
                yield decode_day(b"".join(part for _, part in of_day))

    def contents(self, user_id: int, since_ms: int, until_ms: int) -> dict[str, bytes]:
        """Return the contents of the items of the days that overlap an interval, by sort key, in order."""
        # All parts of a day follow the day's first key, and precede this one of the last day.
        last = f"{day_sk(date_of(until_ms - 1))}~"
        items = self._table.query_all(
            user_pk(user_id), StoredDayItem.sk.between(day_sk(date_of(since_ms)), last)
        )
        return {item["sk"]["S"]: _content(item) for item in items}

    def contents_and_last(
        self, user_id: int, since_ms: int, until_ms: int
    ) -> tuple[dict[str, bytes], Timeline | None]:
        """Return the contents of the days that begin in an interval, and the last stored day before it.

        One request reads both, unless the interval has very many days.
        """
        first, last = day_sk(date_of(since_ms)), f"{day_sk(date_of(until_ms - 1))}~"
        condition = StoredDayItem.sk.between(day_sk(""), last)
        limit = (until_ms - since_ms) // DAY_MS + 1
        contents: dict[str, bytes] = {}
        start: RawItem | None = None
        while True:
            items, _, start = self._table.query(
                user_pk(user_id), condition, forward=False, limit=limit, start=start
            )
            for item in items:
                if item["sk"]["S"] < first:
                    return contents, decode_day(self._joined(user_id, item))
                contents[item["sk"]["S"]] = _content(item)
            if start is None:
                return contents, None

    def carries(self, user_id: int, dates: Iterable[str]) -> Mapping[str, Carry]:
        """Return the states of the timeline at the ends of those dates that are stored, by date."""
        found = self._table.get_many((user_pk(user_id), day_sk(day)) for day in sorted(set(dates)))
        return {day_of(item["sk"]["S"]): decode_carry(self._joined(user_id, item)) for item in found}

    def first_date(self, user_id: int) -> date | None:
        """Return the date of the first stored day; None if none is stored."""
        items, _, _ = self._table.query(user_pk(user_id), StoredDayItem.sk.startswith(day_sk("")), limit=1)
        return date.fromisoformat(day_of(items[0]["sk"]["S"])) if items else None

    def last_before(self, user_id: int, at_ms: int) -> Timeline | None:
        """Return the last stored day that began before an instant."""
        condition = StoredDayItem.sk.between(day_sk(""), f"{day_sk(date_of(at_ms - 1))}~")
        items, _, _ = self._table.query(user_pk(user_id), condition, forward=False, limit=1)
        return decode_day(self._joined(user_id, items[0])) if items else None

    def _joined(self, user_id: int, item: RawItem) -> bytes:
        """Return the stored form of a day, given one of its items."""
        content, first_sk = _content(item), day_sk(day_of(item["sk"]["S"]))
        if len(content) < _PART_BYTES and item["sk"]["S"] == first_sk:
            return content
        parts = self._table.query_all(user_pk(user_id), StoredDayItem.sk.startswith(first_sk))
        return b"".join(map(_content, parts))


def to_state(item: RawItem) -> StoredState:
    """Return which days are stored, given a `CalendarItem`, or an empty item."""
    dirty = dirty_of(item)
    stored_ms = int(item["stored_until_ms"]["N"]) if "stored_until_ms" in item else 0
    own = to_own(item)
    valid_ms = stored_ms if dirty.from_ms is None else max(own.details_from_ms, min(stored_ms, dirty.from_ms))
    carry = None
    if valid_ms == stored_ms and "carry" in item:
        carry = decode_carry(item["carry"]["B"])
    return StoredState(own, stored_ms, valid_ms, carry, dirty.changes, "has_moved_starts" in item)


def day_items(user_id: int, at_ms: int, day: Timeline) -> Iterator[tuple[str, RawItem]]:
    """Yield the items of a day, with their sort keys; ``at_ms`` is any instant of the day."""
    for number, part in enumerate(parts_of(encode_day(day))):
        sk = day_part_sk(date_of(at_ms), number)
        yield sk, raw(StoredDayItem(pk=user_pk(user_id), sk=sk, content=part))


def differences(
    user_id: int, existing: Mapping[str, bytes], items: Mapping[str, RawItem], since_ms: int
) -> Iterator[Write]:
    """Yield the writes that replace the existing items of the day that begins at ``since_ms``."""
    pk = user_pk(user_id)
    for sk, item in items.items():
        if existing.get(sk) != _content(item):
            yield Write("Put", pk, sk, item=item)
    for sk in existing.keys() - items.keys():
        if midnight_of(sk) == since_ms:
            yield Write("Delete", pk, sk)


def parts_of(content: bytes) -> list[bytes]:
    """Cut the stored form of a day into parts, each of which fits into an item."""
    return [content[first : first + _PART_BYTES] for first in range(0, len(content), _PART_BYTES)]


def encode_day(day: Timeline) -> bytes:
    """Return the stored form of a day: compressed JSON, with the timers of the slices by their positions."""
    slices = (*day.slices, *(day.derived or ()))
    ulids = sorted({*day.carry.timers, *(piece.timer for piece in slices)})
    positions = {ulid: position for position, ulid in enumerate(ulids)}
    carries = [day.carry.timers.get(ulid) for ulid in ulids]
    document: dict[str, Any] = {
        "at": day.carry.at_ms,
        "break": day.carry.break_ms,
        "timers": [
            [ulid, *((carry.working_ms, carry.unsigned_ms, carry.stale_ms) if carry else ())]
            for ulid, carry in zip(ulids, carries, strict=True)
        ],
        "slices": _encode_slices(day.slices, positions, day.carry.at_ms),
    }
    if day.derived is not None:
        document["derived"] = _encode_slices(day.derived, positions, day.carry.at_ms)
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode())


def decode_day(content: bytes) -> Timeline:
    """Return a day, given its stored form."""
    document = _document(content)
    at_ms, ulids = document["at"], [timer[0] for timer in document["timers"]]
    slices = _decode_slices(document["slices"], ulids, at_ms)
    derived = _decode_slices(document["derived"], ulids, at_ms) if "derived" in document else None
    return Timeline(slices, _to_carry(document), derived)


def decode_carry(content: bytes) -> Carry:
    """Return the state of the timeline at the end of a day, given the day's stored form."""
    return _to_carry(_document(content))


def _document(content: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(zlib.decompress(content))
    return document


def _to_carry(document: Mapping[str, Any]) -> Carry:
    timers = {ulid: TimerCarry(*numbers) for ulid, *numbers in document["timers"] if numbers}
    return Carry(document["at"], timers, document["break"])


def _encode_slices(slices: Iterable[Slice], positions: Mapping[str, int], at_ms: int) -> list[list[int]]:
    return [
        [
            positions[piece.timer],
            at_ms - piece.since_ms,
            piece.until_ms - piece.since_ms,
            _RULES.index(piece.rule),
            piece.position,
            piece.of,
            int(piece.overtime),
        ]
        for piece in slices
    ]


def _decode_slices(entries: Iterable[Sequence[int]], ulids: Sequence[str], at_ms: int) -> tuple[Slice, ...]:
    return tuple(
        Slice(
            ulids[timer],
            at_ms - before_ms,
            at_ms - before_ms + length_ms,
            _RULES[rule],
            position,
            of,
            bool(overtime),
        )
        for timer, before_ms, length_ms, rule, position, of, overtime in entries
    )


def date_of(at_ms: int) -> str:
    """Return the UTC date of an instant, in ISO 8601."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()


def midnight_of(sk: str) -> int:
    """Return the beginning of the UTC day of a stored item."""
    day = datetime.fromisoformat(day_of(sk)).replace(tzinfo=UTC)
    return int(day.timestamp()) * 1000


def _content(item: RawItem) -> bytes:
    content: bytes = item["content"]["B"]
    return content
