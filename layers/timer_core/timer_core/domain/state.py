"""The state machine of a timer: which transitions it allows, and how they change its clock.

Times are milliseconds since the epoch (UTC) and durations are milliseconds. One number,
``clock_ms``, carries the active time: while a timer is paused or stopped it *is* the active
time; while the timer runs it is the active time minus the present, so that the active time at
any moment is ``clock_ms + now``. Pausing adds the present to it and resuming subtracts it: a database
can do this without a read, and it stays exact over any number of pauses.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from timer_core.domain.errors import TransitionNotAllowed


class Status(StrEnum):
    """The status of a timer; ``stopped`` allows no further transition."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Action(StrEnum):
    """The action that a request or an event asks for."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


# The statuses that allow each action. A start creates a new timer.
ALLOWED_FROM: dict[Action, frozenset[Status]] = {
    Action.START: frozenset(),
    Action.PAUSE: frozenset({Status.RUNNING}),
    Action.RESUME: frozenset({Status.PAUSED}),
    Action.STOP: frozenset({Status.RUNNING, Status.PAUSED}),
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of a timer's history.

    Attributes
    ----------
    at_ms
        The time from which it counts.
    action
        The action.
    by
        The kind of its cause: ``manual``, a kind of event such as ``assigned``, ``sweeper``...
    cause
        The id of the cause: the GUID of a delivery, the hash of an ``Idempotency-Key``; for the
        manual start that created a timer, the timer's ULID.
    """

    at_ms: int
    action: Action
    by: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """The fields of a timer that determine the effect of its next transition.

    Attributes
    ----------
    clock_ms
        The active time, or while the timer runs the active time minus the present.
    changed_ms
        When the last transition happened; the next one cannot be earlier.
    last_pause_ms, paused_by
        When the present pause began, and the kind of its cause (`Transition.by`).
    """

    status: Status
    clock_ms: int
    changed_ms: int
    last_pause_ms: int | None = None
    paused_by: str | None = None

    @classmethod
    def started(cls, at_ms: int) -> Self:
        """Return the state of a timer that has just been started."""
        return cls(Status.RUNNING, -at_ms, at_ms)

    def active_ms(self, now_ms: int) -> int:
        """Return the active time: elapsed minus paused, up to ``now_ms`` while running."""
        if self.status is Status.RUNNING:
            return self.clock_ms + max(now_ms, self.changed_ms)
        return self.clock_ms

    def allows(self, action: Action) -> bool:
        """Whether an action changes this state."""
        return self.status in ALLOWED_FROM[action]

    def apply(self, transition: Transition) -> "State":
        """Return the state after a transition, which counts from the time of the last one at the earliest.

        Raises
        ------
        TransitionNotAllowed
            If this state does not allow the action.
        """
        if not self.allows(transition.action):
            raise TransitionNotAllowed(transition.action, self.status)
        at_ms = max(transition.at_ms, self.changed_ms)
        if transition.action is Action.PAUSE:
            return State(Status.PAUSED, self.clock_ms + at_ms, at_ms, at_ms, transition.by)
        if transition.action is Action.RESUME:
            return State(Status.RUNNING, self.clock_ms - at_ms, at_ms)
        return State(Status.STOPPED, self.active_ms(at_ms), at_ms)


def states(history: Iterable[Transition]) -> Iterator[State]:
    """Yield the state after each transition of a history that has an effect.

    A history also has transitions without effect, such as a second pause: a late event may give them one.
    """
    state: State | None = None
    for transition in history:
        if state is None:
            state = State.started(transition.at_ms)
        elif state.allows(transition.action):
            state = state.apply(transition)
        else:
            continue
        yield state
