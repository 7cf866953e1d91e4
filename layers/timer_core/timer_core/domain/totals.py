"""Totals: working time and active time per day and per issue.

Working time is a sum of slices of the person's timeline. Active time is that of the timers' histories: the
curve of a timer is a function that returns the active time from the start to any moment, in whole
milliseconds. The active time between two moments is the difference of two values of the curve. So if a period
is split, the active times of the shorter periods add up to the active time of the period.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY, Span, instant, local_date
from timer_core.domain.timeline import Slice, clipped
from timer_core.domain.timers import Period, Timer, stretches


@dataclass(frozen=True, slots=True)
class IssueTotal:
    """Time and number of timers on one issue; ``issue`` is None for timers without an issue."""

    issue: Issue | None
    working_ms: int
    active_ms: int
    timers: int


@dataclass(frozen=True, slots=True)
class DayTotal:
    """Time on one day."""

    day: date
    working_ms: int
    active_ms: int


class TimerDay(NamedTuple):
    """The time of a timer on one day.

    Attributes
    ----------
    confirmed_ms
        The part of the working time on days that the person has confirmed.
    """

    timer: Timer
    day: date
    working_ms: int
    active_ms: int
    confirmed_ms: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The time in a period: the sums, the time per day, and the time per issue.

    Issues are sorted by working time, longest first. Days and issues without any time are not included.
    """

    working_ms: int
    active_ms: int
    days: tuple[DayTotal, ...]
    issues: tuple[IssueTotal, ...]


class Curve:
    """The active time of a timer as a function of time.

    After a correction, pauses may be outside the time between start and end. If so, the remaining stretches
    are scaled so that their sum is the timer's active time.

    Parameters
    ----------
    timer
        The timer.
    now_ms
        The current time, at which a running timer ends (milliseconds since the epoch).
    """

    def __init__(self, timer: Timer, now_ms: int) -> None:
        now_ms = max(now_ms, timer.changed_ms)
        self.start_ms = timer.start_ms
        self.end_ms = now_ms if timer.end_ms is None else timer.end_ms
        self._total_ms = timer.active_ms(now_ms)
        self._stretches = stretches(timer, now_ms)
        lengths = (until_ms - since_ms for since_ms, until_ms in self._stretches)
        self._before_ms = list(accumulate(lengths, initial=0))

    def active_until(self, at_ms: int) -> int:
        """Return the active time from the start to a moment. Later moments never have a smaller value."""
        started = bisect_left(self._stretches, at_ms, key=attrgetter("since_ms"))
        ran_ms, sum_ms = self._before_ms[started], self._before_ms[-1]
        if started:
            ran_ms -= max(0, self._stretches[started - 1].until_ms - at_ms)
        if sum_ms == self._total_ms:
            return ran_ms
        return ran_ms * self._total_ms // sum_ms

    def active_between(self, since_ms: int, until_ms: int) -> int:
        """Return the active time between two moments."""
        return self.active_until(until_ms) - self.active_until(max(since_ms, self.start_ms))


@dataclass(frozen=True, slots=True)
class Part:
    """The time of a timer in a period, and its working time on the day on which it begins in the period."""

    working_ms: int
    active_ms: int
    first_day_working_ms: int


def part_of(timer: Timer, slices: Iterable[Slice], period: Period, zone: ZoneInfo, now_ms: int) -> Part:
    """Return the part of a timer that lies in a period, up to the present.

    The sum of the parts of all timers in a period is the total of the period.

    Parameters
    ----------
    slices
        The slices of the timer.
    """
    own = list(slices)
    working_ms = sum(piece.working_between(*period) for piece in own)
    curve = Curve(timer, now_ms)
    overlap = _overlap(curve, period)
    if overlap is None:
        return Part(working_ms, 0, working_ms)
    first_ms, last_ms = overlap
    next_day_ms = instant(zone.key, local_date(zone.key, first_ms) + DAY, 0)
    on_first_day = sum(piece.working_between(period.since_ms, next_day_ms) for piece in own)
    return Part(working_ms, curve.active_between(first_ms, last_ms), on_first_day)


def add_up(
    timers: Iterable[Timer], slices: Iterable[Slice], period: Period, zone: ZoneInfo, now_ms: int
) -> Totals:
    """Add up the time of timers in a period.

    Parameters
    ----------
    timers
        The timers, in any order. The first timer of an issue determines the spelling of the issue's name.
    slices
        The slices of the person's timeline in the period. Slices of other timers are ignored.
    zone
        The time zone of the calendar days. A day on which the clocks change is shorter or longer than
        24 hours.
    """
    by_day: dict[date, DayTotal] = {}
    by_issue: dict[str, IssueTotal] = {}
    parts = timer_days(timers, slices, period, zone, now_ms)
    for _, of_timer in groupby(parts, key=attrgetter("timer.ulid")):
        days = [*of_timer]
        timer = days[0].timer
        for part in days:
            known = by_day.get(part.day, DayTotal(part.day, 0, 0))
            by_day[part.day] = DayTotal(
                part.day, known.working_ms + part.working_ms, known.active_ms + part.active_ms
            )
        key = _key(timer.issue)
        total = by_issue.get(key) or IssueTotal(timer.issue, 0, 0, 0)
        by_issue[key] = IssueTotal(
            _with_title(total.issue, timer.issue),
            total.working_ms + sum(part.working_ms for part in days),
            total.active_ms + sum(part.active_ms for part in days),
            total.timers + 1,
        )
    issues = sorted(
        by_issue.values(), key=lambda total: (-total.working_ms, -total.active_ms, _key(total.issue))
    )
    return Totals(
        working_ms=sum(total.working_ms for total in issues),
        active_ms=sum(total.active_ms for total in issues),
        days=tuple(by_day[day] for day in sorted(by_day)),
        issues=tuple(issues),
    )


