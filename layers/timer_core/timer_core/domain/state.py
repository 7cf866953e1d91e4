"""The state machine of a timer: which transitions it allows, and how they change its clock.

Times are milliseconds since the epoch (UTC) and durations are milliseconds. One number, ``clock_ms``,
represents the active time. While a timer is paused or stopped, ``clock_ms`` is the active time. While a timer
runs, the active time is ``clock_ms`` plus the current time. So a pause adds the current time to ``clock_ms``,
and a resume subtracts the current time. A database can do such an addition without a read, and ``clock_ms``
stays exact over any number of pauses.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple, Self

from timer_core.domain.errors import TransitionNotAllowed

# The cause of transitions that the timer's owner requested (`Transition.by`).
MANUAL = "manual"
# The cause of the stop of a forgotten timer (`Transition.by`).
SWEEPER = "sweeper"
# The cause of transitions that a correction by hand adds to a history. They are no acts of the owner, because
# the claims of the correction say what counts.
CORRECTION = "correction"
# The causes of transitions that are no signs of life.
NO_SIGNS = frozenset({SWEEPER, CORRECTION})


# Separates the hash of an Idempotency-Key from the hash of its request in a cause.
_KEY_END = "."


def request_cause(key: str, request: str) -> str:
    """Return the cause of a transition by a request, given the hashes of its Idempotency-Key and its body."""
    return f"{key}{_KEY_END}{request}"


class Status(StrEnum):
    """The status of a timer. A ``stopped`` timer allows no further transition."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Action(StrEnum):
    """The action that a request or an event causes.

    A focus changes nothing except which of a person's running timers counts (`timer_core.domain.timeline`). A
    request, such as that of a review, creates a timer that is paused until something resumes it.
    """

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    FOCUS = "focus"
    REQUEST = "request"


# The actions that create a timer.
CREATES = frozenset({Action.START, Action.REQUEST})
# The statuses that allow each action.
ALLOWED_FROM: dict[Action, frozenset[Status]] = {
    Action.START: frozenset(),
    Action.REQUEST: frozenset(),
    Action.FOCUS: frozenset({Status.RUNNING}),
    Action.PAUSE: frozenset({Status.RUNNING}),
    Action.RESUME: frozenset({Status.PAUSED}),
    Action.STOP: frozenset({Status.RUNNING, Status.PAUSED}),
}


class Transition(NamedTuple):
    """One entry of a timer's history.

    Attributes
    ----------
    at_ms
        The time at which the transition takes effect.
    action
        The action.
    by
        The kind of its cause, for example ``manual``, ``sweeper`` or a kind of event such as ``assigned``.
    cause
        The id of its cause, for example the GUID of a delivery, or the hashes of an ``Idempotency-Key`` and
        of its request (see `request_cause`). The cause of a manual start that created a timer is the timer's
        ULID. The cause of a stop by the sweeper is the time of the last sign of life (milliseconds since the
        epoch).
    by_owner
        Whether the timer's owner caused the event themself, for example by assigning themself. Manual
        transitions do not need it.
    overtime
        Whether the time after the present working hours is to count too; only for a focus.
    acted_ms
        The time of the act that continues here, or else of the beginning of the stretch, if a correction has
        moved it, or has divided the timer here. The act still decides what counts as at its own time.
    by_hand
        Whether this act was by hand; only for transitions by a correction.
    """

    at_ms: int
    action: Action
    by: str
    cause: str = ""
    by_owner: bool = False
    overtime: bool = False
    acted_ms: int | None = None
    by_hand: bool = False

    @property
    def key(self) -> str:
        """The hash of the request's ``Idempotency-Key``; empty if it had none."""
        key, separator, _ = self.cause.partition(_KEY_END)
        return key if separator else ""

    @property
    def is_own(self) -> bool:
        """Whether the timer's owner caused the transition, by hand or on GitHub."""
        return self.by_owner or self.by == MANUAL

    @property
    def is_by_hand(self) -> bool:
        """Whether the timer's owner requested the transition, also by a command in a comment."""
        return self.by_hand or self.by == MANUAL or self.by.startswith("comment.")

    @property
    def continues(self) -> bool:
        """Whether it is the start of a timer that was divided from another one, and no act by itself."""
        return self.action is Action.START and self.by == CORRECTION

    @property
    def divides(self) -> bool:
        """Whether it is the stop of a timer that was divided here. The cause is the second timer's ULID."""
        return self.action is Action.STOP and self.by == CORRECTION

    @property
    def began_ms(self) -> int:
        """The time from which the transition decides what counts."""
        return self.at_ms if self.acted_ms is None else self.acted_ms

    def moved(self, at_ms: int) -> "Transition":
        """Return the transition at another time. If this is later, the act is still that of its own time."""
        return self._replace(at_ms=at_ms, acted_ms=self.began_ms if self.began_ms < at_ms else None)


class State(NamedTuple):
    """The fields of a timer that determine the effect of its next transition.

    Attributes
    ----------
    clock_ms
        The active time; while the timer runs, the active time minus the current time.
    changed_ms
        The time of the last transition. The next transition cannot be earlier.
    last_pause_ms, paused_by
        The time at which the present pause began, and the kind of its cause (`Transition.by`).
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

    @classmethod
    def created(cls, first: Transition) -> Self:
        """Return the state of a timer after the first transition of its history."""
        at_ms = first.at_ms
        if first.action is Action.REQUEST:
            return cls(Status.PAUSED, 0, at_ms, at_ms, first.by)
        return cls.started(at_ms)

    def active_ms(self, now_ms: int) -> int:
        """Return the active time, without pauses; a running timer is counted up to ``now_ms``."""
        if self.status is Status.RUNNING:
            return self.clock_ms + max(now_ms, self.changed_ms)
        return self.clock_ms

    def allows(self, action: Action) -> bool:
        """Whether an action changes this state."""
        return self.status in ALLOWED_FROM[action]

    def apply(self, transition: Transition) -> "State":
        """Return the state after a transition.

        If the transition is earlier than the last transition, it takes effect at the time of the last one.

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
        if transition.action is Action.FOCUS:
            return State(self.status, self.clock_ms, at_ms)
        return State(Status.STOPPED, self.active_ms(at_ms), at_ms)


def states(history: Iterable[Transition]) -> Iterator[State]:
    """Yield the state after each transition in a history, except transitions without effect.

    A history keeps transitions without effect, such as a second pause, because they may have an effect after
    a late event.
    """
    state: State | None = None
    for transition in history:
        if state is None:
            state = State.created(transition)
        elif state.allows(transition.action):
            state = state.apply(transition)
        else:
            continue
        yield state
