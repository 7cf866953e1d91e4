"""Totals: active time per day and per issue.

The curve of a timer is a function that returns the active time from the start to any moment, in whole
milliseconds. The active time between two moments is the difference of two values of the curve. So if a range
is split, the active times of its parts add up to the active time of the range.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, stretches

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IssueTotal:
    """Active time and number of timers on one issue; ``issue`` is None for timers without an issue."""

    issue: Issue | None
    active_ms: int
    timers: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The active time in a range: the sum, the time per day, and the time per issue.

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
        self.start_ms = timer.start_ms
        self.end_ms = max(now_ms, timer.changed_ms) if timer.end_ms is None else timer.end_ms
        self._total_ms = timer.active_ms(now_ms)
        self._stretches = stretches(timer, now_ms)
        self._sum_ms = sum(until_ms - since_ms for since_ms, until_ms in self._stretches)

    def active_until(self, at_ms: int) -> int:
        """Return the active time from the start to a moment. Later moments never have a smaller value."""
        ran_ms = sum(max(0, min(until_ms, at_ms) - since_ms) for since_ms, until_ms in self._stretches)
        if self._sum_ms == self._total_ms:
            return ran_ms
        return ran_ms * self._total_ms // self._sum_ms


def add_up(timers: Iterable[Timer], *, since_ms: int, until_ms: int, zone: ZoneInfo, now_ms: int) -> Totals:
    """Add up the active time of timers in a range.

    Parameters
    ----------
    timers
        The timers, in any order. The first timer of an issue determines the spelling of the issue's name.
    since_ms, until_ms
        The range. Time after ``now_ms`` is not included.
    zone
        The time zone of the calendar days. A day on which the clocks change is shorter or longer than
        24 hours.
    """
    until_ms = min(until_ms, now_ms)
    calendar = _days(since_ms, until_ms, zone) if since_ms < until_ms else []
    by_day: Counter[date] = Counter()
    by_issue: dict[str, IssueTotal] = {}
    for timer in timers:
        on_days = _by_day(Curve(timer, now_ms), since_ms, until_ms, calendar)
        by_day.update(on_days)
        active_ms = sum(on_days.values())
        if active_ms:
            key = _key(timer.issue)
            known = by_issue.get(key) or IssueTotal(timer.issue, 0, 0)
            issue = _with_title(known.issue, timer.issue)
            by_issue[key] = IssueTotal(issue, known.active_ms + active_ms, known.timers + 1)
    issues = sorted(by_issue.values(), key=lambda total: (-total.active_ms, _key(total.issue)))
    return Totals(
        active_ms=sum(total.active_ms for total in issues),
        days=tuple((day, by_day[day]) for _, day in calendar if by_day[day]),
        issues=tuple(issues),
    )


def _by_day(
    curve: Curve, since_ms: int, until_ms: int, calendar: Sequence[tuple[int, date]]
) -> dict[date, int]:
    """Return the active time of a timer in a range on each day of a calendar."""
    first_ms, last_ms = max(since_ms, curve.start_ms), min(until_ms, curve.end_ms)
    if first_ms >= last_ms:
        return {}
    first = bisect_right(calendar, first_ms, key=_begins_ms)
    last = bisect_left(calendar, last_ms, key=_begins_ms)
    cuts = [first_ms, *map(_begins_ms, calendar[first:last]), last_ms]
    days = [day for _, day in calendar[first - 1 : last]]
    reached = pairwise(map(curve.active_until, cuts))
    return {day: after - before for day, (before, after) in zip(days, reached, strict=True)}


def _begins_ms(entry: tuple[int, date]) -> int:
    return entry[0]


def _key(issue: Issue | None) -> str:
    return "" if issue is None else issue.key


def _with_title(issue: Issue | None, other: Issue | None) -> Issue | None:
    """Return the first issue. If it has no title, add the title of the other issue."""
    if issue is None or other is None or issue.title:
        return issue
    return replace(issue, title=other.title)


def _days(since_ms: int, until_ms: int, zone: ZoneInfo) -> list[tuple[int, date]]:
    """Return the first moment and the date of each day in a range."""
    day = datetime.fromtimestamp(since_ms / 1000, zone).date()
    days = []
    while (begins_ms := _beginning(day, zone)) < until_ms:
        days.append((begins_ms, day))
        day += _DAY
    return days


def _beginning(day: date, zone: ZoneInfo) -> int:
    """Return the first moment of a day.

    If the clocks skip midnight, the day begins when the clocks change. zoneinfo interprets a skipped time
    with the offset from before the change (PEP 495). Every zone that skipped midnight changed its clocks at
    midnight, so this interpretation gives the time of the change.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


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
