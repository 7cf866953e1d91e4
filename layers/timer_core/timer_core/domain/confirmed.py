"""Confirmed days: a person has stated that the timesheet of a day is right, and its slices are frozen.

The timers stay as events and people state them. `confirmed_timeline` replaces what follows from them on
confirmed days, so every figure that is a sum of slices keeps the confirmed time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from timer_core.domain.calendar import Calendar
from timer_core.domain.schedule import DAY, DAY_MS, Schedule, Span, instant
from timer_core.domain.timeline import Carry, Rule, Slice, Timeline, clipped, joined_slices, timeline
from timer_core.domain.timers import Timer, without

# A day can be confirmed this long after its end. So changes of the last moments concern no confirmed day.
OVER_AFTER_MS = 60_000
# The beginnings of dates in two time zones differ by less than this (IANA: from UTC-12 to UTC+14).
_ZONES_MS = 2 * DAY_MS
# A date ends at most this long after it ends in UTC (IANA, "Etc/GMT+12").
_LATEST_ZONE_MS = DAY_MS // 2


class ConfirmedRange(NamedTuple):
    """Adjacent confirmed days: their dates, both inclusive, and their instants when they were confirmed.

    ``locked`` says that the organization's lock has frozen them, and not their person.
    """

    first: date
    last: date
    since_ms: int
    until_ms: int
    locked: bool = False

    @property
    def span(self) -> Span:
        """The time of the days."""
        return Span(self.since_ms, self.until_ms)


@dataclass(frozen=True, slots=True)
class ConfirmedDay:
    """A confirmed day with its slices at the time of its confirmation, sorted by beginning and timer.

    ``locked`` is as in `ConfirmedRange`.
    """

    date: date
    since_ms: int
    until_ms: int
    confirmed_ms: int
    slices: tuple[Slice, ...]
    locked: bool = False

    @property
    def range(self) -> ConfirmedRange:
        """The range that only has this day."""
        return ConfirmedRange(self.date, self.date, self.since_ms, self.until_ms, self.locked)


# ---------------------------------------------------------------------- ranges of days


def with_range(ranges: Iterable[ConfirmedRange], added: ConfirmedRange) -> tuple[ConfirmedRange, ...]:
    """Return sorted ranges with another one, which replaces its dates. Adjacent ranges become one."""
    found: list[ConfirmedRange] = []
    for one in sorted([*without_range(ranges, added), added]):
        before = found[-1] if found else None
        follows = before and before.last + DAY == one.first and before.until_ms == one.since_ms
        if before and follows and before.locked == one.locked:
            found[-1] = before._replace(last=one.last, until_ms=one.until_ms)
        else:
            found.append(one)
    return tuple(found)


def without_range(ranges: Iterable[ConfirmedRange], removed: ConfirmedRange) -> tuple[ConfirmedRange, ...]:
    """Return ranges without a part of one of them."""
    found: list[ConfirmedRange] = []
    for one in ranges:
        if removed.first < one.first or one.last < removed.last:
            found.append(one)
            continue
        if one.first < removed.first:
            found.append(one._replace(last=removed.first - DAY, until_ms=removed.since_ms))
        if removed.last < one.last:
            found.append(one._replace(first=removed.last + DAY, since_ms=removed.until_ms))
    return tuple(found)


def is_confirmed(ranges: Iterable[ConfirmedRange], day: date) -> bool:
    """Whether a date is confirmed."""
    return any(one.first <= day <= one.last for one in ranges)


def overlaps(ranges: Iterable[ConfirmedRange], since_ms: int, until_ms: int) -> bool:
    """Whether a confirmed day overlaps an interval."""
    return any(max(one.since_ms, since_ms) < min(one.until_ms, until_ms) for one in ranges)


def is_over_everywhere(day: date, now_ms: int) -> bool:
    """Whether a date has been over for a minute in all time zones."""
    return instant("UTC", day + DAY, 0) + _LATEST_ZONE_MS + OVER_AFTER_MS <= now_ms


def first_locked(locked_until: date | None, spans: Iterable[Span], schedule: Schedule) -> date | None:
    """Return the first date that a span overlaps and that is locked; None if there is none.

    Parameters
    ----------
    locked_until
        The last date that is locked; None if none is.
    """
    first_ms = min((span.since_ms for span in spans), default=None)
    if locked_until is None or first_ms is None or first_ms >= schedule.starts_at(locked_until + DAY):
        return None
    return min(schedule.day_of(first_ms), locked_until)


def lifted_from(one: ConfirmedRange, locked_until: date | None) -> date | None:
    """Return the first date of a range that a lock has frozen and no longer locks; None if there is none."""
    if not one.locked or (locked_until is not None and one.last <= locked_until):
        return None
    return one.first if locked_until is None else max(one.first, locked_until + DAY)


def without_lifted(ranges: Iterable[ConfirmedRange], locked_until: date | None) -> Iterator[ConfirmedRange]:
    """Yield ranges without those of which the present lock leaves days open that a former one has frozen."""
    return (one for one in ranges if lifted_from(one, locked_until) is None)


def first_confirmed(
    ranges: Iterable[ConfirmedRange], spans: Iterable[Span], schedule: Schedule
) -> date | None:
    """Return the first confirmed date that a span overlaps; None if there is none."""
    touched = list(spans)
    found = (
        min(max(schedule.day_of(max(one.since_ms, span.since_ms)), one.first), one.last)
        for one in ranges
        for span in touched
        if max(one.since_ms, span.since_ms) < min(one.until_ms, span.until_ms)
    )
    return min(found, default=None)


def altered_days(
    ranges: Iterable[ConfirmedRange], before: Schedule, after: Schedule, from_ms: int
) -> Iterator[date]:
    """Yield the confirmed dates whose working hours or borders a change of the schedule alters, in order.

    Parameters
    ----------
    from_ms
        The instant before which the change alters no working hours.
    """
    for one in ranges:
        if one.until_ms <= from_ms - _ZONES_MS:
            continue
        hours = [(list(s.planned(*one.span)), list(s.working(*one.span))) for s in (before, after)]
        altered = [
            span for old, new in zip(*hours, strict=True) for span in (*without(old, new), *without(new, old))
        ]
        day = one.first
        while day <= one.last:
            since_ms, until_ms = before.starts_at(day), before.starts_at(day + DAY)
            is_moved = (since_ms, until_ms) != (after.starts_at(day), after.starts_at(day + DAY))
            if is_moved or any(max(since_ms, a) < min(until_ms, b) for a, b in altered):
                yield day
            day += DAY


# ---------------------------------------------------------------------- the timeline


def confirmed_timeline(
    timers: Iterable[Timer],
    calendar: Calendar,
    until_ms: int,
    carry: Carry | None = None,
    days: Sequence[ConfirmedDay] = (),
) -> Timeline:
    """Derive a person's working time, with the frozen slices on confirmed days.

    Breaks, the focus and stale timers follow from the timers alone, also on confirmed days.

    Parameters
    ----------
    timers, calendar, until_ms, carry
        As in `timer_core.domain.timeline.timeline`.
    days
        The confirmed days that overlap the interval, in order.
    """
    known = list(timers)
    if carry is None:
        carry = Carry(min((timer.reach.since_ms for timer in known), default=until_ms))
    found = timeline(known, calendar, until_ms, carry)
    spans = [
        Span(max(day.since_ms, carry.at_ms), min(day.until_ms, until_ms))
        for day in days
        if max(day.since_ms, carry.at_ms) < min(day.until_ms, until_ms)
    ]
    if not spans:
        return found
    frozen = [
        piece._replace(timer=heirs.get(piece.timer, piece.timer))
        for day in days
        for heirs in [_heirs(known, day)]
        for piece in clipped(day.slices, carry.at_ms, until_ms)
    ]
    replaced = [piece for span in spans for piece in clipped(found.slices, *span)]
    if are_same(frozen, replaced):
        return found
    kept = [
        part
        for piece in found.slices
        for span in without([Span(piece.since_ms, piece.until_ms)], spans)
        for part in clipped([piece], *span)
    ]
    slices = tuple(sorted([*kept, *frozen], key=lambda piece: (piece.since_ms, piece.timer)))
    return Timeline(slices, _with_difference(found.carry, frozen, replaced), derived=found.slices)


def _heirs(timers: Iterable[Timer], day: ConfirmedDay) -> Mapping[str, str]:
    """Map the timers that have become part of other timers since a day was confirmed to these, by ULID."""
    present = [
        timer
        for timer in timers
        if timer.confirmed_span
        and max(timer.confirmed_span.since_ms, day.since_ms)
        < min(timer.confirmed_span.until_ms, day.until_ms)
    ]
    absorbed = {ulid: timer.ulid for timer in present for ulid in timer.absorbed}
    return {ulid: heir for ulid, heir in absorbed.items() if all(ulid != timer.ulid for timer in present)}


def are_same(slices: Iterable[Slice], others: Iterable[Slice]) -> bool:
    """Whether the same time counts, and as overtime, for the same timers, be it for another reason."""
    return _without_reasons(slices) == _without_reasons(others)


def _without_reasons(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    ordered = sorted(slices, key=lambda piece: (piece.since_ms, piece.timer))
    return joined_slices(piece._replace(rule=Rule.ONLY) for piece in ordered)


def _with_difference(carry: Carry, frozen: Iterable[Slice], replaced: Iterable[Slice]) -> Carry:
    timers = dict(carry.timers)
    for sign, slices in ((1, frozen), (-1, replaced)):
        for piece in slices:
            if (state := timers.get(piece.timer)) is not None:
                working_ms = state.working_ms + sign * piece.working_ms
                timers[piece.timer] = state._replace(working_ms=working_ms)
    return replace(carry, timers=timers)
