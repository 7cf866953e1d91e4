"""Corrections of a timer by its owner: its start, its end and its pauses, and its division in two.

A correction rewrites the history and states its difference: added time counts in full, and removed time is a
gap (`Claim`). So the corrected timer has exactly the time that its owner saw, whatever the owner's other
timers and working hours are.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

from timer_core.domain.errors import ErrorCode, InvalidInput, NotFound, TooManyTransitions
from timer_core.domain.schedule import Span, joined
from timer_core.domain.state import CORRECTION, MANUAL, Action, State, Status, Transition, states
from timer_core.domain.timers import LATEST_MS, MAX_CLAIMS, Claim, Timer, check_span, cut, stretches, without

# Follows the cause of the request that created a timer, in the cause of the pause with which it began.
_BEGINS_PAUSED = ".paused"


@dataclass(frozen=True, slots=True)
class Correction:
    """The result of a correction.

    Attributes
    ----------
    timer
        The corrected timer.
    reaches_ms
        The earliest instant whose working time may have changed; `LATEST_MS` if none has.
    locked_until_ms
        Events up to this time no longer change the timer.
    """

    timer: Timer
    reaches_ms: int
    locked_until_ms: int

    def taking_only(self, counted: Sequence[Span], before: Timer) -> "Correction":
        """Return the correction with gaps only where the timer counted.

        Time in which the timer waited for another one was not taken away from the owner's working time.
        """
        earlier = [Span(*claim[:2]) for claim in before.claims if not claim.counts]
        gaps = list(joined(sorted([*counted, *earlier])))
        claims = [
            claim._replace(since_ms=span.since_ms, until_ms=span.until_ms)
            for claim in self.timer.claims
            for span in ([Span(*claim[:2])] if claim.counts else cut(gaps, claim.since_ms, claim.until_ms))
        ]
        return replace(self, timer=replace(self.timer, claims=tuple(claims)))


# ---------------------------------------------------------------------- start and end


def with_times(timer: Timer, start_ms: int | None, end_ms: int | None, now_ms: int) -> Correction:
    """Correct the start of a timer, its end, or both. An end stops an open timer.

    The length of a stopped timer's pauses stays the same, also if a pause lies outside of the new start and
    end. An open timer loses the pauses after its end.

    Raises
    ------
    InvalidInput
        If the end is before the start, if a time is in the future, or if the pauses do not fit.
    TooManyTransitions
        If the timer has no room for the acts that are repeated.
    """
    check_span(start_ms, end_ms, now_ms)
    if timer.end_ms is None:
        correction = _started_at(timer, timer.start_ms if start_ms is None else start_ms, now_ms)
        return correction if end_ms is None else _ended_at(correction, end_ms, now_ms)
    new_start_ms = timer.start_ms if start_ms is None else start_ms
    new_end_ms = timer.end_ms if end_ms is None else end_ms
    check_span(new_start_ms, new_end_ms, now_ms)
    active_ms = new_end_ms - new_start_ms - timer.paused_ms
    if active_ms < 0:
        raise _pauses_do_not_fit("start_time" if end_ms is None else "end_time", timer.paused_ms)
    corrected = replace(
        timer, start_ms=new_start_ms, end_ms=new_end_ms, changed_ms=new_end_ms, clock_ms=active_ms
    )
    return _repeating(timer, _stated(timer, corrected, now_ms, locked_until_ms=new_end_ms))


def _started_at(timer: Timer, start_ms: int, now_ms: int) -> Correction:
    """Correct the start of an open timer. The pauses have to be later."""
    parts = _Parts.of(timer)
    if parts.pauses and start_ms > parts.pauses[0].pause.at_ms:
        raise _pauses_do_not_fit("start_time", timer.paused_ms)
    # The owner may have acted on the timer before the new start. The acts still show the focus of the owner.
    others = [other.moved(max(other.at_ms, start_ms)) for other in parts.others]
    moved = replace(parts, start=parts.start.moved(start_ms), others=others)
    timer = replace(timer, signs=tuple(sign for sign in timer.signs if sign >= start_ms))
    return _rewritten(timer, moved, now_ms, locked_until_ms=max(start_ms, timer.start_ms))


def _ended_at(started: Correction, end_ms: int, now_ms: int) -> Correction:
    """End an open timer at a time in the past, after the correction of its start."""
    check_span(started.timer.start_ms, end_ms, now_ms)
    parts = _Parts.of(started.timer).before(end_ms, Transition(end_ms, Action.STOP, MANUAL))
    signs = tuple(sign for sign in started.timer.signs if sign < end_ms)
    ended = _rewritten(replace(started.timer, signs=signs), parts, now_ms, locked_until_ms=now_ms)
    return replace(ended, reaches_ms=min(started.reaches_ms, ended.reaches_ms))


def _pauses_do_not_fit(field: str, paused_ms: int) -> InvalidInput:
    message = f"The pauses of {paused_ms / 1000:.3f} seconds do not fit between start and end."
    return InvalidInput(field, message, ErrorCode.PAUSES_DO_NOT_FIT)


# ---------------------------------------------------------------------- pauses


def with_pause(timer: Timer, since_ms: int, until_ms: int, now_ms: int, cause: str = "") -> Correction:
    """Insert a pause.

    Raises
    ------
    InvalidInput
        If the pause is empty, in the future, outside of the timer, or overlaps another pause.
    TooManyTransitions
        If the timer has no room for two more manual transitions.
    """
    parts = _Parts.of(timer)
    _check_pause(timer, parts.pauses, since_ms, until_ms, now_ms)
    timer.check_room("insert a pause into", transitions=2)
    pause = _Pair(
        Transition(since_ms, Action.PAUSE, CORRECTION, cause),
        Transition(until_ms, Action.RESUME, CORRECTION, cause),
        until_ms,
    )
    return _repaused(timer, replace(parts, pauses=[*parts.pauses, pause]), now_ms, until_ms)


def with_changed_pause(
    timer: Timer, number: int, since_ms: int, until_ms: int | None, now_ms: int
) -> Correction:
    """Change the times of the pause with a number (from 0, in order of time).

    Parameters
    ----------
    until_ms
        The end; None for the present pause, which has not ended.

    Raises
    ------
    NotFound
        If there is no such pause.
    InvalidInput
        If the pause is empty, in the future, outside of the timer, or overlaps another pause, or if it has an
        end although the pause has not ended, or none although it has.
    """
    parts = _Parts.of(timer)
    old = parts.pause(number)
    if old.until_ms is None and until_ms is not None:
        message = "The pause has not ended; resume the timer to end it."
        raise InvalidInput("end", message, ErrorCode.CONTRADICTION)
    if old.until_ms is not None and until_ms is None:
        raise InvalidInput("end", "Is required, because the pause has ended.", ErrorCode.REQUIRED)
    others = [pause for pause in parts.pauses if pause is not old]
    _check_pause(timer, others, since_ms, until_ms, now_ms)
    resume = old.resume
    if until_ms is not None and old.until_ms is not None:
        if resume is not None:
            resume = resume.moved(until_ms)
        elif until_ms < old.until_ms:
            # The timer was stopped during the pause.
            resume = Transition(until_ms, Action.RESUME, CORRECTION)
    new = _Pair(old.pause._replace(at_ms=since_ms), resume, until_ms)
    return _repaused(timer, replace(parts, pauses=[*others, new]), now_ms, *old.edges, *new.edges)


def without_pause(timer: Timer, number: int, now_ms: int) -> Correction:
    """Remove the pause with a number (from 0, in order of time). If it is the present one, the timer runs.

    Raises
    ------
    NotFound
        If there is no such pause.
    """
    parts = _Parts.of(timer)
    old = parts.pause(number)
    remaining = [pause for pause in parts.pauses if pause is not old]
    # The time after the pause now continues what ran before it, in which other events have an effect. So this
    # time is locked, up to the next pause.
    later = [pause.pause.at_ms for pause in remaining if pause.pause.at_ms > old.pause.at_ms]
    return _repaused(timer, replace(parts, pauses=remaining), now_ms, min(later, default=now_ms))


def _repaused(timer: Timer, parts: "_Parts", now_ms: int, *edges: int) -> Correction:
    # The owner acted in what is now a pause. The timer keeps the focus that this act gave it after the pause.
    others = [_after_pause(other, parts.pauses) for other in parts.others]
    pauses = sorted(parts.pauses, key=lambda pair: pair.pause.at_ms)
    ordered = replace(parts, pauses=pauses, others=others)
    return _rewritten(timer, ordered, now_ms, locked_until_ms=timer.end_ms or max(edges))


def _after_pause(transition: Transition, pauses: Iterable["_Pair"]) -> Transition:
    """Move an act that lies in a pause to the end of the pause."""
    for pair in pauses:
        if _is_act(transition) and pair.until_ms and pair.pause.at_ms <= transition.at_ms < pair.until_ms:
            return transition.moved(pair.until_ms)
    return transition


def _check_pause(
    timer: Timer, others: Iterable["_Pair"], since_ms: int, until_ms: int | None, now_ms: int
) -> None:
    for field, at_ms in (("start", since_ms), ("end", until_ms)):
        if at_ms is not None and at_ms > now_ms:
            raise InvalidInput(field, "Must not lie in the future.", ErrorCode.IN_THE_FUTURE)
    if until_ms is not None and until_ms <= since_ms:
        raise InvalidInput("end", "Must be after start.", ErrorCode.END_BEFORE_START)
    if since_ms < timer.start_ms:
        raise InvalidInput("start", "Must not be before the timer's start.", ErrorCode.OUTSIDE_OF_TIMER)
    last_ms = since_ms if until_ms is None else until_ms
    if timer.end_ms is not None and last_ms > timer.end_ms:
        raise InvalidInput("end", "Must not be after the timer's end.", ErrorCode.OUTSIDE_OF_TIMER)
    for other in others:
        begins_earlier = until_ms is None or other.pause.at_ms < until_ms
        if begins_earlier and (other.until_ms is None or since_ms < other.until_ms):
            field = "start" if other.pause.at_ms <= since_ms else "end"
            raise InvalidInput(field, "Lies in another pause of the timer.", ErrorCode.PAUSES_OVERLAP)


# ---------------------------------------------------------------------- dividing


class Halves(NamedTuple):
    """The two timers into which a timer was divided."""

    first: Timer
    second: Timer


def divided(timer: Timer, at_ms: int, *, ulid: str, now_ms: int) -> Halves:
    """Divide a timer at an instant. The first one ends there, and the second one continues.

    The second one also continues the stretch and the act that decide whether the timer counts, so the sums
    stay the same.

    Parameters
    ----------
    ulid
        The ULID of the second timer.

    Raises
    ------
    InvalidInput
        If the instant does not lie between the timer's start and its end, or the present.
    """
    end_ms = now_ms if timer.end_ms is None else timer.end_ms
    if timer.end_ms is None and at_ms > now_ms:
        raise InvalidInput("at", "Must not lie in the future.", ErrorCode.IN_THE_FUTURE)
    if not timer.start_ms < at_ms < end_ms:
        message = "Must lie between the timer's start and its end."
        raise InvalidInput("at", message, ErrorCode.OUTSIDE_OF_TIMER)
    parts = _Parts.of(timer)
    first = parts.before(at_ms, Transition(at_ms, Action.STOP, CORRECTION, ulid))
    after = [pair for pair in parts.pauses if pair.until_ms is None or pair.until_ms > at_ms]
    start, repeated = _continuing(timer, at_ms, ulid)
    second = _Parts(
        start=start,
        pauses=[pair.beginning_at(at_ms) for pair in after],
        stop=parts.stop,
        others=[*repeated, *(other for other in parts.others if other.at_ms >= at_ms)],
    )
    continued = replace(
        timer,
        ulid=ulid,
        start_ms=at_ms,
        created_ms=now_ms,
        source=CORRECTION,
        version=1,
        locked_until_ms=None if timer.end_ms is None else _locked(timer, timer.end_ms),
        claims=_cut_claims(timer.claims, at_ms, LATEST_MS),
        signs=tuple(sign for sign in timer.signs if sign >= at_ms),
        # A timer is not divided in or before its confirmed time.
        confirmed_span=None,
        absorbed=(),
    )
    ended = replace(
        timer,
        # The recorded transitions of the second timer stay, which its own start might not lead to.
        locked_until_ms=max(timer.locked_until_ms or 0, at_ms, timer.changed_ms if timer.is_open else 0),
        claims=_cut_claims(timer.claims, 0, at_ms),
        signs=tuple(sign for sign in timer.signs if sign < at_ms),
    )
    return Halves(first.assembled(ended), second.assembled(continued))


# ---------------------------------------------------------------------- claims


def time_of(timer: Timer, now_ms: int) -> list[Span]:
    """Return the time that a timer has by its history and its owner's claims, up to ``now_ms``."""
    spans = [Span(*stretch) for stretch in stretches(timer, now_ms)]
    for claim in timer.claims:
        span = Span(claim.since_ms, claim.until_ms)
        spans = [*without(spans, [span]), *([span] if claim.counts else [])]
    return list(joined(sorted(spans)))


