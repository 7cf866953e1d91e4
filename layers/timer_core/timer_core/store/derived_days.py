"""The days that a refresh stores: deriving them from timers, and dividing their writes into transactions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from timer_core.domain.calendar import Calendar
from timer_core.domain.confirmed import ConfirmedDay, confirmed_timeline
from timer_core.domain.schedule import DAY_MS, midnight
from timer_core.domain.timeline import Carry, Timeline
from timer_core.domain.timers import Timer
from timer_core.store.calendars import update_calendar
from timer_core.store.items import CalendarItem, PersonItem, as_read, raw
from timer_core.store.keys import PEOPLE_PK, user_pk
from timer_core.store.stored_days import (
    StoredState,
    day_items,
    differences,
    encode_day,
    midnight_of,
)
from timer_core.store.table import Write
from timer_core.store.writes import set_or_remove

# A writer does not mark days that are not stored yet. Its clock may differ, and its write may take a while,
# so a day is stored an hour later than writers assume.
_MARGIN_MS = 3_600_000
# The state of people with very many open timers does not fit into the item of the calendar.
_MOST_CARRY_BYTES = 40_000
# A transaction has at most 100 writes and 4 MB (AWS, "DynamoDB quotas").
MOST_WRITES = 90
_MOST_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class DerivedDay:
    """A UTC day that timers reach into.

    Attributes
    ----------
    content
        The content to store for the day; None if the day stored before it has all of it.
    carry
        The state of the timers that reach beyond the day.
    """

    since_ms: int
    content: Timeline | None
    carry: Carry


@dataclass(frozen=True, slots=True)
class Chunk:
    """The writes of adjacent days, their end, and the state of the timeline at their end."""

    writes: list[Write]
    until_ms: int
    carry: Carry


def stored_until(now_ms: int) -> int:
    """Return the UTC midnight before which days are over for good: all but yesterday and today."""
    return midnight(now_ms - DAY_MS - _MARGIN_MS)


def derived_days(
    timers: Sequence[Timer],
    confirmed: Sequence[ConfirmedDay],
    calendar: Calendar,
    carry: Carry,
    since_ms: int,
    until_ms: int,
) -> Iterator[DerivedDay]:
    """Derive the UTC days between two midnights that timers reach into."""
    waiting = sorted(timers, key=lambda timer: timer.reach.since_ms, reverse=True)
    present: list[Timer] = []
    # The state of the timers in the day that was stored last.
    stored = carry.timers
    while present or waiting:
        if not present:
            since_ms = max(since_ms, midnight(waiting[-1].reach.since_ms))
        if since_ms >= until_ms:
            return
        end_ms = since_ms + DAY_MS
        while waiting and waiting[-1].reach.since_ms < end_ms:
            present.append(waiting.pop())
        frozen = [day for day in confirmed if day.since_ms < end_ms and since_ms < day.until_ms]
        derived = confirmed_timeline(present, calendar, end_ms, replace(carry, at_ms=since_ms), frozen)
        remaining = [timer for timer in present if timer.reach.until_ms >= end_ms]
        has_changed = derived.carry.break_ms != carry.break_ms or any(
            stored.get(ulid) != state for ulid, state in derived.carry.timers.items()
        )
        content = None
        if derived.slices or has_changed or len(remaining) < len(present):
            content = derived
            stored = derived.carry.timers
        carry = replace(
            derived.carry, timers={timer.ulid: derived.carry.timers[timer.ulid] for timer in remaining}
        )
        yield DerivedDay(since_ms, content, carry)
        since_ms, present = end_ms, remaining


def chunks_of(
    user_id: int, days: Mapping[int, DerivedDay], existing: Mapping[str, bytes], carry: Carry, until_ms: int
) -> Iterator[Chunk]:
    """Yield the writes of days, as many at a time as fit into a transaction.

    Parameters
    ----------
    days
        The new days, by their beginnings.
    existing
        The existing items of the time in which the days lie, by sort key.
    carry
        The state of the timeline at the beginning of this time.
    until_ms
        The end of this time.
    """
    writes: list[Write] = []
    size = 0
    outdated = {midnight_of(sk) for sk in existing}
    for since_ms in sorted(days.keys() | outdated):
        day = days.get(since_ms)
        items = dict(day_items(user_id, since_ms, day.content)) if day and day.content else {}
        writes += differences(user_id, existing, items, since_ms)
        size += sum(len(item["content"]["B"]) for item in items.values())
        if day:
            carry = day.carry
        if len(writes) >= MOST_WRITES or size >= _MOST_BYTES:
            end_ms = since_ms + DAY_MS
            yield Chunk(writes, end_ms, replace(carry, at_ms=end_ms))
            writes, size = [], 0
    yield Chunk(writes, until_ms, replace(carry, at_ms=until_ms))


def advance(user_id: int, state: StoredState, chunk: Chunk) -> Iterator[Write]:
    """Yield the writes that make the days of a chunk valid."""
    carry = encode_day(Timeline((), chunk.carry))
    yield update_calendar(
        user_id,
        [
            CalendarItem.stored_until_ms.set(chunk.until_ms),
            set_or_remove(CalendarItem.carry, carry if len(carry) <= _MOST_CARRY_BYTES else None),
            CalendarItem.dirty_days.remove(),
        ],
        as_read(CalendarItem.dirty_changes, state.changes or None),
    )
    if state.stored_until_ms == 0:
        person = PersonItem(pk=PEOPLE_PK, sk=user_pk(user_id))
        yield Write("Put", person.pk, person.sk, item=raw(person))
