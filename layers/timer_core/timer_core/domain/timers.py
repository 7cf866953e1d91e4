"""The timer: its states, its transitions and its durations.

Times are milliseconds since the epoch (UTC) and durations are milliseconds. One number,
``clock_ms``, carries the active time: when the timer is paused or stopped it *is* the active
time; while the timer runs it is the active time minus the present, so that the active time at
any moment is ``clock_ms + now``. Pausing adds the present to it and resuming subtracts it,
which a database can do without reading first, and which is exact over any number of pauses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from timer_core.domain.errors import InvalidInput, TransitionNotAllowed, TransitionTooEarly
from timer_core.domain.ids import timer_id
from timer_core.domain.issues import Issue

# What a client's clock may be ahead: that far in the future is now.
_AHEAD_MS = 60_000
# What was done offline may be told for as long as GitHub redelivers what it could not deliver.
_OFFLINE_MS = 3 * 86_400_000


class Status(StrEnum):
    """The state of a timer; ``stopped`` allows no further transition."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Action(StrEnum):
    """What can be asked of a timer."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Transition:
    """One entry of a timer's history.

    Attributes
    ----------
    at_ms
        When it counts from.
    action
        What was asked.
    by
        What asked for it: ``manual``, a GitHub event such as ``assigned``, ``sweeper``...
    cause
        What names that cause: the delivery's GUID, the hash of an ``Idempotency-Key``; for a
        start by hand the ULID that was given to the timer.
    """

    at_ms: int
    action: Action
    by: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A timer's state before the first entry of a history that was cut."""

    at_ms: int
    status: Status
    clock_ms: int
    last_pause_ms: int | None
    paused_by: str | None


@dataclass(frozen=True, slots=True)
class Timer:
    """One person's time on one issue (or on none).

    Attributes
    ----------
    changed_ms
        When the last transition happened; the next cannot be earlier.
    paused_by, stopped_by, source
        What paused, stopped and started the timer, as in `Transition.by`.
    locked_until_ms
        What happened on GitHub up to then changes the timers of its owner on its issue no more,
        because a correction by hand or the sweeper has settled it.
    history
        The transitions since ``snapshot``, or since the start if there is none.
    version
        Counts the writes to the timer.
    unknown_attributes
        Stored attributes that a later version of the program added; kept as they are.
    """

    user_id: int
    ulid: str
    start_ms: int
    created_ms: int
    clock_ms: int
    changed_ms: int
    source: str
    status: Status = Status.RUNNING
    issue: Issue | None = None
    organization: str | None = None
    description: str = ""
    last_pause_ms: int | None = None
    paused_by: str | None = None
    end_ms: int | None = None
    stopped_by: str | None = None
    locked_until_ms: int | None = None
    snapshot: Snapshot | None = None
    history: tuple[Transition, ...] = field(default=(), repr=False)
    version: int = 1
    unknown_attributes: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def start(
        cls,
        *,
        user_id: int,
        ulid: str,
        at_ms: int,
        now_ms: int,
        by: str,
        cause: str | None = None,
        issue: Issue | None = None,
        organization: str | None = None,
        description: str = "",
    ) -> Self:
        """Start a timer that counts from ``at_ms`` and is created at ``now_ms``."""
        return cls(
            user_id=user_id,
            ulid=ulid,
            start_ms=at_ms,
            created_ms=now_ms,
            clock_ms=-at_ms,
            changed_ms=at_ms,
            source=by,
            issue=issue,
            organization=organization or (issue.owner if issue else None),
            description=description,
            history=(Transition(at_ms, Action.START, by, ulid if cause is None else cause),),
        )

    @property
    def id(self) -> str:
        """The public id, ``<user id>-<ULID>``."""
        return timer_id(self.user_id, self.ulid)

    @property
    def is_open(self) -> bool:
        """Whether the timer is running or paused."""
        return self.status is not Status.STOPPED

    def active_ms(self, now_ms: int) -> int:
        """Return the time that counts: elapsed minus paused, up to ``now_ms`` while running."""
        if self.status is Status.RUNNING:
            return self.clock_ms + max(now_ms, self.changed_ms)
        return self.clock_ms

    @property
    def paused_ms(self) -> int:
        """The length of all pauses that have ended."""
        if self.end_ms is not None:
            return self.end_ms - self.start_ms - self.clock_ms
        if self.last_pause_ms is not None:
            return self.last_pause_ms - self.start_ms - self.clock_ms
        return -self.start_ms - self.clock_ms

    def refuse_before_change(self, action: Action, at_ms: int) -> None:
        """Refuse what was asked for a time before the timer's last change.

        Raises
        ------
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        """
        if at_ms < self.changed_ms:
            raise TransitionTooEarly(action, self.status, at_ms, self.changed_ms)

    def pause(self, at_ms: int, by: str, cause: str = "") -> Self:
        """Stop counting until the timer is resumed.

        Raises
        ------
        TransitionNotAllowed
            If the timer is not running.
        """
        if self.status is not Status.RUNNING:
            raise TransitionNotAllowed(Action.PAUSE, self.status)
        at_ms = max(at_ms, self.changed_ms)
        return replace(
            self._record(at_ms, Action.PAUSE, by, cause),
            status=Status.PAUSED,
            clock_ms=self.clock_ms + at_ms,
            last_pause_ms=at_ms,
            paused_by=by,
        )

    def resume(self, at_ms: int, by: str, cause: str = "") -> Self:
        """Count again.

        Raises
        ------
        TransitionNotAllowed
            If the timer is not paused.
        """
        if self.status is not Status.PAUSED:
            raise TransitionNotAllowed(Action.RESUME, self.status)
        at_ms = max(at_ms, self.changed_ms)
        return replace(
            self._record(at_ms, Action.RESUME, by, cause),
            status=Status.RUNNING,
            clock_ms=self.clock_ms - at_ms,
            last_pause_ms=None,
            paused_by=None,
        )

    def stop(self, at_ms: int, by: str, cause: str = "") -> Self:
        """End the timer for good.

        Raises
        ------
        TransitionNotAllowed
            If the timer is stopped already.
        """
        if self.status is Status.STOPPED:
            raise TransitionNotAllowed(Action.STOP, self.status)
        at_ms = max(at_ms, self.changed_ms)
        return replace(
            self._record(at_ms, Action.STOP, by, cause),
            status=Status.STOPPED,
            clock_ms=self.active_ms(at_ms),
            last_pause_ms=None,
            paused_by=None,
            end_ms=at_ms,
            stopped_by=by,
        )

    def note(self, transition: Transition) -> Self:
        """Keep in the history what was asked and changed nothing."""
        return replace(self, history=(*self.history, transition))

    def expire(self, limit_ms: int, now_ms: int, by: str) -> Self:
        """End a forgotten timer where it should have ended.

        That is when its active time reached ``limit_ms``, even if it was paused or resumed
        after that; if it never did, the beginning of its present pause, or ``now_ms``.

        Raises
        ------
        TransitionNotAllowed
            If the timer is stopped already.
        """
        reached_ms = self._reached(limit_ms, now_ms)
        if not self.is_open or reached_ms is None or reached_ms >= self.changed_ms:
            end_ms = reached_ms or self.last_pause_ms or now_ms
            return self.stop(end_ms, by)
        before = [transition for transition in self.history if transition.at_ms <= reached_ms]
        return replace(
            self,
            status=Status.STOPPED,
            clock_ms=limit_ms,
            changed_ms=reached_ms,
            last_pause_ms=None,
            paused_by=None,
            end_ms=reached_ms,
            stopped_by=by,
            history=(*before, Transition(reached_ms, Action.STOP, by), *self.history[len(before) :]),
        )

    def _reached(self, limit_ms: int, now_ms: int) -> int | None:
        """Return the moment at which the active time reached the limit, if it has."""
        state = self.snapshot
        for transition in self.history:
            if state and state.status is Status.RUNNING and state.clock_ms + transition.at_ms >= limit_ms:
                return limit_ms - state.clock_ms
            state = _advance(state, transition)
        if self.status is Status.RUNNING and self.active_ms(now_ms) >= limit_ms:
            return limit_ms - self.clock_ms
        return None

    def compacted(self, keep: int) -> Self:
        """Return the timer with the last ``keep`` entries of its history and a snapshot before them."""
        state = self.snapshot
        for transition in self.history[: len(self.history) - keep]:
            state = _advance(state, transition)
        return replace(self, snapshot=state, history=self.history[len(self.history) - keep :])

    def _record(self, at_ms: int, action: Action, by: str, cause: str) -> Self:
        transition = Transition(at_ms, action, by, cause)
        return replace(self, changed_ms=at_ms, history=(*self.history, transition))