def claimed(
    claims: Sequence[Claim], before: Sequence[Span], after: Sequence[Span], made_ms: int
) -> tuple[Claim, ...]:
    """Return the claims of a timer after a correction.

    Parameters
    ----------
    claims
        The claims before the correction.
    before, after
        The time of the timer before and after the correction.
    made_ms
        The time of the correction.
    """
    added = [Claim(*span, made_ms, counts=True) for span in joined(without(after, before))]
    taken = [Claim(*span, made_ms, counts=False) for span in joined(without(before, after))]
    new = sorted([*added, *taken])
    unchanged = without([Span(0, LATEST_MS)], [Span(*claim[:2]) for claim in new])
    kept = [
        replaced
        for claim in claims
        for replaced in (
            claim._replace(since_ms=span.since_ms, until_ms=span.until_ms)
            for span in cut(unchanged, claim.since_ms, claim.until_ms)
        )
    ]
    return (*kept, *new)


def _stated(before: Timer, after: Timer, now_ms: int, *, locked_until_ms: int) -> Correction:
    """Return a corrected timer with the claims of its correction.

    Raises
    ------
    TooManyTransitions
        If the timer has no room for more claims.
    """
    old = [Span(*stretch) for stretch in stretches(before, now_ms)]
    new = [Span(*stretch) for stretch in stretches(after, now_ms)]
    different = [*without(old, new), *without(new, old)]
    claims = claimed(before.claims, old, new, now_ms)
    if len(claims) > max(MAX_CLAIMS, len(before.claims)):
        raise TooManyTransitions("correct", f"{MAX_CLAIMS} corrected times")
    locked = None if after.is_open else _locked(before, locked_until_ms)
    reaches_ms = min((span.since_ms for span in different), default=LATEST_MS)
    return Correction(replace(after, claims=claims, locked_until_ms=locked), reaches_ms, locked_until_ms)


