"""Working time by the rules of docs/working-time.md, computed plainly from the demo's acts.

Nothing here uses the product. Time is divided at all instants at which something may change; what counts in
each piece follows from the acts before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from demo_month.acts import (
    Added,
    Confirmed,
    DayOff,
    EndCorrected,
    Happened,
    HoursChosen,
    PauseInserted,
    Pressed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from demo_github.team import Issue, Person
    from demo_month.acts import Act

_DAY = timedelta(days=1)
_MINUTE_MS, _DAY_MS = 60_000, 86_400_000
_OVERTIME_MS = 4 * 3_600_000
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_STOPS = {"stop", "closed", "project.stop"}
_PAUSES = {"pause", "project.pause", "comment.pause"}
_NO_TRANSITIONS = {"commented", "comment.log"}
# Acts by hand that open overtime outside of working hours.
_BY_HAND = {"start", "resume", "focus", "comment.start"}
# A pause of these kinds of the timer that counts begins a break.
_BREAKS = {"pause", "comment.pause"}


class Piece(NamedTuple):
    """Time that counts for an issue (``owner/name#number``), or for an entry with a description."""

    since_ms: int
    until_ms: int
    label: str


def label_of(issue: Issue) -> str:
    return f"{issue.repository.full_name}#{issue.number}"


@dataclass
class _Timer:
    is_running: bool = True
    began_ms: int = 0
    own_act_ms: int = 0
    overtime_until_ms: int = 0


def pieces(person: Person, acts: Iterable[Act], now_ms: int) -> list[Piece]:
    """Return a person's working time up to now, in order."""
    own = [act for act in acts if act.person == person and act.known_ms <= now_ms]
    shown = _derived(person, own, now_ms)
    for confirmed in (act for act in own if isinstance(act, Confirmed)):
        known = [act for act in own if act.known_ms < confirmed.known_ms]
        frozen = _derived(person, known, confirmed.known_ms)
        since_ms, until_ms = borders(person.time_zone, confirmed.date)
        outside = [*cut(shown, 0, since_ms), *cut(shown, until_ms, now_ms)]
        shown = sorted([*outside, *cut(frozen, since_ms, until_ms)])
    return shown


def sums(found: Iterable[Piece], zone: str, day: date) -> Counter[str]:
    """Return the working time of each issue or entry on a date of a time zone (milliseconds)."""
    total: Counter[str] = Counter()
    for since_ms, until_ms, label in cut(found, *borders(zone, day)):
        total[label] += until_ms - since_ms
    return total


def borders(zone: str, day: date) -> tuple[int, int]:
    return _at(zone, day, "00:00"), _at(zone, day + _DAY, "00:00")


def cut(found: Iterable[Piece], since_ms: int, until_ms: int) -> list[Piece]:
    cuts = (Piece(max(one.since_ms, since_ms), min(one.until_ms, until_ms), one.label) for one in found)
    return [one for one in cuts if one.since_ms < one.until_ms]


def _derived(person: Person, acts: Sequence[Act], now_ms: int) -> list[Piece]:
    """Return the working time that follows from some acts, as if no day was confirmed."""
    hours = _hours(person, acts)
    firsts = [day[0][0] for day in hours if day]
    spans = [span for day in hours for span in day]
    stated = [_stated(act) for act in acts if isinstance(act, Added)]
    stated += [
        Piece(act.at_ms - act.minutes * _MINUTE_MS, act.at_ms, label_of(act.issue))
        for act in acts
        if isinstance(act, Happened) and act.kind == "comment.log"
    ]
    gaps = [
        Piece(act.end_ms, act.known_ms, label_of(act.issue)) for act in acts if isinstance(act, EndCorrected)
    ]
    gaps += [
        Piece(act.since_ms, act.until_ms, label_of(act.issue))
        for act in acts
        if isinstance(act, PauseInserted)
    ]
    steps = sorted(
        (
            (act.at_ms if isinstance(act, Happened) else act.known_ms, act)
            for act in acts
            if isinstance(act, Happened | Pressed)
        ),
        key=lambda step: step[0],
    )
    instants = {now_ms, *firsts}
    for span in (*spans, *((one.since_ms, one.until_ms) for one in (*stated, *gaps))):
        instants |= set(span)
    instants |= {ms for at_ms, _ in steps for ms in (at_ms, at_ms + _OVERTIME_MS)}
    ordered = sorted(ms for ms in instants if ms <= now_ms)
    timers: dict[str, _Timer] = {}
    break_until_ms = 0
    focused = ""
    found: list[Piece] = []
    pending = iter(steps)
    step = next(pending, None)
    for since_ms, until_ms in pairwise(ordered):
        within = next((end for begin, end in spans if begin <= since_ms < end), None)
        while step is not None and step[0] <= since_ms:
            break_until_ms = _apply(
                step[1], since_ms, timers, focused, within is not None, firsts, break_until_ms
            )
            step = next(pending, None)
        focused = _focused(timers, since_ms, spans) if since_ms >= break_until_ms else ""
        stating = [one for one in stated if one.since_ms <= since_ms < one.until_ms]
        found += [Piece(since_ms, until_ms, one.label) for one in stating]
        is_gap = any(one.label == focused and one.since_ms <= since_ms < one.until_ms for one in gaps)
        if focused and not stating and not is_gap:
            found.append(Piece(since_ms, until_ms, focused))
    return found


def _apply(
    act: Happened | Pressed,
    at_ms: int,
    timers: dict[str, _Timer],
    focused: str,
    is_within: bool,
    firsts: Sequence[int],
    break_until_ms: int,
) -> int:
    """Apply an act to the timers; return the end of the break."""
    name = act.kind if isinstance(act, Happened) else act.button
    label = label_of(act.issue)
    if name in _NO_TRANSITIONS:
        return break_until_ms
    if name in _STOPS:
        timers.pop(label, None)
        return break_until_ms
    if name in _PAUSES:
        timers[label].is_running = False
        timers[label].own_act_ms = timers[label].overtime_until_ms = 0
        return _next(firsts, at_ms) if name in _BREAKS and label == focused else break_until_ms
    timer = timers.setdefault(label, _Timer(is_running=False))
    if not timer.is_running:
        timer.is_running, timer.began_ms = True, at_ms
    if isinstance(act, Happened) and act.actor != act.person.id:
        return break_until_ms
    timer.own_act_ms = at_ms
    if name in _BY_HAND and not is_within:
        timer.overtime_until_ms = min(at_ms + _OVERTIME_MS, _next(firsts, at_ms))
    return 0


def _focused(timers: dict[str, _Timer], at_ms: int, spans: Sequence[tuple[int, int]]) -> str:
    """Return the label of the timer that counts at an instant, statements aside; empty if none does."""
    is_within = any(since <= at_ms < until for since, until in spans)
    candidates = {
        label: timer
        for label, timer in timers.items()
        if timer.is_running and (is_within or at_ms < timer.overtime_until_ms)
    }
    acted = {label: timer for label, timer in candidates.items() if timer.own_act_ms}
    if acted:
        return max(acted, key=lambda label: acted[label].own_act_ms)
    return min(candidates, key=lambda label: candidates[label].began_ms, default="")


def _hours(person: Person, acts: Sequence[Act]) -> list[list[tuple[int, int]]]:
    """Return the working hours of each date from the one of the person's choice on."""
    chosen = next(act for act in acts if isinstance(act, HoursChosen))
    off = {act.date for act in acts if isinstance(act, DayOff)}
    days = [chosen.valid_from + number * _DAY for number in range(60)]
    return [
        [
            (_at(person.time_zone, day, since), _at(person.time_zone, day, until))
            for since, until in person.working_hours.get(_WEEKDAYS[day.weekday()], ())
        ]
        for day in days
        if day not in off
    ]


def _stated(act: Added) -> Piece:
    return Piece(act.since_ms, act.until_ms, act.description if act.issue is None else label_of(act.issue))


def _next(firsts: Sequence[int], at_ms: int) -> int:
    return firsts[bisect_right(firsts, at_ms)]


def _at(zone: str, day: date, time: str) -> int:
    local = datetime.fromisoformat(f"{day} {time}").replace(tzinfo=ZoneInfo(zone))
    return round(local.astimezone(UTC).timestamp() * 1000)