def _advance(state: Snapshot | None, transition: Transition) -> Snapshot:
    """Return the state after one more entry of a history; entries that change nothing are skipped."""
    at_ms = transition.at_ms
    if state is None:
        return Snapshot(at_ms, Status.RUNNING, -at_ms, None, None)
    if transition.action is Action.PAUSE and state.status is Status.RUNNING:
        return Snapshot(at_ms, Status.PAUSED, state.clock_ms + at_ms, at_ms, transition.by)
    if transition.action is Action.RESUME and state.status is Status.PAUSED:
        return Snapshot(at_ms, Status.RUNNING, state.clock_ms - at_ms, None, None)
    return replace(state, at_ms=at_ms)


def finished(
    *,
    user_id: int,
    ulid: str,
    start_ms: int,
    end_ms: int,
    now_ms: int,
    by: str = "manual",
    issue: Issue | None = None,
    organization: str | None = None,
    description: str = "",
) -> Timer:
    """Return a stopped timer for time that was added as a whole.

    Raises
    ------
    InvalidInput
        If the end lies before the start or in the future.
    """
    check_span(start_ms, end_ms, now_ms)
    running = Timer.start(
        user_id=user_id,
        ulid=ulid,
        at_ms=start_ms,
        now_ms=now_ms,
        by=by,
        issue=issue,
        organization=organization,
        description=description,
    )
    return running.stop(end_ms, by)


def check_span(start_ms: int | None, end_ms: int | None, now_ms: int) -> None:
    """Refuse times that cannot be.

    Raises
    ------
    InvalidInput
        If the end lies before the start, or either lies in the future.
    """
    if start_ms is not None and start_ms > now_ms:
        raise InvalidInput("start_time", "Must not lie in the future.")
    if end_ms is not None and end_ms > now_ms:
        raise InvalidInput("end_time", "Must not lie in the future.")
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidInput("end_time", "Must not be before start_time.")


def requested_ms(at_ms: int, now_ms: int) -> int:
    """Return when something was asked for, by a client that says so; never later than ``now_ms``.

    Raises
    ------
    InvalidInput
        If it lies in the future by more than a clock may be ahead, or more than three days ago.
    """
    if at_ms > now_ms + _AHEAD_MS:
        raise InvalidInput("at", "Must not lie in the future.")
    if at_ms < now_ms - _OFFLINE_MS:
        raise InvalidInput("at", "Must not be more than three days ago.")
    return min(at_ms, now_ms)
