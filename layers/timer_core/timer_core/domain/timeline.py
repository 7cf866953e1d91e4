"""The timeline: which of a person's time counts, and for which timer.

Nothing is stored when an evening, a break or another timer's turn begins. The timeline is a function of all
of a person's timers and their calendar, so a late event changes the past in the right way by itself. The
rules are described in docs/working-time.md.

The time is divided at each moment at which something changes: a transition of a timer, the beginning and the
end of working hours, of overtime, of a break and of a claim, a new policy, and a timer that becomes stale. In
each of these segments, the same timers count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from timer_core.domain.calendar import Calendar, ConcurrentTimers, Policy
from timer_core.domain.schedule import DAY_MS, Span, midnight
from timer_core.domain.state import CORRECTION, MANUAL, NO_SIGNS, Action, State, Status, Transition
from timer_core.domain.timers import LATEST_MS, Claim, Timer, cut, end_of_date

# How far ahead the next working hours are searched. A year without working hours has none.
_NEXT_HOURS_MS = 366 * DAY_MS
# How far ahead the end of the present working hours, and the next change while a timer counts, are searched.
_SOON_MS = 31 * DAY_MS
_ACTS = frozenset({Action.START, Action.RESUME, Action.FOCUS})
_INSERTED = frozenset({Action.PAUSE, Action.RESUME})


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


class Slice(NamedTuple):
    """An interval that counts for a timer.

    Attributes
    ----------
    timer
        The timer's ULID.
    position, of
        The timer's share: one of ``of`` equal parts. A millisecond belongs to the position that is its
        remainder modulo ``of``. So the parts of all timers add up to the slice, and a cut changes none.
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
        """Return the number of milliseconds since the epoch that belong to the timer's position."""
        return (at_ms + self.of - 1 - self.position) // self.of


class TimerCarry(NamedTuple):
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
    """The slices of an interval, sorted by beginning and timer, and the state at its end.

    Attributes
    ----------
    derived
        The slices without confirmed days, if they are different (`timer_core.domain.confirmed`).
    """

    slices: tuple[Slice, ...]
    carry: Carry
    derived: tuple[Slice, ...] | None = None

    @property
    def unconfirmed(self) -> tuple[Slice, ...]:
        """The slices without confirmed days."""
        return self.slices if self.derived is None else self.derived


def timeline(
    timers: Iterable[Timer], calendar: Calendar, until_ms: int, carry: Carry | None = None
) -> Timeline:
    """Derive a person's working time.

    Parameters
    ----------
    timers
        All of the person's timers that reach into the interval between the carry's instant and ``until_ms``
        (`Timer.reach`). Others change nothing.
    until_ms
        The end of the interval; running timers are counted until then.
    carry
        The state at the beginning of the interval. By default, the interval begins with the first timer.
    """
    known = list(timers)
    if carry is None:
        carry = Carry(min((timer.reach.since_ms for timer in known), default=until_ms))
    fold = _Fold(known, calendar, carry, horizon_ms=until_ms)
    slices = [piece for segment in fold.segments(until_ms) for piece in segment.slices]
    return Timeline(joined_slices(slices), fold.carry())