def timer_days(
    timers: Iterable[Timer],
    slices: Iterable[Slice],
    period: Period,
    zone: ZoneInfo,
    now_ms: int,
    confirmed: Iterable[Span] = (),
) -> Iterator[TimerDay]:
    """Yield the time of each timer in a period on each day, without the days on which it has none.

    The days of a timer follow one another, in order.

    Parameters
    ----------
    timers, slices, period, zone, now_ms
        Those of `add_up`.
    confirmed
        The beginnings and ends of the person's confirmed days.
    """
    pieces = list(slices)
    found = [(timer, Curve(timer, now_ms)) for timer in timers]
    # Days before the first timer and after the last one have no time.
    first_ms = min((timer.reach.since_ms for timer, _ in found), default=period.until_ms)
    since_ms = max(period.since_ms, first_ms)
    until_ms = min(period.until_ms, max((now_ms, *(curve.end_ms for _, curve in found))))
    period = Period(since_ms, max(since_ms, until_ms))
    calendar = _days(period, zone)
    working = _working_by_day(pieces, period, calendar)
    frozen = (piece for span in confirmed for piece in clipped(pieces, *span))
    confirmed_on = _working_by_day(frozen, period, calendar)
    for timer, curve in found:
        active_on, working_on = _by_day(curve, period, calendar), working[timer.ulid]
        for day in sorted(active_on.keys() | working_on.keys()):
            if active_on[day] or working_on[day]:
                of_day = confirmed_on[timer.ulid][day]
                yield TimerDay(timer, day, working_on[day], active_on[day], of_day)


def _working_by_day(
    slices: Iterable[Slice], period: Period, calendar: Sequence[tuple[int, date]]
) -> defaultdict[str, Counter[date]]:
    """Return the working time of each timer in a period on each day of a calendar, by ULID."""
    found: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for piece in slices:
        first_ms, last_ms = max(piece.since_ms, period.since_ms), min(piece.until_ms, period.until_ms)
        if first_ms >= last_ms:
            continue
        for begins_ms, day, ends_ms in _cut(first_ms, last_ms, calendar):
            found[piece.timer][day] += piece.working_between(begins_ms, ends_ms)
    return found


def _by_day(curve: Curve, period: Period, calendar: Sequence[tuple[int, date]]) -> Counter[date]:
    """Return the active time of a timer in a period on each day of a calendar."""
    overlap = _overlap(curve, period)
    if overlap is None:
        return Counter()
    return Counter(
        {
            day: curve.active_until(ends_ms) - curve.active_until(begins_ms)
            for begins_ms, day, ends_ms in _cut(*overlap, calendar)
        }
    )


def _cut(
    first_ms: int, last_ms: int, calendar: Sequence[tuple[int, date]]
) -> Iterator[tuple[int, date, int]]:
    """Cut a non-empty interval at the beginnings of days; yield the beginning, day and end of each part."""
    first = bisect_right(calendar, first_ms, key=_begins_ms)
    last = bisect_left(calendar, last_ms, key=_begins_ms)
    cuts = [first_ms, *map(_begins_ms, calendar[first:last]), last_ms]
    days = [day for _, day in calendar[first - 1 : last]]
    for (begins_ms, ends_ms), day in zip(pairwise(cuts), days, strict=True):
        yield begins_ms, day, ends_ms


def _overlap(curve: Curve, period: Period) -> Period | None:
    """Return the part of a period from a timer's start to its end; None if it is empty."""
    overlap = Period(max(period.since_ms, curve.start_ms), min(period.until_ms, curve.end_ms))
    return overlap if overlap.since_ms < overlap.until_ms else None


def _begins_ms(entry: tuple[int, date]) -> int:
    return entry[0]


def _key(issue: Issue | None) -> str:
    return "" if issue is None else issue.key


def _with_title(issue: Issue | None, other: Issue | None) -> Issue | None:
    """Return the first issue. If it has no title, add the title of the other issue."""
    if issue is None or other is None or issue.title:
        return issue
    return replace(issue, title=other.title)


def _days(period: Period, zone: ZoneInfo) -> list[tuple[int, date]]:
    """Return the first moment and the date of each day in a period; no days if the period is empty."""
    if period.since_ms >= period.until_ms:
        return []
    day = local_date(zone.key, period.since_ms)
    days = []
    while (begins_ms := instant(zone.key, day, 0)) < period.until_ms:
        days.append((begins_ms, day))
        day += DAY
    return days


@cache
def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name, such as ``Europe/Berlin``.

    Raises
    ------
    InvalidInput
        If there is no time zone with this name.
    """
    # ZoneInfo also accepts zones with leap seconds, and files in the system's database that are not time
    # zones.
    if name not in _zone_names():
        raise InvalidInput(
            "time_zone",
            "Is not the IANA name of a time zone, such as Europe/Berlin.",
            ErrorCode.UNKNOWN_TIME_ZONE,
        )
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())
