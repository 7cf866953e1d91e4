"""The timeline: which of a person's time counts, and for which timer.

Nothing is stored when an evening, a break or another timer's turn begins. The timeline is a function of all of
a person's timers and their calendar, so a late event changes the past in the right way by itself. The rules
are described in docs/working-time.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from timer_core.domain.calendar import Calendar
from timer_core.domain.timers import Timer


class Rule(StrEnum):
    """Why a slice of time counts for a timer."""

    ONLY = "only"
    """No other timer ran."""
    FOCUS = "focus"
    """The timer had the focus, because of an act of the person, or because it had run for longest."""
    SHARED = "shared"
    PARALLEL = "parallel"
    CLAIM = "claim"
    """The person stated it."""


@dataclass(frozen=True, slots=True)
class Slice:
    """An interval that counts for a timer.

    Attributes
    ----------
    timer
        The timer's ULID.
    position, of
        The timer's share: one of ``of`` equal parts. The milliseconds of the slice are dealt in turn,
        beginning with position 0, so that the parts of all timers add up to it, however it is cut.
    overtime
        Whether the slice lies outside of working hours.
    """

    timer: str
    since_ms: int
    until_ms: int
    rule: Rule
    position: int = 0
    of: int = 1
    overtime: bool = False

    @property
    def working_ms(self) -> int:
        """The working time of the slice."""
        return self.working_between(self.since_ms, self.until_ms)

    def working_between(self, since_ms: int, until_ms: int) -> int:
        """Return the working time of the part of the slice between two instants."""
        first_ms, last_ms = max(since_ms, self.since_ms), min(until_ms, self.until_ms)
        return self._dealt(last_ms) - self._dealt(first_ms) if first_ms < last_ms else 0

    def _dealt(self, at_ms: int) -> int:
        return (at_ms - self.since_ms + self.of - 1 - self.position) // self.of


@dataclass(frozen=True, slots=True)
class TimerCarry:
    """The state of a timer's working time at an instant.

    Attributes
    ----------
    working_ms
        The working time up to the instant.
    unsigned_ms
        The automatic working time since the last sign of life on the timer's issue.
    stale_ms
        The instant at which the timer became stale; None if it is not stale, or not since the last sign.
    """

    working_ms: int = 0
    unsigned_ms: int = 0
    stale_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Carry:
    """The state of a timeline at an instant, from which it can be continued.

    Attributes
    ----------
    timers
        The state of each timer that was open or ended in the time before the instant, by ULID.
    break_ms
        The beginning of the present break; None if there is none.
    """

    at_ms: int = 0
    timers: Mapping[str, TimerCarry] = field(default_factory=dict)
    break_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The slices of an interval, sorted by beginning and timer, and the state at its end."""

    slices: tuple[Slice, ...]
    carry: Carry


def timeline(
    timers: Iterable[Timer], calendar: Calendar, until_ms: int, carry: Carry | None = None
) -> Timeline:
    """Derive a person's working time.

    Parameters
    ----------
    timers
        All of the person's timers that were open at some time between the carry's instant and ``until_ms``.
        Others change nothing.
    until_ms
        The end of the interval; running timers are counted until then.
    carry
        The state at the beginning of the interval. By default, the beginning of all time.
    """
    raise NotImplementedError