def _continuing(timer: Timer, at_ms: int, ulid: str) -> tuple[Transition, list[Transition]]:
    """Return the start of a timer that continues another one at an instant, and the acts that it repeats."""
    state: State | None = None
    began_ms = at_ms
    acts: list[Transition] = []
    for transition in timer.history:
        if transition.at_ms > at_ms:
            break
        if state is None or state.allows(transition.action):
            was_running = state is not None and state.status is Status.RUNNING
            state = State.created(transition) if state is None else state.apply(transition)
            if state.status is not Status.RUNNING:
                acts = []
            elif not was_running:
                began_ms = transition.began_ms if transition.acted_ms is not None else state.changed_ms
        if state.status is Status.RUNNING and _is_act(transition):
            acts.append(transition)
    deciding = _deciding(acts)
    last = deciding[-1] if deciding else None
    start = Transition(
        at_ms,
        Action.START,
        CORRECTION,
        ulid,
        by_owner=last is not None,
        overtime=last is not None and last.overtime,
        acted_ms=began_ms if last is None else last.began_ms,
        by_hand=last is not None and last.is_by_hand,
    )
    return start, [_repeated(act, at_ms) for act in deciding[:-1]]


def _rewritten(timer: Timer, parts: "_Parts", now_ms: int, *, locked_until_ms: int) -> Correction:
    """Return a timer with other parts of its history, and the claims of this correction.

    Raises
    ------
    TooManyTransitions
        If the timer has no room for the acts that are repeated.
    """
    assembled = parts.assembled(replace(timer, start_ms=parts.start.at_ms))
    return _repeating(timer, _stated(timer, assembled, now_ms, locked_until_ms=locked_until_ms))


