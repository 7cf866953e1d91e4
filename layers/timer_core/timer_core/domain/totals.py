"""How much of which timer's active time lies where: per day and per issue.

Each timer has a curve: how much of its active time it had by a moment, in whole milliseconds. What lies
between two moments is the difference of two of its points, so that any split of a range adds up.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Action, Status, Timer

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class IssueTotal:
    """Active time on one issue (None: on none), and how many timers it is of."""

    issue: Issue | None
    active_ms: int
    timers: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The active time in a range: all of it, by day, and by issue, the longest first.

    Days and issues without any are left out.
    """

    active_ms: int
    days: tuple[tuple[date, int], ...]
    issues: tuple[IssueTotal, ...]


class _Piece(NamedTuple):
    """A stretch of time with the active time in it, which is evenly spread."""

    since_ms: int
    until_ms: int
    active_ms: int

    def active_until(self, at_ms: int) -> int:
        if at_ms >= self.until_ms:
            return self.active_ms
        return self.active_ms * max(0, at_ms - self.since_ms) // (self.until_ms - self.since_ms)


class Curve:
    """How much of a timer's active time it had by a moment.

    A timer's history tells when it ran. Two things it does not tell are spread evenly:

    - what came before a history that was cut: over the time from the start to the cut;
    - what a correction took away, where pauses no longer lie between start and end: each stretch that is
      left counts in part.

    Parameters
    ----------
    timer
        The timer.
    now_ms
        Up to when a running one counts.
    """

    def __init__(self, timer: Timer, now_ms: int) -> None:
        self.start_ms = timer.start_ms
        self.end_ms = max(now_ms, timer.changed_ms) if timer.end_ms is None else timer.end_ms
        self._total_ms = timer.active_ms(now_ms)
        self._pieces = _pieces(timer, self.end_ms, self._total_ms)
        self._sum_ms = sum(piece.active_ms for piece in self._pieces)

    def active_until(self, at_ms: int) -> int:
        """Return the active time from the start to a moment; it never falls, and ends with all of it."""
        reached_ms = sum(piece.active_until(at_ms) for piece in self._pieces)
        if self._sum_ms == self._total_ms:
            return reached_ms
        return reached_ms * self._total_ms // self._sum_ms


def _pieces(timer: Timer, end_ms: int, total_ms: int) -> list[_Piece]:
    running_since: int | None = timer.start_ms
    unknown_until = timer.start_ms
    if timer.snapshot is not None:
        unknown_until = timer.snapshot.last_pause_ms or timer.snapshot.at_ms
        running_since = timer.snapshot.at_ms if timer.snapshot.status is Status.RUNNING else None
    stretches: list[tuple[int, int]] = []
    for transition in timer.history:
        at_ms = transition.at_ms
        if transition.action is Action.PAUSE and running_since is not None:
            stretches.append((running_since, at_ms))
            running_since = None
        elif transition.action is Action.RESUME and running_since is None:
            running_since = at_ms
        elif transition.action is Action.STOP:
            # What follows changed nothing. If the end was corrected to be later, it ran on from here.
            running_since = at_ms if running_since is None else running_since
            break
    if running_since is not None:
        stretches.append((running_since, end_ms))
    inside = [(max(since, timer.start_ms), min(until, end_ms)) for since, until in stretches]
    pieces = [_Piece(since, until, until - since) for since, until in inside if since < until]
    if unknown_until > timer.start_ms:
        rest_ms = total_ms - sum(piece.active_ms for piece in pieces)
        unknown_until = min(unknown_until, end_ms)
        longest_ms = unknown_until - timer.start_ms
        pieces.append(_Piece(timer.start_ms, unknown_until, min(max(rest_ms, 0), longest_ms)))
    return pieces


def add_up(timers: Iterable[Timer], *, since_ms: int, until_ms: int, zone: ZoneInfo, now_ms: int) -> Totals:
    """Add up the active time of timers in a range.

    Parameters
    ----------
    timers
        No matter in which order; of an issue whose spelling has changed, the first counts.
    since_ms, until_ms
        The range; what lies after ``now_ms`` is empty.
    zone
        Whose calendar days to tell apart. A day begins at its first moment, so that one with a change of
        the clocks has 23 or 25 hours.
    """
    until_ms = min(until_ms, now_ms)
    calendar = _days(since_ms, until_ms, zone) if since_ms < until_ms else []
    beginnings = [begins_ms for begins_ms, _ in calendar]
    by_day = dict.fromkeys((day for _, day in calendar), 0)
    by_issue: dict[str, IssueTotal] = {}
    for timer in timers:
        curve = Curve(timer, now_ms)
        first, last = max(since_ms, curve.start_ms), min(until_ms, curve.end_ms)
        if first >= last:
            continue
        begin = before = curve.active_until(first)
        place = bisect_right(beginnings, first)
        while place < len(beginnings) and beginnings[place] < last:
            reached = curve.active_until(beginnings[place])
            by_day[calendar[place - 1][1]] += reached - before
            before = reached
            place += 1
        end = curve.active_until(last)
        by_day[calendar[place - 1][1]] += end - before
        if end > begin:
            key = _key(timer.issue)
            known = by_issue.get(key) or IssueTotal(timer.issue, 0, 0)
            by_issue[key] = IssueTotal(
                _with_title(known.issue, timer.issue), known.active_ms + end - begin, known.timers + 1
            )
    issues = sorted(by_issue.values(), key=lambda total: (-total.active_ms, _key(total.issue)))
    return Totals(
        active_ms=sum(total.active_ms for total in issues),
        days=tuple((day, active_ms) for day, active_ms in by_day.items() if active_ms),
        issues=tuple(issues),
    )


def _key(issue: Issue | None) -> str:
    return "" if issue is None else issue.key


def _with_title(issue: Issue | None, other: Issue | None) -> Issue | None:
    """Return an issue with a title, if its title was told of either."""
    if issue is None or other is None or issue.title:
        return issue
    return replace(issue, title=other.title)


def _days(since_ms: int, until_ms: int, zone: ZoneInfo) -> list[tuple[int, date]]:
    """Return the days of a range, and when each begins."""
    day = datetime.fromtimestamp(since_ms / 1000, zone).date()
    days = []
    while (begins_ms := _beginning(day, zone)) < until_ms:
        days.append((begins_ms, day))
        day += _DAY
    return days


def _beginning(day: date, zone: ZoneInfo) -> int:
    """Return the first moment of a day.

    Where the clocks skip midnight, that is when they do: zoneinfo takes a time that there is not as one
    before the change (PEP 495), and no zone has skipped midnight from another time than midnight itself.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@cache
def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name, such as ``Europe/Berlin``.

    Raises
    ------
    InvalidInput
        If there is none of this name.
    """
    # Not all files of a system's database are zones, and some count leap seconds.
    if name not in _zone_names():
        raise InvalidInput("time_zone", "Is not the IANA name of a time zone, such as Europe/Berlin.")
    return ZoneInfo(name)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())
