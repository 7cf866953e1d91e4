"""Retention: the details of confirmed time are deleted, and the sums stay.

A reduced timer has the same active time and the same working time on each date as before, but no longer says
when in the date. Its time lies around the noon of the date, so that reports in other time zones count it on
the same date. The parts of a date before and after midnight (UTC) keep their sums, because days are stored by
UTC date.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from timer_core.domain.schedule import DAY, DAY_MS, Schedule, Span, midnight
from timer_core.domain.state import CORRECTION, MANUAL, Action, Transition, states
from timer_core.domain.timeline import Rule, Slice
from timer_core.domain.timers import Timer
from timer_core.domain.totals import Curve


class Cell(NamedTuple):
    """The part of a person's date that lies in a UTC date. The sums of each cell stay."""

    since_ms: int
    until_ms: int
    noon_ms: int

    def place(self, length_ms: int) -> Span:
        """Return an interval in the cell, which is not shorter, as close to noon as possible.

        Only an interval as long as the cell ends with it, because the end belongs to the next cell.
        """
        latest_ms = max(self.until_ms - length_ms - 1, self.since_ms)
        since_ms = min(max(self.noon_ms - length_ms // 2, self.since_ms), latest_ms)
        return Span(since_ms, since_ms + length_ms)


def cells(span: Span, schedule: Schedule, borders: Iterable[int] = ()) -> list[Cell]:
    """Return the cells that an interval reaches into, in order.

    Parameters
    ----------
    borders
        Further instants at which dates began or ended, such as those of confirmed days.
    """
    found: list[Cell] = []
    known = sorted(borders)
    day, last = schedule.day_of(span.since_ms), schedule.day_of(span.until_ms)
    while day <= last:
        since_ms, until_ms = schedule.starts_at(day), schedule.starts_at(day + DAY)
        inner = known[bisect_right(known, since_ms) : bisect_right(known, until_ms - 1)]
        edges = {since_ms, until_ms, *inner, *range(midnight(since_ms) + DAY_MS, until_ms, DAY_MS)}
        ordered = sorted(edges)
        noon_ms = (since_ms + until_ms) // 2
        found += [Cell(*cell, noon_ms) for cell in pairwise(ordered)]
        day += DAY
    return found


def is_closed(confirmed_ms: int | None, until_ms: int, *, worked: bool, before_ms: int) -> bool:
    """Whether the details of a date may be deleted, if those of all dates before it may.

    A date on which time counted must have been confirmed, or frozen by a lock, before an instant. Another one
    must have ended before it.

    Parameters
    ----------
    confirmed_ms
        The time at which the date was confirmed or frozen; None if it was not.
    until_ms
        The end of the date.
    worked
        Whether time counted on the date.
    """
    if worked or confirmed_ms is not None:
        return confirmed_ms is not None and confirmed_ms <= before_ms
    return until_ms <= before_ms


def laid_out(slices: Iterable[Slice], grid: Sequence[Cell], ulid: str) -> list[Slice]:
    """Return slices with the sums of other ones: in each cell one, and another one of overtime.

    Parameters
    ----------
    slices
        The slices of one timer, which lie in the cells.
    ulid
        The timer of the slices that are returned.
    """
    own = list(slices)
    found = []
    for cell in grid:
        within = [(piece.working_between(cell.since_ms, cell.until_ms), piece.overtime) for piece in own]
        regular_ms = sum(ms for ms, overtime in within if not overtime)
        overtime_ms = sum(ms for ms, overtime in within if overtime)
        span = cell.place(regular_ms + overtime_ms)
        ends_ms = span.since_ms + regular_ms
        if regular_ms:
            found.append(Slice(ulid, span.since_ms, ends_ms, Rule.ONLY))
        if overtime_ms:
            found.append(Slice(ulid, ends_ms, span.until_ms, Rule.ONLY, overtime=True))
    return found


def reduced(timer: Timer, slices: Sequence[Slice], grid: Sequence[Cell]) -> Timer | None:
    """Return a stopped timer without its details. It has the same ULID.

    Parameters
    ----------
    slices
        The slices of the timer, as `laid_out` returns them. The reduced timer reaches over all of them.
    grid
        The cells that the timer reaches into; at least one.

    Returns
    -------
    Timer or None
        None if stretches cannot express the timer's active time, so that its details have to stay.
    """
    curve = Curve(timer, timer.changed_ms)
    active = [max(0, curve.active_between(cell.since_ms, cell.until_ms)) for cell in grid]
    if any(ms > cell.until_ms - cell.since_ms for ms, cell in zip(active, grid, strict=True)):
        return None
    ran = [cell.place(ms) for ms, cell in zip(active, grid, strict=True) if ms]
    edges = [edge for span in ran for edge in span]
    edges += [edge for piece in slices for edge in (piece.since_ms, piece.until_ms)]
    # The day on which the timer's reach ends is stored with its working time.
    ends_ms = timer.end_ms if midnight(timer.end_ms or 0) == midnight(timer.reach.until_ms) else None
    edges += [_within_date(timer.start_ms, grid), _within_date(ends_ms or timer.reach.until_ms, grid)]
    start_ms, end_ms = min(edges), max(edges)
    history = [Transition(start_ms, Action.START, timer.source)]
    if not ran or ran[0].since_ms > start_ms:
        history.append(Transition(start_ms, Action.PAUSE, CORRECTION))
    for span in ran:
        if span.since_ms > start_ms or history[-1].action is Action.PAUSE:
            history.append(Transition(span.since_ms, Action.RESUME, CORRECTION))
        history.append(Transition(span.until_ms, Action.PAUSE, CORRECTION))
    history.append(Transition(end_ms, Action.STOP, timer.stopped_by or MANUAL))
    *_, state = states(history)
    found = replace(
        timer,
        start_ms=start_ms,
        created_ms=start_ms,
        description="",
        locked_until_ms=None,
        claims=(),
        signs=(),
        confirmed_span=None,
        absorbed=(),
        is_reduced=True,
        is_projection=False,
    ).with_state(state, tuple(history))
    of_reduced = Curve(found, end_ms)
    kept = [max(0, of_reduced.active_between(cell.since_ms, cell.until_ms)) for cell in grid]
    return found if kept == active else None


def _within_date(at_ms: int, grid: Sequence[Cell]) -> int:
    """Return an instant that only says in which cell another one lies. A border of cells stays."""
    cell = grid[bisect_right(grid, at_ms, key=lambda one: one.since_ms) - 1]
    return at_ms if at_ms in {cell.since_ms, cell.until_ms} else cell.place(0).since_ms
