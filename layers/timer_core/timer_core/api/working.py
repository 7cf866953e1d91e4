"""The working time of timers in responses."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from timer_core.domain.timeline import Slice, Standing, standings
from timer_core.domain.timers import Timer
from timer_core.store.timesheets import Timesheets, Worked


class WorkingTime(NamedTuple):
    """The working time of a timer at the time of a request.

    Attributes
    ----------
    working_ms
        The working time up to the request.
    standing
        Whether the timer counts; None if it is stopped.
    counting_since_ms
        The beginning of the slice that counts at the time of the request; None if none does.
    counted_before_ms
        The working time up to this beginning.
    """

    working_ms: int
    standing: Standing | None = None
    counting_since_ms: int | None = None
    counted_before_ms: int = 0

    @property
    def without_elapsed_ms(self) -> float:
        """A number that changes with the working time, except if only time has elapsed."""
        if self.standing is None or self.counting_since_ms is None:
            return self.working_ms
        return self.counted_before_ms - self.counting_since_ms * self.standing.share


_NONE = WorkingTime(0)


class WorkingTimes(NamedTuple):
    """The working times of the timers in a response.

    Attributes
    ----------
    by_ulid
        The working times by ULID.
    slices
        The slices of each timer in the period of the response.
    """

    by_ulid: Mapping[str, WorkingTime]
    slices: Mapping[str, Sequence[Slice]] = MappingProxyType({})

    def of(self, timer: Timer) -> WorkingTime:
        """Return the working time of a timer."""
        return self.by_ulid.get(timer.ulid, _NONE)

    def slices_of(self, timer: Timer, *, without_elapsed: bool = False) -> list[Slice]:
        """Return the slices of a timer in the period, without the ongoing one if ``without_elapsed``."""
        since_ms = self.of(timer).counting_since_ms if without_elapsed else None
        own = self.slices.get(timer.ulid, ())
        return [piece for piece in own if since_ms is None or piece.until_ms <= since_ms]


def working_times(
    timesheets: Timesheets,
    user_id: int,
    timers: Sequence[Timer],
    *,
    now_ms: int,
    present: Worked | None = None,
    slices: Iterable[Slice] = (),
) -> WorkingTimes:
    """Derive the working times of some of a person's timers.

    Parameters
    ----------
    present
        The person's working time in a period up to the present, if it has been derived already. It is derived
        if a timer is open.
    slices
        The slices in the period of the response.
    """
    if not timers:
        return WorkingTimes({})
    has_open = any(timer.is_open for timer in timers)
    if present is None and has_open:
        present = timesheets.present(user_id, now_ms=now_ms)
    working = timesheets.working_ms(user_id, timers, now_ms=now_ms, present=present)
    found = standings(present.timers, present.calendar, present.carry) if present and has_open else {}
    if present:
        now_ms = present.carry.at_ms
    ongoing = {piece.timer: piece for piece in present.slices if piece.until_ms == now_ms} if present else {}
    by_ulid = {
        timer.ulid: _working_time(
            working.get(timer.ulid, 0), found.get(timer.ulid), ongoing.get(timer.ulid), now_ms
        )
        for timer in timers
    }
    by_timer: dict[str, list[Slice]] = {}
    for piece in slices:
        by_timer.setdefault(piece.timer, []).append(piece)
    return WorkingTimes(by_ulid, by_timer)


def _working_time(
    working_ms: int, standing: Standing | None, ongoing: Slice | None, now_ms: int
) -> WorkingTime:
    if standing is None or not standing.is_counting:
        return WorkingTime(working_ms, standing)
    if ongoing is None:
        return WorkingTime(working_ms, standing, now_ms, working_ms)
    return WorkingTime(working_ms, standing, ongoing.since_ms, working_ms - ongoing.working_ms)