class Waiting(StrEnum):
    """Why a running timer does not count."""

    SCHEDULE = "schedule"
    """It will count in working hours, unless another timer gets the focus."""
    FOCUS = "focus"
    BREAK = "break"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an open timer counts at an instant.

    Attributes
    ----------
    share
        The part of the time that counts for the timer; 0 if it does not count.
    waiting_for
        Why the timer does not count although it runs; None if it counts, is paused, or has become stale.
    rule
        The rule that decided it: a `Rule`, a reason to wait, ``overtime``, ``paused`` or ``stale``.
    act
        The transition that decided it; None if the working hours decided it.
    timer
        The ULID of the timer that has the focus instead.
    changes_ms
        The instant at which the share or the reason changes by itself; None if it never does.
    """

    share: float
    waiting_for: Waiting | None
    rule: str
    act: Transition | None = None
    timer: str | None = None
    changes_ms: int | None = None

    @property
    def is_counting(self) -> bool:
        """Whether time counts for the timer."""
        return self.share > 0

    def decides_other_than(self, other: "Standing") -> bool:
        """Whether another share counts, or the timer waits for something else."""
        return (self.share, self.waiting_for) != (other.share, other.waiting_for)


def standings(timers: Iterable[Timer], calendar: Calendar, carry: Carry) -> dict[str, Standing]:
    """Return whether each open timer counts at the carry's instant, by ULID.

    Parameters
    ----------
    timers
        The person's timers that reach into the time after the carry's instant, and the timer whose pause
        began the present break.
    """
    known = list(timers)
    fold = _Fold(known, calendar, carry, horizon_ms=carry.at_ms + _NEXT_HOURS_MS)
    found: dict[str, Standing] = {}
    pending: set[str] = set()
    changed_ms: int | None = carry.at_ms
    last: _Choice | None = None
    for segment in fold.segments(carry.at_ms + _NEXT_HOURS_MS):
        # Midnights cut segments, but change nothing.
        is_change, changed_ms = segment.since_ms == changed_ms, fold.next_change_ms
        if not is_change and changed_ms is not None:
            continue
        choice = fold.choice(segment)
        if last is None:
            found = {
                timer.ulid: fold.standing(timer.ulid, segment, choice) for timer in known if timer.is_open
            }
            pending = {ulid for ulid, one in found.items() if one.is_counting or one.waiting_for}
        else:
            for ulid in choice.changed(pending, last):
                if fold.standing(ulid, segment, choice).decides_other_than(found[ulid]):
                    found[ulid] = replace(found[ulid], changes_ms=segment.since_ms)
                    pending.remove(ulid)
        last = choice
        is_soon = segment.since_ms < carry.at_ms + _SOON_MS
        if not pending or fold.next_change_ms is None or (segment.counting and not is_soon):
            break
    return found


def lasting(timer: Timer, counted: Sequence[Span]) -> tuple[Transition, ...]:
    """Return the transitions that begin and end breaks, which still matter after a timer is deleted.

    Parameters
    ----------
    counted
        The time in which only this timer counted. A pause by hand at the end of such a time began a break.

    Returns
    -------
    tuple[Transition, ...]
        A pause for each break that a pause began, and a focus for each act of the owner, in order.
    """
    found = []
    for mark in _marks(timer, 0):
        if mark.is_pause_by_hand and cut(counted, mark.at_ms - 1, mark.at_ms):
            found.append(Transition(mark.at_ms, Action.PAUSE, MANUAL))
        elif mark.is_act_on(timer):
            found.append(Transition(mark.at_ms, Action.FOCUS, MANUAL))
    return tuple(found)


# ---------------------------------------------------------------------- the history of a timer


class _Mark(NamedTuple):
    """An entry of a timer's history, or another sign of life.

    Attributes
    ----------
    number
        The position of the timer in the order of ties, see `_order`.
    entry
        The position in the history; -1 for a sign of life without a transition.
    status
        The status of the timer after the entry.
    has_effect
        Whether the timer allowed the transition.
    """

    at_ms: int
    number: int
    entry: int
    ulid: str
    transition: Transition | None = None
    status: Status = Status.RUNNING
    has_effect: bool = False

    @property
    def is_sign(self) -> bool:
        """Whether it shows that somebody works on the issue."""
        return self.transition is None or self.transition.by not in NO_SIGNS

    @property
    def is_pause_by_hand(self) -> bool:
        """Whether the owner paused the timer by hand, which begins a break if the timer had the focus."""
        done = self.transition
        return self.has_effect and done is not None and done.action is Action.PAUSE and done.is_by_hand

    def is_act_on(self, timer: Timer) -> bool:
        """Whether it is an act of the owner, after which the timer runs."""
        done = self.transition
        if done is None or not done.is_own or done.action not in _ACTS or done.continues:
            return False
        # An entry that was added by hand is no act at the time that it claims.
        claim = _claim_at(timer.claims, self.at_ms)
        return self.status is Status.RUNNING and not (claim and claim.counts)


def _order(timer: Timer) -> tuple[str, str]:
    """Return the key by which timers are sorted at the same instant.

    GitHub's times are whole seconds, so ties occur. Timers are ordered by their issues, because the id of a
    timer may depend on the order in which deliveries arrived.
    """
    return timer.issue.key if timer.issue else "", timer.ulid


def _marks(timer: Timer, number: int) -> Iterator[_Mark]:
    """Yield the history of a timer and its other signs of life."""
    if timer.is_deleted:
        for entry, done in enumerate(timer.history):
            yield _Mark(done.at_ms, number, entry, timer.ulid, done, Status.PAUSED, has_effect=True)
        return
    state: State | None = None
    at_ms = 0
    for entry, transition in enumerate(timer.history):
        has_effect = state is None or state.allows(transition.action)
        if state is None:
            state = State.created(transition)
        elif has_effect:
            state = state.apply(transition)
        at_ms = max(at_ms, state.changed_ms if has_effect else transition.at_ms)
        # A correction of the start or the end does not change the history.
        done = transition.moved(timer.start_ms) if transition.at_ms < timer.start_ms else transition
        at_ms = min(max(at_ms, timer.start_ms), LATEST_MS if timer.end_ms is None else timer.end_ms)
        yield _Mark(at_ms, number, entry, timer.ulid, done, state.status, has_effect)
    for sign_ms in {*timer.signs, *(claim.made_ms for claim in timer.claims)}:
        yield _Mark(sign_ms, number, -1, timer.ulid)


class _Stated(NamedTuple):
    """A claim of a timer, with its position among the timer's claims."""

    since_ms: int
    until_ms: int
    ulid: str
    order: int
    counts: bool