def _repeating(before: Timer, correction: Correction) -> Correction:
    """Repeat the acts in time that a correction claims.

    Claimed time has no acts of the owner. So the acts in it that still decide are repeated at its end, where
    the timer continues to count automatically.

    Raises
    ------
    TooManyTransitions
        If the timer has no room for these acts.
    """
    timer = correction.timer
    made = [claim for claim in timer.claims if claim.counts and claim not in before.claims]
    own = [(max(done.at_ms, before.start_ms), done) for done in before.history if _is_act(done)]
    paused = [done.at_ms for done in timer.history if done.action is Action.PAUSE]
    acts = [
        _repeated(act, until_ms)
        for since_ms, until_ms in joined(sorted(Span(*claim[:2]) for claim in timer.claims if claim.counts))
        if any(since_ms <= claim.since_ms < until_ms for claim in made)
        for act in _deciding(
            [act for at_ms, act in own if since_ms <= at_ms <= until_ms],
            stretch_ms=max((at_ms for at_ms in paused if at_ms <= until_ms), default=0),
        )
    ]
    if not acts:
        return correction
    before.check_room("correct", transitions=len(acts))
    history: list[Transition] = []
    for transition in heapq.merge(timer.history, acts, key=attrgetter("at_ms")):
        if transition not in acts or [*states(history)][-1].allows(transition.action):
            history.append(transition)
    *_, state = states(history)
    changed_ms = state.changed_ms if timer.is_open else timer.changed_ms
    return replace(correction, timer=replace(timer, history=tuple(history), changed_ms=changed_ms))


