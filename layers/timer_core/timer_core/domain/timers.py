"""The timer: its transitions, its history and its durations, in milliseconds.

The module `timer_core.domain.state` defines how a transition changes the clock.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, NamedTuple, Self

from timer_core.domain.errors import (
    ErrorCode,
    InvalidInput,
    TooManyTransitions,
    TransitionNotAllowed,
    TransitionTooEarly,
)
from timer_core.domain.events import EFFECTS
from timer_core.domain.ids import timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, Span, joined, midnight
from timer_core.domain.state import NO_SIGNS, SWEEPER, Action, State, Status, Transition, states

# The maximum number of a timer's transitions by events, of its manual transitions, and of the owner's events
# without effect in its history. The three kinds are counted separately, so that the result does not depend on
# the order of arrival. A transition has at most 150 bytes in the item, and the 60 timers that one event may
# change must fit into a transaction of 4 MB (AWS, "DynamoDB quotas").
MAX_OF_EACH_KIND = 150
# The number of a timer's claims from which on no correction may add one. A claim has about 50 bytes in the
# item, which has at most 400 KB (AWS, "DynamoDB quotas").
MAX_CLAIMS = 1_000
# The maximum difference by which another machine's clock may be ahead. A time in the future within this limit
# is treated as the current time.
CLOCK_SKEW_MS = 60_000
# The maximum age of an offline action. GitHub redelivers failed deliveries for the same period.
_OFFLINE_MS = 3 * DAY_MS
# Later than every time in the table: the year 9999.
LATEST_MS = 253_402_300_799_999
_BEGIN_PAUSES = frozenset({Action.PAUSE, Action.REQUEST})
_BEGINNING, _END = attrgetter("since_ms"), attrgetter("until_ms")


class Claim(NamedTuple):
    """A statement of a person that a timer counted, or did not count, in an interval.

    Attributes
    ----------
    made_ms
        The time of the statement. A later statement about the same timer replaces an earlier one.
    counts
        Whether the time counts for the timer. If not, the time is a gap, which no timer gets automatically.
    """

    since_ms: int
    until_ms: int
    made_ms: int
    counts: bool


@dataclass(frozen=True, slots=True)
class Timer:
    """One person's time on one issue, or without an issue.

    Attributes
    ----------
    clock_ms, changed_ms, last_pause_ms
        As in `State`.
    paused_by, stopped_by, source
        The kinds of the causes of the present pause, the stop and the start (`Transition.by`).
    locked_until_ms
        Events up to this time no longer change the owner's timers on the issue, because this timer was
        corrected manually.
    history
        The transitions since the start, including own ones without effect.
    claims
        The owner's statements about the time of this timer, in order of ``made_ms``.
    signs
        The last sign of life on the issue of each UTC date, in order (milliseconds since the epoch). The
        transitions in the history are signs of life too, and are not repeated here.
    confirmed_span
        The interval that contains the slices of this timer on confirmed days, and perhaps on days that were
        reopened; None if there are none. It keeps them, wherever events move the timer.
    absorbed
        The ULIDs of timers with slices on confirmed days that have become part of this timer.
    is_reduced
        Whether the details of the timer are deleted (`timer_core.domain.retention`). Only its sums are true.
    version
        The number of writes to the timer.
    unknown_attributes
        Stored attributes that only a later version of the program knows. They are written back unchanged.
    is_projection
        Whether the timer was read from an index, which contains neither the causes of its transitions nor
        unknown attributes. Such a timer must not be written.
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
    history: tuple[Transition, ...] = field(default=(), repr=False)
    claims: tuple[Claim, ...] = ()
    signs: tuple[int, ...] = field(default=(), repr=False)
    confirmed_span: Span | None = None
    absorbed: tuple[str, ...] = ()
    is_reduced: bool = False
    version: int = 1
    unknown_attributes: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    is_projection: bool = field(default=False, repr=False, compare=False)

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
        """Return a running timer that starts at ``at_ms`` and is created at ``now_ms``."""
        state = State.started(at_ms)
        return cls(
            user_id=user_id,
            ulid=ulid,
            start_ms=at_ms,
            created_ms=now_ms,
            clock_ms=state.clock_ms,
            changed_ms=state.changed_ms,
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
    def state(self) -> State:
        """The fields of this timer that determine the effect of its next transition."""
        return State(self.status, self.clock_ms, self.changed_ms, self.last_pause_ms, self.paused_by)

    @property
    def reach(self) -> Span:
        """The time in which this timer may change the owner's timeline.

        It contains the history and the claims, also those outside of a corrected start and end, and the
        slices on confirmed days.
        """
        times = [self.start_ms, *[done.at_ms for done in self.history], *(self.confirmed_span or ())]
        for claim in self.claims:
            times += (claim.since_ms, claim.until_ms)
        return Span(min(times), max(*times, self.end_ms) if self.end_ms is not None else LATEST_MS)

    @property
    def last_sign_ms(self) -> int:
        """The time of the last sign of life: an act, a comment, or an event about the owner."""
        return self.last_sign_until(LATEST_MS)

    def last_sign_until(self, until_ms: int) -> int:
        """Return the time of the last sign of life up to a time; the start is the first sign."""
        signs = [done.at_ms for done in self.history if done.by not in NO_SIGNS]
        signs += [*self.signs, *[claim.made_ms for claim in self.claims]]
        return max([ms for ms in signs if ms <= until_ms], default=self.start_ms)

    @property
    def is_deleted(self) -> bool:
        """Whether the owner deleted the timer. Only its gaps, and what matters to breaks, are left."""
        return not self.source

    @property
    def is_open(self) -> bool:
        """Whether the timer is running or paused."""
        return self.status is not Status.STOPPED

    def has_room(self, *, for_event: bool, transitions: int = 1) -> bool:
        """Whether the limit allows more transitions by events (``for_event``) or more manual ones."""
        if len(self.history) + transitions <= MAX_OF_EACH_KIND:
            return True
        counted = sum((transition.by in EFFECTS) is for_event for transition in self.history)
        return counted + transitions - (self._noted_events if for_event else 0) <= MAX_OF_EACH_KIND

    @property
    def has_room_for_note(self) -> bool:
        """Whether the limit allows another event without effect in the history."""
        return self._noted_events < MAX_OF_EACH_KIND

    @property
    def _noted_events(self) -> int:
        # Only events without effect are starts of a timer that was already open (see `note_event`).
        return sum(
            transition.action is Action.START and transition.by in EFFECTS for transition in self.history[1:]
        )

    def active_ms(self, now_ms: int) -> int:
        """Return the active time, without pauses; a running timer is counted up to ``now_ms``."""
        return self.state.active_ms(now_ms)

    @property
    def paused_ms(self) -> int:
        """The length of all pauses that have ended."""
        if self.end_ms is not None:
            return self.end_ms - self.start_ms - self.clock_ms
        if self.last_pause_ms is not None:
            return self.last_pause_ms - self.start_ms - self.clock_ms
        return -self.start_ms - self.clock_ms

    def check_request(self, action: Action, at_ms: int | None = None) -> None:
        """Refuse a manual transition that this timer does not allow.

        Parameters
        ----------
        at_ms
            The requested time, if the request has one.

        Raises
        ------
        TransitionTooEarly
            If the timer has changed after ``at_ms``.
        TransitionNotAllowed
            If the timer is in a state that does not allow the action.
        TooManyTransitions
            If the timer has no room for another manual transition, and the action is not a stop.
        """
        if at_ms is not None and at_ms < self.changed_ms:
            raise TransitionTooEarly(action, self.status, at_ms, self.changed_ms)
        if not self.state.allows(action):
            raise TransitionNotAllowed(action, self.status)
        if action is not Action.STOP:
            self.check_room(action)

    def check_room(self, action: str, transitions: int = 1) -> None:
        """Refuse a manual action if the history has no room for its manual transitions.

        Raises
        ------
        TooManyTransitions
            If the timer has reached the limit of manual transitions.
        """
        if not self.has_room(for_event=False, transitions=transitions):
            raise TooManyTransitions(action, f"{MAX_OF_EACH_KIND} manual transitions")

    def apply(self, transition: Transition) -> Self:
        """Apply a transition, add it to the history, and return the resulting timer.

        Raises
        ------
        TransitionNotAllowed
            If the timer is in a state that does not allow the action.
        """
        state = self.state.apply(transition)
        return self.with_state(state, (*self.history, transition._replace(at_ms=state.changed_ms)))

    def with_state(self, state: State, history: tuple[Transition, ...]) -> Self:
        """Return the timer with another history and the state after it."""
        is_stopped = state.status is Status.STOPPED
        stops = (done.by for done in history if done.action is Action.STOP)
        return replace(
            self,
            status=state.status,
            clock_ms=state.clock_ms,
            changed_ms=state.changed_ms,
            last_pause_ms=state.last_pause_ms,
            paused_by=state.paused_by,
            end_ms=state.changed_ms if is_stopped else None,
            # Nothing has an effect after the first stop.
            stopped_by=next(stops) if is_stopped else None,
            history=history,
        )

    def pause(self, at_ms: int, by: str, cause: str = "") -> Self:
        """Return the paused timer; raise `TransitionNotAllowed` if the timer is not running."""
        return self.apply(Transition(at_ms, Action.PAUSE, by, cause))

    def stop(self, at_ms: int, by: str, cause: str = "") -> Self:
        """Return the stopped timer; raise `TransitionNotAllowed` if the timer was already stopped."""
        return self.apply(Transition(at_ms, Action.STOP, by, cause))

    def note(self, transition: Transition) -> Self:
        """Add a transition without effect to the history, and return the resulting timer."""
        return replace(self, history=(*self.history, transition))

    def note_event(self, transition: Transition) -> Self:
        """Add the owner's event to the history of a running timer, on which it had no effect.

        The event is noted as a start, whether it would also have resumed a paused timer or only that.
        """
        return self.note(transition._replace(action=Action.START))

    def expire(self, end_ms: int, sign_ms: int) -> Self:
        """Stop a forgotten timer at a time in the past. Later transitions have no effect.

        Parameters
        ----------
        end_ms
            The end, not before the start.
        sign_ms
            The last sign of life up to the end of that UTC date. If another one becomes known, the stop no
            longer counts (see
            `timer_core.domain.replay`).

        Raises
        ------
        TransitionNotAllowed
            If the timer was already stopped.
        """
        if not self.is_open:
            raise TransitionNotAllowed(Action.STOP, self.status)
        before = tuple(transition for transition in self.history if transition.at_ms <= end_ms)
        after = tuple(transition for transition in self.history if transition.at_ms > end_ms)
        *_, state = states(before)
        then = replace(self, clock_ms=state.clock_ms, changed_ms=state.changed_ms, status=state.status)
        stopped = replace(then, history=before).stop(end_ms, SWEEPER, str(sign_ms))
        return replace(stopped, history=(*stopped.history, *after))

    def unexpired(self) -> Self:
        """Return the timer as it would be if the sweeper had not stopped it."""
        history = tuple(transition for transition in self.history if transition.by != SWEEPER)
        *_, state = states(history)
        return self.with_state(state, history)


def end_of_date(at_ms: int) -> int:
    """Return the last millisecond of an instant's UTC date.

    A timer stores the last sign of life of each UTC date, so a sign counts for its whole date.
    """
    return midnight(at_ms) + DAY_MS - 1


class Period(NamedTuple):
    """A requested interval of time, which ends before ``until_ms``."""

    since_ms: int
    until_ms: int


class Stretch(NamedTuple):
    """An interval in which a timer was running."""

    since_ms: int
    until_ms: int


def stretches(timer: Timer, now_ms: int) -> list[Stretch]:
    """Return the stretches between a timer's start and end, which may have been corrected.

    A running timer ends at ``now_ms``. If the end of a timer was corrected to a later time, the timer is
    treated as running between its stop and the corrected end.
    """
    end_ms = max(now_ms, timer.changed_ms) if timer.end_ms is None else timer.end_ms
    edges = [timer.start_ms, *(edge for pause in pauses(timer) for edge in pause if edge is not None), end_ms]
    found = (Stretch(since_ms, until_ms) for since_ms, until_ms in zip(edges[::2], edges[1::2], strict=False))
    return [stretch for stretch in found if stretch.since_ms < stretch.until_ms]


def cut(spans: Sequence[Span], since_ms: int, until_ms: int) -> list[Span]:
    """Return the parts of spans that lie between two instants. The spans are in order and do not overlap."""
    first = bisect_right(spans, since_ms, key=_END)
    last = bisect_left(spans, until_ms, lo=first, key=_BEGINNING)
    found = (Span(max(span.since_ms, since_ms), min(span.until_ms, until_ms)) for span in spans[first:last])
    return [span for span in found if span.since_ms < span.until_ms]


def without(spans: Iterable[Span], others: Iterable[Span]) -> list[Span]:
    """Return the parts of spans that lie in none of the other spans, in order."""
    taken = list(joined(sorted(others)))
    found: list[Span] = []
    for since_ms, until_ms in spans:
        edges = [since_ms, *(edge for span in cut(taken, since_ms, until_ms) for edge in span), until_ms]
        found += map(Span, edges[::2], edges[1::2])
    return sorted(span for span in found if span.since_ms < span.until_ms)


class Pause(NamedTuple):
    """An interval in which a timer was paused; the present pause of an open timer has no end."""

    since_ms: int
    until_ms: int | None


def pauses(timer: Timer) -> list[Pause]:
    """Return the pauses between a timer's start and end, in order of time, without empty ones.

    The start and the end may have been corrected, so that they cut a pause or exclude it.
    """
    if not any(done.action in _BEGIN_PAUSES for done in timer.history):
        return []
    found: list[Span] = []
    since_ms: int | None = None
    for state in states(timer.history):
        if state.status is Status.PAUSED:
            since_ms = state.changed_ms
        elif since_ms is not None:
            found.append(Span(since_ms, state.changed_ms))
            since_ms = None
    ended = cut(found, timer.start_ms, LATEST_MS if timer.end_ms is None else timer.end_ms)
    present = [] if since_ms is None else [Pause(since_ms, None)]
    return [*(Pause(*span) for span in ended), *present]


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
    """Return a stopped timer with the given start and end, and the claim that all of its time counts.

    Raises
    ------
    InvalidInput
        If the end is before the start, or in the future.
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
    stated = (Claim(start_ms, end_ms, now_ms, counts=True),) if start_ms < end_ms else ()
    return replace(running.stop(end_ms, by), claims=stated)


def check_span(start_ms: int | None, end_ms: int | None, now_ms: int) -> None:
    """Check that a timer can have the given start and end; a value of None is not checked.

    Raises
    ------
    InvalidInput
        If the end is before the start, or if the start or the end is in the future.
    """
    if start_ms is not None and start_ms > now_ms:
        raise InvalidInput("start_time", "Must not lie in the future.", ErrorCode.IN_THE_FUTURE)
    if end_ms is not None and end_ms > now_ms:
        raise InvalidInput("end_time", "Must not lie in the future.", ErrorCode.IN_THE_FUTURE)
    if start_ms is not None and end_ms is not None and end_ms < start_ms:
        raise InvalidInput("end_time", "Must not be before start_time.", ErrorCode.END_BEFORE_START)


def requested_ms(at_ms: int, now_ms: int) -> int:
    """Return the requested time of an offline action, or ``now_ms`` if the requested time is later.

    Raises
    ------
    InvalidInput
        If the time is more than a minute in the future, or more than three days in the past.
    """
    if at_ms < now_ms - _OFFLINE_MS:
        raise InvalidInput("at", "Must not be more than three days ago.", ErrorCode.TOO_LONG_AGO)
    return past_ms(at_ms, now_ms, field="at")


def past_ms(ms: int, now_ms: int, *, field: str) -> int:
    """Return a time that a client sent, or ``now_ms`` if the client's clock is ahead.

    Raises
    ------
    InvalidInput
        If the time is more than a minute in the future.
    """
    if ms > now_ms + CLOCK_SKEW_MS:
        raise InvalidInput(field, "Must not lie in the future.", ErrorCode.IN_THE_FUTURE)
    return min(ms, now_ms)