def _claim_at(claims: Sequence[Claim], at_ms: int) -> Claim | None:
    """Return the latest claim that covers an instant."""
    covering = [claim for claim in claims if claim.since_ms <= at_ms < claim.until_ms]
    return covering[-1] if covering else None


# ---------------------------------------------------------------------- the fold


@dataclass(slots=True)
class _Running:
    """The state of a timer during the fold.

    Attributes
    ----------
    carry
        The state that is carried to the next interval.
    stretch_ms
        The beginning of the present stretch; None if the timer does not run.
    act_ms
        The time of the owner's last act in the present stretch; None if there was none.
    decided
        The act, or else the transition that began the stretch or ended it.
    hand_ms, by_hand
        The last act by hand in the present stretch, which may open overtime; None if there was none. Other
        acts neither open overtime nor end it.
    overtime
        The overtime that this act has opened.
    kept_ms
        The time of the last act in the present stretch that asked for overtime.
    is_interrupted
        Whether the owner has inserted a pause here. After it, the timer has the same focus as before.
    """

    timer: Timer
    number: int
    carry: TimerCarry
    is_interrupted: bool = False
    stretch_ms: int | None = None
    act_ms: int | None = None
    decided: Transition | None = None
    hand_ms: int | None = None
    by_hand: Transition | None = None
    overtime: Span | None = None
    kept_ms: int | None = None

    @property
    def may_count(self) -> bool:
        """Whether the timer runs and is not stale."""
        return self.stretch_ms is not None and not self.is_interrupted and self.carry.stale_ms is None

    def has_overtime(self, at_ms: int) -> bool:
        """Whether an instant lies in the overtime that the owner has opened."""
        return self.overtime is not None and self.overtime.since_ms <= at_ms < self.overtime.until_ms

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The order in which timers get the focus; the smallest is the first."""
        if self.act_ms is not None:
            return False, -self.act_ms, self.number
        return True, self.stretch_ms or 0, self.number


class _Segment(NamedTuple):
    """A period in which nothing changes.

    Attributes
    ----------
    counting
        The timers that count automatically, in the order of their shares.
    slices
        The slices that count, automatically or because of a claim.
    """

    since_ms: int
    until_ms: int
    is_working: bool
    policy: Policy
    counting: tuple[str, ...]
    slices: tuple[Slice, ...]


class _Choice(NamedTuple):
    """What decides for which timers a segment counts, and for what the others wait.

    Attributes
    ----------
    first
        The first of the chosen timers, if there is one.
    chosen
        The timers that count, or that would count in working hours.
    unsigned
        The timers that may have become stale.
    circumstances
        What concerns all timers: the policy, a break, and the number of the transitions that follow.
    """

    first: tuple[str, ...]
    chosen: frozenset[str]
    unsigned: frozenset[str]
    circumstances: tuple[ConcurrentTimers, bool, int]

    def changed(self, ulids: Set[str], last: "_Choice") -> Set[str]:
        """Return the timers for which something may have changed since the last choice."""
        if self.circumstances != last.circumstances:
            return set(ulids)
        return ulids & (self.chosen | last.chosen | self.unsigned)


class _Fold:
    """Goes through the time from a carry on, from change to change.

    Parameters
    ----------
    horizon_ms
        The latest instant for which working hours are needed.
    """

    def __init__(self, timers: Sequence[Timer], calendar: Calendar, carry: Carry, *, horizon_ms: int) -> None:
        self._calendar = calendar
        self._at_ms = carry.at_ms
        self._horizon_ms = horizon_ms
        self._timers = {
            timer.ulid: _Running(timer, number, carry.timers.get(timer.ulid, TimerCarry()))
            for number, timer in enumerate(sorted(timers, key=_order))
        }
        self._running: dict[str, _Running] = {}
        # People may have thousands of open timers. So a segment does not look at each of them.
        self._first: _Running | None = None
        self._with_overtime: dict[str, _Running] = {}
        self._unsigned = {ulid: one for ulid, one in self._timers.items() if one.carry.unsigned_ms}
        self._claims = sorted(
            (
                _Stated(claim.since_ms, claim.until_ms, timer.ulid, order, claim.counts)
                for timer in timers
                for order, claim in enumerate(timer.claims)
            ),
            reverse=True,
        )
        self._stated: list[_Stated] = []
        self._spans = calendar.schedule.working(self._at_ms, max(horizon_ms, self._at_ms))
        self._span = next(self._spans, None)
        self._break_ms: int | None = None
        self._break_end_ms: int | None = None
        self._break_act: _Mark | None = None
        self.next_change_ms: int | None = None
        self._marks = sorted(
            (mark for one in self._timers.values() for mark in _marks(one.timer, one.number)), reverse=True
        )
        self._restore(carry)

    def _restore(self, carry: Carry) -> None:
        """Restore the state at the carry's instant from the carry and the histories."""
        while self._marks and self._marks[-1].at_ms < carry.at_ms:
            mark = self._marks.pop()
            self._transition(mark)
            if mark.at_ms == carry.break_ms and mark.transition and mark.transition.action is Action.PAUSE:
                self._break_act = mark
        for one in self._running.values():
            self._open_overtime(one)
        self._begin_break(carry.break_ms)

    def carry(self) -> Carry:
        """Return the state at the end of the last segment."""
        timers = {ulid: one.carry for ulid, one in self._timers.items()}
        return Carry(self._at_ms, timers, self._break_ms)

    def segments(self, until_ms: int) -> Iterator[_Segment]:
        """Yield the segments up to an instant."""
        while self._at_ms < until_ms:
            while self._marks and self._marks[-1].at_ms <= self._at_ms:
                self._apply(self._marks.pop())
            while self._span is not None and self._span.until_ms <= self._at_ms:
                self._span = next(self._spans, None)
            if self._break_end_ms is not None and self._break_end_ms <= self._at_ms:
                self._begin_break(None)
            while self._claims and self._claims[-1].since_ms <= self._at_ms:
                self._stated.append(self._claims.pop())
            self._stated = [claim for claim in self._stated if claim.until_ms > self._at_ms]
            self._note_stale()
            for one in [*self._with_overtime.values()]:
                if one.overtime is None or one.overtime.until_ms <= self._at_ms:
                    del self._with_overtime[one.timer.ulid]
            segment = self._segment(until_ms)
            yield segment
            for piece in segment.slices:
                self._count(piece)
            self._at_ms = segment.until_ms

    def choice(self, segment: _Segment) -> _Choice:
        """Return what decides for which timers a segment counts, and for what the others wait."""
        # Outside of working hours, the timers wait for them that would count in them.
        chosen = segment.counting or self._choose(segment.policy, segment.since_ms, is_working=True)
        has_break = self._has_break(segment.policy)
        circumstances = (segment.policy.concurrent_timers, has_break, len(self._marks))
        return _Choice(chosen[:1], frozenset(chosen), frozenset(self._unsigned), circumstances)

    def standing(self, ulid: str, segment: _Segment, choice: _Choice) -> Standing:
        """Return whether a timer counts in a segment, and why."""
        one = self._timers[ulid]
        if one.stretch_ms is None or one.is_interrupted:
            return Standing(0, None, "paused", one.decided)
        if one.carry.stale_ms is not None:
            return Standing(0, None, "stale")
        if segment.counting and ulid in choice.chosen:
            share = 1 / segment.slices[0].of
            if not segment.is_working:
                return Standing(share, None, "overtime", one.by_hand)
            return Standing(share, None, segment.slices[0].rule.value, one.decided)
        if self._has_break(segment.policy):
            act = self._break_act
            return Standing(0, Waiting.BREAK, Waiting.BREAK, act and act.transition, act and act.ulid)
        if segment.policy.concurrent_timers is not ConcurrentTimers.FOCUS or ulid in choice.chosen:
            return Standing(0, Waiting.SCHEDULE, Waiting.SCHEDULE)
        other = self._timers[choice.first[0]]
        return Standing(0, Waiting.FOCUS, Waiting.FOCUS, other.decided, other.timer.ulid)

    def _apply(self, mark: _Mark) -> None:
        """Apply an entry of a timer's history, and its effect on breaks and signs of life."""
        one, transition = self._timers[mark.ulid], mark.transition
        if mark.is_sign and one.carry.stale_ms is None:
            one.carry = one.carry._replace(unsigned_ms=0)
        if transition is None:
            return
        if self._begins_break(one.timer, mark):
            self._break_act = mark
            self._begin_break(mark.at_ms)
        ran = one.stretch_ms is not None
        is_act = self._transition(mark)
        if one.timer.is_deleted and transition.action is not Action.PAUSE:
            self._begin_break(None)
        if is_act or (not ran and one.stretch_ms is not None):
            if transition.continues:
                self._continue(one, mark.at_ms)
            else:
                # A timer that was stale counts again.
                one.carry = one.carry._replace(unsigned_ms=0, stale_ms=None)
            self._open_overtime(one)
        if is_act and self._ends_break(mark, one):
            self._begin_break(None)
        if one is self._first:
            self._first = None
        elif self._first is not None and one.may_count and one.rank < self._first.rank:
            self._first = one

    def _transition(self, mark: _Mark) -> bool:
        """Apply the transition of a mark to its timer; return whether it is an act of the owner."""
        one, transition = self._timers[mark.ulid], mark.transition
        if transition is None:
            return False
        if transition.by == CORRECTION and transition.action in _INSERTED and one.stretch_ms is not None:
            one.is_interrupted = mark.status is Status.PAUSED
            return False
        if mark.status is not Status.RUNNING:
            if mark.has_effect:
                one.stretch_ms = one.act_ms = one.hand_ms = one.by_hand = one.overtime = one.kept_ms = None
                one.decided = transition
                self._running.pop(mark.ulid, None)
            return False
        began_ms = mark.at_ms if transition.acted_ms is None else transition.acted_ms
        if one.stretch_ms is None:
            one.stretch_ms, one.decided = began_ms, transition
            self._running[mark.ulid] = one
        if transition.continues:
            one.act_ms = began_ms if transition.by_owner else None
        elif not mark.is_act_on(one.timer):
            return False
        elif one.act_ms is None or one.act_ms <= began_ms:
            one.act_ms, one.decided = began_ms, transition
        # A correction may repeat earlier acts after a later one.
        if transition.is_by_hand:
            if one.hand_ms is None or one.hand_ms <= began_ms:
                one.hand_ms, one.by_hand = began_ms, transition
            if transition.overtime and (one.kept_ms is None or one.kept_ms <= began_ms):
                one.kept_ms = began_ms
        return not transition.continues

    def _continue(self, second: _Running, at_ms: int) -> None:
        """Continue the time without a sign of life of the timer that was divided at an instant."""
        for first in self._timers.values():
            if any(done.divides and done.cause == second.timer.ulid for done in first.timer.history):
                stale_ms = None if first.carry.stale_ms is None else at_ms
                second.carry = second.carry._replace(unsigned_ms=first.carry.unsigned_ms, stale_ms=stale_ms)
                return

    def _begins_break(self, timer: Timer, mark: _Mark) -> bool:
        """Whether a pause by hand begins a break, because the timer had the focus just before it."""
        if not mark.is_pause_by_hand:
            return False
        at_ms = mark.at_ms - 1
        policy = self._calendar.policy_at(at_ms)
        if policy.concurrent_timers is not ConcurrentTimers.FOCUS or self._has_break(policy):
            return False
        if timer.is_deleted:
            return True
        others = (one.timer for one in self._timers.values() if one.timer is not timer)
        if any((claim := _claim_at(other.claims, at_ms)) and not claim.counts for other in others):
            # The other timer had the focus before its time was taken away.
            return False
        is_working = self._calendar.schedule.is_working(at_ms)
        return timer.ulid in self._choose(policy, at_ms, is_working=is_working)

    def _ends_break(self, mark: _Mark, one: _Running) -> bool:
        """Whether an act ends the present break: it is later, or it ends the pause that began the break.

        A correction may have moved this pause to a time after the act.
        """
        if self._break_ms is None or self._break_ms <= (one.act_ms or 0):
            return True
        began = self._break_act
        resumes = mark.transition is not None and mark.transition.action is Action.RESUME
        return resumes and began is not None and began.ulid == mark.ulid

    def _open_overtime(self, one: _Running) -> None:
        """Note the overtime that the last act by hand on a timer has opened."""
        one.overtime = None
        self._with_overtime.pop(one.timer.ulid, None)
        if one.hand_ms is None:
            return
        schedule, from_ms = self._calendar.schedule, one.hand_ms
        if schedule.is_working(from_ms):
            # A later act in the same working hours does not take back the wish to keep counting.
            if one.kept_ms is None or not schedule.is_working(one.kept_ms):
                return
            end_ms = next(schedule.working(one.kept_ms, one.kept_ms + _SOON_MS)).until_ms
            if end_ms <= from_ms:
                return
            from_ms = end_ms
        until_ms = from_ms + self._calendar.policy_at(from_ms).overtime_ms
        following = next(schedule.working(from_ms, until_ms), None)
        one.overtime = Span(from_ms, until_ms if following is None else following.since_ms)
        self._with_overtime[one.timer.ulid] = one

    def _begin_break(self, break_ms: int | None) -> None:
        """Begin a break, or end the present one.

        A break ends when the first working hours that begin on a date begin.
        """
        self._break_ms, self._break_end_ms = break_ms, None
        if break_ms is not None:
            beginnings = self._calendar.schedule.beginnings(break_ms, break_ms + _NEXT_HOURS_MS)
            self._break_end_ms = next(beginnings, None)

    def _has_break(self, policy: Policy) -> bool:
        return self._break_ms is not None and policy.concurrent_timers is ConcurrentTimers.FOCUS

    def _note_stale(self) -> None:
        """Note the timers that have reached the limit without a sign of life."""
        limit_ms = self._calendar.policy_at(self._at_ms).stale_after_ms
        for one in self._unsigned.values():
            has_reached = one.carry.unsigned_ms >= limit_ms and one.may_count
            # A timer stores the last sign of each date, so a sign counts for its whole date.
            if has_reached and one.timer.last_sign_until(end_of_date(self._at_ms)) < self._at_ms:
                one.carry = one.carry._replace(stale_ms=self._at_ms)

    def _choose(self, policy: Policy, at_ms: int, *, is_working: bool) -> tuple[str, ...]:
        """Return the timers that count automatically, unless there is a break or a claim."""
        has_focus = policy.concurrent_timers is ConcurrentTimers.FOCUS
        if has_focus and is_working:
            first = self._first_to_focus()
            return () if first is None else (first.timer.ulid,)
        if is_working:
            eligible = [one for one in self._running.values() if one.may_count]
        else:
            eligible = [
                one for one in self._with_overtime.values() if one.may_count and one.has_overtime(at_ms)
            ]
        if eligible and has_focus:
            eligible = [min(eligible, key=lambda one: one.rank)]
        eligible.sort(key=lambda one: one.number)
        return tuple(one.timer.ulid for one in eligible)

    def _first_to_focus(self) -> _Running | None:
        """Return the timer that has the focus in working hours."""
        if self._first is None or not self._first.may_count:
            able = (one for one in self._running.values() if one.may_count)
            self._first = min(able, key=lambda one: one.rank, default=None)
        return self._first

    def _segment(self, until_ms: int) -> _Segment:
        at_ms, span = self._at_ms, self._span
        policy = self._calendar.policy_at(at_ms)
        is_working = span is not None and span.since_ms <= at_ms
        # The latest statement about a timer replaces the earlier ones.
        latest = {claim.ulid: claim for claim in sorted(self._stated, key=lambda claim: claim.order)}
        stated = tuple(sorted(ulid for ulid, claim in latest.items() if claim.counts))
        counting: tuple[str, ...] = ()
        if not latest and not self._has_break(policy):
            counting = self._choose(policy, at_ms, is_working=is_working)
        self.next_change_ms = min(self._changes(policy, counting), default=None)
        midnight_ms = midnight(at_ms) + DAY_MS
        end_ms = min(midnight_ms, until_ms, self.next_change_ms or until_ms)
        rule = Rule.CLAIM if latest else self._rule(policy)
        of = len(counting) if rule is Rule.SHARED else 1
        slices = tuple(
            Slice(ulid, at_ms, end_ms, rule, position if of > 1 else 0, of, overtime=not is_working)
            for position, ulid in enumerate(stated or counting)
        )
        return _Segment(at_ms, end_ms, is_working, policy, counting, slices)

    def _rule(self, policy: Policy) -> Rule:
        able = (one for one in self._running.values() if one.may_count)
        if next(able, None) is not None and next(able, None) is None:
            return Rule.ONLY
        return Rule(policy.concurrent_timers.value)

    def _changes(self, policy: Policy, counting: Sequence[str]) -> Iterator[int]:
        """Yield the next instants at which something may change."""
        at_ms = self._at_ms
        if self._marks:
            yield self._marks[-1].at_ms
        if self._span is not None:
            edge = self._span.until_ms if self._span.since_ms <= at_ms else self._span.since_ms
            if edge < self._horizon_ms:
                yield edge
        if self._break_end_ms is not None:
            yield self._break_end_ms
        yield from (one.from_ms for one in self._calendar.policies if one.from_ms > at_ms)
        if self._claims:
            yield self._claims[-1].since_ms
        yield from (claim.until_ms for claim in self._stated)
        for one in self._with_overtime.values():
            if one.overtime is not None:
                yield from (edge for edge in one.overtime if edge > at_ms)
        of = len(counting) if policy.concurrent_timers is ConcurrentTimers.SHARED else 1
        for position, ulid in enumerate(counting):
            left_ms = policy.stale_after_ms - self._timers[ulid].carry.unsigned_ms
            # The instant at which the timer has got this many milliseconds, see `Slice`.
            if left_ms > 0:
                first_ms = at_ms + (position - at_ms) % of
                yield first_ms + (left_ms - 1) * of + 1

    def _count(self, piece: Slice) -> None:
        one = self._timers[piece.timer]
        unsigned_ms = one.carry.unsigned_ms + (piece.working_ms if piece.rule is not Rule.CLAIM else 0)
        working_ms = one.carry.working_ms + piece.working_ms
        one.carry = one.carry._replace(working_ms=working_ms, unsigned_ms=unsigned_ms)
        self._unsigned[piece.timer] = one


def joined_slices(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    """Join adjacent slices of the same timer, rule and share, except at midnight (UTC).

    The stored days end at midnight.
    """
    found: list[Slice] = []
    last: dict[str, int] = {}
    for piece in slices:
        index = last.get(piece.timer)
        before = None if index is None else found[index]
        if (
            index is not None
            and before is not None
            and before.until_ms == piece.since_ms
            and piece.since_ms % DAY_MS
            and before._replace(since_ms=piece.since_ms, until_ms=piece.until_ms) == piece
        ):
            found[index] = before._replace(until_ms=piece.until_ms)
        else:
            last[piece.timer] = len(found)
            found.append(piece)
    return tuple(sorted(found, key=lambda piece: (piece.since_ms, piece.timer)))


def clipped(slices: Iterable[Slice], since_ms: int, until_ms: int) -> tuple[Slice, ...]:
    """Return the parts of slices between two instants."""
    return tuple(
        piece._replace(since_ms=max(piece.since_ms, since_ms), until_ms=min(piece.until_ms, until_ms))
        for piece in slices
        if max(piece.since_ms, since_ms) < min(piece.until_ms, until_ms)
    )