def _deciding(acts: Iterable[Transition], stretch_ms: int = 0) -> list[Transition]:
    """Return the acts that still decide what counts, in order: the last one, and those of overtime.

    Parameters
    ----------
    stretch_ms
        The instant from which acts decide about overtime, because a pause ends it.
    """
    ordered = sorted(acts, key=attrgetter("began_ms"))
    of_stretch = [act for act in ordered if act.began_ms >= stretch_ms]
    last = {
        *ordered[-1:],
        *[act for act in of_stretch if act.is_by_hand][-1:],
        *[act for act in of_stretch if act.overtime][-1:],
    }
    return [act for act in ordered if act in last]


def _repeated(act: Transition, at_ms: int) -> Transition:
    """Return a transition by which an act still decides what counts from a later instant on."""
    repeated = Transition(
        act.at_ms,
        Action.FOCUS,
        CORRECTION,
        by_owner=True,
        overtime=act.overtime,
        acted_ms=act.acted_ms,
        by_hand=act.is_by_hand,
    )
    return repeated.moved(at_ms)


def _is_act(transition: Transition) -> bool:
    return transition.is_own and transition.action in {Action.START, Action.RESUME, Action.FOCUS}


def _locked(timer: Timer, until_ms: int) -> int:
    """Return the time up to which a stopped timer is locked. An existing lock is kept."""
    return until_ms if timer.locked_until_ms is None else timer.locked_until_ms


def _cut_claims(claims: Iterable[Claim], since_ms: int, until_ms: int) -> tuple[Claim, ...]:
    parts = (
        claim._replace(since_ms=max(claim.since_ms, since_ms), until_ms=min(claim.until_ms, until_ms))
        for claim in claims
    )
    return tuple(claim for claim in parts if claim.since_ms < claim.until_ms)


# ---------------------------------------------------------------------- the parts of a history


@dataclass(frozen=True, slots=True)
class _Pair:
    """The transitions that began and ended a pause.

    Attributes
    ----------
    resume
        None if the pause has not ended, or if a stop ended it.
    until_ms
        The end; None if the pause has not ended.
    """

    pause: Transition
    resume: Transition | None
    until_ms: int | None

    @property
    def edges(self) -> list[int]:
        """The beginning and, if there is one, the end."""
        return [self.pause.at_ms, *([] if self.until_ms is None else [self.until_ms])]

    def ending_at(self, end_ms: int) -> "_Pair":
        """Return the part of the pause before an instant at which the timer ends."""
        if self.until_ms is not None and self.until_ms <= end_ms:
            return self
        return _Pair(self.pause, None, end_ms)

    def beginning_at(self, start_ms: int) -> "_Pair":
        """Return the part of the pause after an instant at which the timer starts."""
        return replace(self, pause=self.pause._replace(at_ms=max(self.pause.at_ms, start_ms)))


