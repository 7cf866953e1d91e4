"""Totals: active time per day and per issue.

The curve of a timer is a function that returns the active time from the start to any moment, in whole
milliseconds. The active time between two moments is the difference of two values of the curve. So if a period
is split, the active times of the shorter periods add up to the active time of the period.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import accumulate, pairwise
from operator import attrgetter
from zoneinfo import ZoneInfo

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Period, Timer, stretches

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class IssueTotal:
    """Active time and number of timers on one issue; ``issue`` is None for timers without an issue."""

    issue: Issue | None
    active_ms: int
    timers: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The active time in a period: the sum, the time per day, and the time per issue.

    Issues are sorted by active time, longest first. Days and issues without active time are not included.
    """

    active_ms: int
    days: tuple[tuple[date, int], ...]
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
    """The active time of a timer in a period, and on the day on which the timer begins in the period."""

    active_ms: int
    first_day_ms: int


def part_of(timer: Timer, period: Period, zone: ZoneInfo, now_ms: int) -> Part:
    """Return the part of a timer that lies in a period, up to the present.

    The sum of the parts of all timers in a period is the total of the period.
    """
    curve = Curve(timer, now_ms)
    overlap = _overlap(curve, period)
    if overlap is None:
        return Part(0, 0)
    first_ms, last_ms = overlap
    next_day_ms = _beginning(_date(first_ms, zone) + _DAY, zone)
    return Part(
        curve.active_between(first_ms, last_ms), curve.active_between(first_ms, min(last_ms, next_day_ms))
    )


def add_up(timers: Iterable[Timer], period: Period, zone: ZoneInfo, now_ms: int) -> Totals:
    """Add up the active time of timers in a period.

    Parameters
    ----------
    timers
        The timers, in any order. The first timer of an issue determines the spelling of the issue's name.
    zone
        The time zone of the calendar days. A day on which the clocks change is shorter or longer than
        24 hours.
    """
    curves = [(timer.issue, Curve(timer, now_ms)) for timer in timers]
    # Days before the first timer and after the last one have no active time.
    since_ms = max(period.since_ms, min((curve.start_ms for _, curve in curves), default=period.until_ms))
    until_ms = min(period.until_ms, max((curve.end_ms for _, curve in curves), default=since_ms))
    period = Period(since_ms, until_ms)
    calendar = _days(period, zone)
    by_day: Counter[date] = Counter()
    by_issue: dict[str, IssueTotal] = {}
    for issue, curve in curves:
        on_days = _by_day(curve, period, calendar)
        by_day.update(on_days)
        active_ms = sum(on_days.values())
        if active_ms:
            key = _key(issue)
            known = by_issue.get(key) or IssueTotal(issue, 0, 0)
            titled = _with_title(known.issue, issue)
            by_issue[key] = IssueTotal(titled, known.active_ms + active_ms, known.timers + 1)
    issues = sorted(by_issue.values(), key=lambda total: (-total.active_ms, _key(total.issue)))
    return Totals(
        active_ms=sum(total.active_ms for total in issues),
        days=tuple((day, by_day[day]) for _, day in calendar if by_day[day]),
        issues=tuple(issues),
    )


def _by_day(curve: Curve, period: Period, calendar: Sequence[tuple[int, date]]) -> dict[date, int]:
    """Return the active time of a timer in a period on each day of a calendar."""
    overlap = _overlap(curve, period)
    if overlap is None:
        return {}
    first_ms, last_ms = overlap
    first = bisect_right(calendar, first_ms, key=_begins_ms)
    last = bisect_left(calendar, last_ms, key=_begins_ms)
    cuts = [first_ms, *map(_begins_ms, calendar[first:last]), last_ms]
    days = [day for _, day in calendar[first - 1 : last]]
    reached = pairwise(map(curve.active_until, cuts))
    return {day: after - before for day, (before, after) in zip(days, reached, strict=True)}


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
    day = _date(period.since_ms, zone)
    days = []
    while (begins_ms := _beginning(day, zone)) < period.until_ms:
        days.append((begins_ms, day))
        day += _DAY
    return days


def _date(at_ms: int, zone: ZoneInfo) -> date:
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()


def _beginning(day: date, zone: ZoneInfo) -> int:
    """Return the first moment of a day.

    If the clocks skip midnight, the day begins when the clocks change. zoneinfo interprets a skipped time
    with the offset from before the change (PEP 495). Every zone that skipped midnight changed its clocks at
    midnight, so this interpretation gives the time of the change.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - _EPOCH) // timedelta(milliseconds=1)


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