@dataclass(frozen=True, slots=True)
class _Parts:
    """A history, divided by what its transitions did.

    Attributes
    ----------
    others
        The transitions that changed no status.
    """

    start: Transition
    pauses: list[_Pair]
    stop: Transition | None
    others: list[Transition]

    @classmethod
    def of(cls, timer: Timer) -> "_Parts":
        """Return the parts of a timer's history, within its start and its end."""
        start, *later = timer.history
        state, pairs, others = State.created(start), list[_Pair](), list[Transition]()
        stop: Transition | None = None
        if start.action is Action.REQUEST:
            # The pause has a cause of its own, because a replay tells transitions by events apart by it.
            pause = start._replace(action=Action.PAUSE, cause=f"{start.cause}{_BEGINS_PAUSED}")
            pairs.append(_Pair(pause, None, None))
        for transition in later:
            if not state.allows(transition.action):
                others.append(transition)
                continue
            state = state.apply(transition)
            if transition.action is Action.PAUSE:
                pairs.append(_Pair(transition, None, None))
            elif transition.action is Action.FOCUS:
                others.append(transition)
            elif pairs and pairs[-1].until_ms is None:
                resume = transition if transition.action is Action.RESUME else None
                pairs[-1] = replace(pairs[-1], resume=resume, until_ms=transition.at_ms)
            if transition.action is Action.STOP:
                stop = transition
        if timer.end_ms is not None and stop is not None:
            pairs = [
                _until(pair, stop.at_ms, timer.end_ms) for pair in pairs if pair.pause.at_ms < timer.end_ms
            ]
            stop = stop._replace(at_ms=timer.end_ms)
        pairs = [pair.beginning_at(timer.start_ms) for pair in pairs]
        nonempty = [pair for pair in pairs if pair.until_ms is None or pair.pause.at_ms < pair.until_ms]
        # Acts that began no stretch any more still decide what counts.
        acts = [pair.resume for pair in pairs if pair not in nonempty and pair.resume]
        acts += [start] if timer.start_ms < start.at_ms else []
        others += [_repeated(act, act.at_ms) for act in acts if _is_act(act)]
        inside = [other.moved(max(other.at_ms, timer.start_ms)) for other in others]
        return cls(start.moved(timer.start_ms), nonempty, stop, inside)

    def before(self, end_ms: int, stop: Transition) -> "_Parts":
        """Return the parts of a timer that ends at an instant, by ``stop``."""
        return replace(
            self,
            pauses=[pair.ending_at(end_ms) for pair in self.pauses if pair.pause.at_ms < end_ms],
            stop=stop,
            others=[other for other in self.others if other.at_ms < end_ms],
        )

    def pause(self, number: int) -> _Pair:
        """Return the pause with a number.

        Raises
        ------
        NotFound
            If there is no such pause.
        """
        if not 0 <= number < len(self.pauses):
            raise NotFound("The timer has no such pause.")
        return self.pauses[number]

    def assembled(self, timer: Timer) -> Timer:
        """Return a timer with the history of these parts.

        Of the transitions that changed no status, those remain that still change none.
        """
        start = self.start
        pauses = [edge for pair in self.pauses for edge in (pair.pause, pair.resume) if edge is not None]
        if start.action is Action.REQUEST:
            if pauses and pauses[0].at_ms <= start.at_ms:
                # The timer still begins with this pause.
                del pauses[0]
            else:
                start = start._replace(action=Action.START)
        effective = [start, *pauses]
        effective += [] if self.stop is None else [self.stop]
        others = sorted(self.others, key=attrgetter("at_ms"))
        tagged = heapq.merge(
            ((transition, True) for transition in effective),
            ((transition, False) for transition in others),
            key=lambda entry: entry[0].at_ms,
        )
        history: list[Transition] = []
        state = State.created(start)
        for transition, has_effect in tagged:
            allows = state.allows(transition.action)
            if transition is not start and allows and (has_effect or transition.action is Action.FOCUS):
                state = state.apply(transition)
            elif transition is not start and (allows or not _is_kept(transition, state)):
                continue
            history.append(transition)
        return timer.with_state(state, tuple(history))


def _is_kept(transition: Transition, state: State) -> bool:
    """Whether a transition without effect still shows something: a start, or an act on a running timer."""
    return transition.action in {Action.START, Action.STOP} or state.status is not Status.PAUSED


def _until(pair: _Pair, stop_ms: int, end_ms: int) -> _Pair:
    """Return a pause of a stopped timer, given the time of its stop and its corrected end."""
    if pair.resume is None and stop_ms < end_ms:
        # The timer counts from its stop on, although it was stopped during the pause.
        return _Pair(pair.pause, Transition(stop_ms, Action.RESUME, CORRECTION), stop_ms)
    return pair.ending_at(end_ms)
