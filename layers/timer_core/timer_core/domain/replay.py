"""Derive a person's timers on an issue from the issue's events and the person's manual transitions.

GitHub's deliveries may be late, repeated, out of order or missing. So a delivery is not a command that
changes the present state; a delivery reports an event with a time. The timers are a function of the events
and the manual transitions, in order of time. If an event arrives late, all transitions after the event are
rederived. If an event is redelivered, nothing changes.

`replay` has five phases:

1. The lock point: timers that ended before the lock point, and earlier events, are not used.
2. The steps and the signs of life: the events and the manual transitions are sorted by time.
3. The fold: the state machine (`timer_core.domain.state`) applies each step.
4. The match: derived timers get the ids of the existing timers that they replace.
5. The difference: the outcome lists the timers to write and the timers that became part of other timers.

An event without effect is not stored in a timer's history, with one exception: an own event (one that the
owner caused) that would start, resume or focus a timer that already runs. It shows on which timer the owner
worked (`timer_core.domain.timeline`), and the event itself expires.

A requested review creates a paused timer. If it ends without having run, it leaves no timer.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from timer_core.domain.calendar import AssignmentStarts, Calendar
from timer_core.domain.changes import changed_from_ms
from timer_core.domain.events import EFFECTS, FOR_ASSIGNEES, Effect, Event
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, Span
from timer_core.domain.state import CORRECTION, CREATES, SWEEPER, Action, Status, Transition, states
from timer_core.domain.timers import LATEST_MS, Timer, end_of_date

_OWN_ACTS = frozenset({Action.START, Action.RESUME, Action.FOCUS})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a replay for one person on one issue.

    Attributes
    ----------
    changed
        The timers to write. New timers have version 0; existing timers have the version that was read.
    vanished
        The existing timers that have become part of other timers.
    open_ulid
        The ULID of the timer that is open after the replay, if there is one.
    reaches_ms
        The earliest instant whose working time may change; `LATEST_MS` if none does.
    unexpired
        The timers whose stop by the sweeper no longer holds, before and after the replay.
    """

    changed: tuple[Timer, ...] = ()
    vanished: tuple[Timer, ...] = ()
    open_ulid: str | None = None
    reaches_ms: int = LATEST_MS
    unexpired: tuple[tuple[Timer, Timer], ...] = ()


def replay(
    *,
    issue: Issue,
    user_id: int,
    now_ms: int,
    events: Iterable[Event],
    timers: Iterable[Timer],
    locked_until_ms: int,
    used_ulids: Set[str],
    calendar: Calendar,
    foreign: Set[str] = frozenset(),
    unexpired: Set[str] = frozenset(),
) -> Outcome:
    """Derive a person's timers on an issue from everything that happened after the lock point.

    Parameters
    ----------
    issue
        The issue under its present identity. The derived timers are on this issue.
    events
        All known events of the issue, under all of its identities.
    timers
        The person's timers on the issue that events may change. Corrected timers are not included.
    locked_until_ms
        The lock point. Transitions up to this time are not rederived, because a timer was corrected manually,
        or because older events are no longer stored.
    used_ulids
        The ULIDs that new timers must not use, because timers of this person on this issue have used them.
    calendar
        The person's calendar, which says at the time of each event whether assignments start a timer.
    foreign
        The deliveries of known events that do not concern the issue, because a move that was delivered late
        had happened before them. Their transitions are dropped. The transitions of unknown events are kept,
        because these events may have expired.
    unexpired
        The ULIDs of timers whose stop by the sweeper is dropped, because they were not stale then.
    """
    unlocked = _unlocked(timers, locked_until_ms)
    known = list(events)
    signs = _signs(unlocked, known, user_id, locked_until_ms)
    steps = _steps(unlocked, known, user_id, locked_until_ms, calendar)
    steps = [
        step
        for step in steps
        if step.expired not in unexpired and (step.is_locked or step.transition.cause not in foreign)
    ]
    derived = [
        _with_signs(timer, signs)
        for timer in _fold(steps, signs, issue, user_id, now_ms)
        if not _leaves_nothing(timer, unlocked)
    ]
    pairs, vanished = _match(derived, unlocked, used_ulids)
    changed = [(new, old) for new, old in pairs if _differs(new, old)]
    reached = [changed_from_ms(old, new) for new, old in changed]
    reached += [changed_from_ms(timer, None) for timer in vanished]
    return Outcome(
        changed=tuple(new for new, _ in changed),
        vanished=tuple(vanished),
        open_ulid=next((new.ulid for new, _ in pairs if new.is_open), None),
        reaches_ms=min((from_ms for from_ms in reached if from_ms is not None), default=LATEST_MS),
        unexpired=tuple(
            (old, new)
            for new, old in changed
            if old is not None and old.stopped_by == SWEEPER != new.stopped_by
        ),
    )


# ---------------------------------------------------------------------- the lock point


def _unlocked(timers: Iterable[Timer], locked_until_ms: int) -> list[Timer]:
    """Return the open timers and the timers that ended after the lock point, in order of time."""
    return sorted(
        (timer for timer in timers if timer.end_ms is None or timer.end_ms > locked_until_ms),
        # Sort by end, because a timer that was moved from another issue may have started much earlier.
        key=lambda timer: (timer.is_open, timer.end_ms or 0, timer.start_ms),
    )


# ---------------------------------------------------------------------- the steps


class _Order(NamedTuple):
    """The sort key of a step.

    Manual and locked transitions come after the events of the same millisecond, in the recorded order.
    """

    at_ms: int
    is_recorded: bool
    first: int
    second: int
    cause: str


@dataclass(frozen=True, slots=True)
class _Step:
    """An event or a manual transition, with its sort key."""

    order: _Order
    transition: Transition
    effect: Effect | None = None
    """The effect of the event; None for a manual transition or a transition by the sweeper."""
    card: str = ""
    """The node id of the card that caused the event; empty for other steps, or if the event has expired."""
    expired: str = ""
    """The ULID of the timer that the step stopped, if it is a stop by the sweeper."""
    created_timer: bool = False
    """Whether the step is the manual start that created a timer."""
    is_disabled: bool = False
    """Whether the person chose that an assignment like this one starts no timer."""
    is_locked: bool = False
    """Whether the step is a transition by an event from before the lock point; its action is recorded."""


def _steps(
    timers: Sequence[Timer],
    events: Sequence[Event],
    user_id: int,
    locked_until_ms: int,
    calendar: Calendar,
) -> list[_Step]:
    """Return the steps of all transitions of timers and of all events after the lock point, in order."""
    recorded = _history_steps(timers, locked_until_ms)
    manual = [step for step in recorded if step.effect is None]
    # If an event is in the log and in a history, use the log, because only the log has the order of events.
    cards = {event.delivery: event.card for event in events}
    by_cause = {
        step.transition.cause: replace(step, card=cards.get(step.transition.cause, ""))
        for step in recorded
        if step.effect is not None
    }
    for event in events:
        effect = EFFECTS[event.kind]
        if effect.action is not None and event.concerns(user_id) and event.at_ms > locked_until_ms:
            is_disabled = effect.is_assignment and not _starts(event, user_id, calendar)
            step = _event_step(event, effect.action, is_own=event.actor == user_id)
            by_cause[event.delivery] = replace(step, is_disabled=is_disabled)
    return sorted([*by_cause.values(), *manual], key=lambda step: step.order)


def _starts(assignment: Event, user_id: int, calendar: Calendar) -> bool:
    """Whether an assignment starts a timer of a person, by the settings at its time."""
    match calendar.assignment_starts_at(assignment.at_ms):
        case AssignmentStarts.ANY:
            return True
        case AssignmentStarts.SELF:
            return assignment.actor == user_id
        case AssignmentStarts.NEVER:
            return False


def _history_steps(timers: Sequence[Timer], locked_until_ms: int) -> list[_Step]:
    """Return the steps of all transitions in the histories of timers."""
    steps: list[_Step] = []
    earliest_ms = 0
    for position, timer in enumerate(timers):
        own = [
            _history_step(timer, position, index, earliest_ms, locked_until_ms)
            for index in range(len(timer.history))
        ]
        earliest_ms = max([earliest_ms, *(step.order.at_ms for step in own if step.effect is None)])
        steps += own
    return steps


def _history_step(timer: Timer, position: int, index: int, earliest_ms: int, locked_until_ms: int) -> _Step:
    """Return the step of the ``index``-th transition in the history of a timer."""
    transition = timer.history[index]
    effect = EFFECTS.get(transition.by)
    if effect is None or effect.action is None:
        return _manual_step(timer, position, index, earliest_ms)
    if transition.at_ms <= locked_until_ms:
        return _locked_step(transition, position, index)
    event = Event(transition.cause, transition.by, transition.at_ms)
    return _event_step(event, effect.action, is_own=transition.by_owner)


def _manual_step(timer: Timer, position: int, index: int, earliest_ms: int) -> _Step:
    """Return the step of a manual transition, the ``index``-th in the history of a timer.

    The time of the step is not earlier than ``earliest_ms``, the time of the last manual transition of the
    preceding timers. That time may be later than the transition if another machine had a fast clock.
    """
    transition = timer.history[index]
    created_timer = transition.cause == timer.ulid
    if created_timer:
        # An earlier replay may have changed this start into a resume. The step must be a start.
        transition = transition._replace(action=Action.START)
    # The position and the index keep the order of transitions of the same millisecond.
    order = _Order(max(transition.at_ms, earliest_ms), True, position, index, transition.cause)
    expired = timer.ulid if transition.by == SWEEPER else ""
    return _Step(order, transition, expired=expired, created_timer=created_timer)


def _locked_step(transition: Transition, position: int, index: int) -> _Step:
    """Return the step of a transition by an event from before the lock point.

    The step is sorted by its index in the history, because the logged event may have expired. Its action is
    the recorded one, because a correction may have changed the transitions before it.
    """
    order = _Order(transition.at_ms, True, position, index, transition.cause)
    return _Step(order, transition, EFFECTS[transition.by], is_locked=True)


def _event_step(event: Event, action: Action, *, is_own: bool) -> _Step:
    at_ms, finer_time, rank, delivery = event.sort_key
    transition = Transition(at_ms, action, event.kind, delivery, by_owner=is_own)
    order = _Order(at_ms, False, finer_time, rank, delivery)
    return _Step(order, transition, EFFECTS[event.kind], event.card)


# ---------------------------------------------------------------------- the signs of life


class _Sign(NamedTuple):
    """A sign of life, and the event's delivery; empty if the event was locked and may have expired."""

    at_ms: int
    delivery: str


def _signs(
    timers: Iterable[Timer], events: Iterable[Event], user_id: int, locked_until_ms: int
) -> list[_Sign]:
    """Return the signs of life in order: up to the lock point from the timers, and later ones from events."""
    locked = {_Sign(ms, "") for timer in timers for ms in timer.signs if ms <= locked_until_ms}
    known = {
        _Sign(event.at_ms, event.delivery)
        for event in events
        if event.is_sign_of(user_id) and event.at_ms > locked_until_ms
    }
    return sorted(locked | known)


def _with_signs(timer: Timer, signs: Iterable[_Sign]) -> Timer:
    """Store the last sign of life of each UTC date in a timer, except its own transitions."""
    end_ms = float("inf") if timer.end_ms is None else timer.end_ms
    recorded = {transition.cause for transition in timer.history if transition.by in EFFECTS}
    last_of_date = {
        sign.at_ms // DAY_MS: sign.at_ms
        for sign in signs
        if timer.start_ms <= sign.at_ms < end_ms and sign.delivery not in recorded
    }
    return replace(timer, signs=tuple(last_of_date.values()))


# ---------------------------------------------------------------------- the fold


@dataclass(frozen=True, slots=True)
class _Current:
    """A timer and the step that last changed its status.

    While the timer is paused, ``stretch_by`` is the step that began its last stretch.
    """

    timer: Timer
    changed_by: _Step
    stretch_by: _Step | None = None


def _fold(
    steps: Iterable[_Step], signs: Sequence[_Sign], issue: Issue, user_id: int, now_ms: int
) -> list[Timer]:
    """Apply the steps in order and return the resulting timers.

    A stop by the sweeper is dropped if it has no effect, or if another sign of life is known. Then the timer
    is open again, and the next sweep ends it at the right time.
    """
    stopped: list[Timer] = []
    current: _Current | None = None
    for step in steps:
        if step.transition.by == SWEEPER and (current is None or _is_refuted(step, current.timer, signs)):
            continue
        if current is not None:
            current = _apply(current, step)
        elif step.transition.action in CREATES and not step.is_disabled:
            current = _Current(_create(step.transition, issue, user_id, now_ms), step)
        elif stopped and step.effect is None:
            stopped[-1] = stopped[-1].note(step.transition)
        if current is not None and not current.timer.is_open:
            stopped.append(current.timer)
            current = None
    return stopped if current is None else [*stopped, current.timer]


def _leaves_nothing(timer: Timer, existing: Iterable[Timer]) -> bool:
    """Whether a timer of a requested review has ended by an event, and nobody has run it or written in it."""
    if timer.is_open or timer.history[0].action is not Action.REQUEST:
        return False
    is_by_events = all(transition.by in EFFECTS for transition in timer.history)
    has_run = any(state.status is Status.RUNNING for state in states(timer.history))
    return is_by_events and not has_run and not any(old.description for old in _covered_by(timer, existing))


def _is_refuted(stop: _Step, timer: Timer, signs: Sequence[_Sign]) -> bool:
    """Whether there was a sign of life that the sweeper did not know when it stopped a timer."""
    last_ms, end_ms = int(stop.transition.cause), end_of_date(stop.transition.at_ms)
    up_to_end = bisect_right(signs, end_ms, key=lambda sign: sign.at_ms)
    others = [sign.at_ms for sign in signs[:up_to_end][-1:]]
    return max([timer.last_sign_until(end_ms), *others]) > last_ms


def _create(start: Transition, issue: Issue, user_id: int, now_ms: int) -> Timer:
    # For a manual start, use its cause, which is the ULID in the response. For an event, derive the ULID, so
    # that each replay gives the same ULID.
    ulid = (
        derived_ulid(start.at_ms, issue.key, str(user_id), start.cause)
        if start.by in EFFECTS
        else start.cause
    )
    timer = Timer.start(
        user_id=user_id,
        ulid=ulid,
        at_ms=start.at_ms,
        now_ms=now_ms,
        by=start.by,
        cause=start.cause,
        issue=issue,
    )
    (state,) = states((start,))
    return replace(timer.with_state(state, (start,)), version=0)


def _apply(current: _Current, step: _Step) -> _Current:
    """Apply a step to an open timer.

    If the timer has no room for another transition by an event, only an event that stops the timer has an
    effect. A manual transition without effect is noted in the history, because it is stored nowhere else. An
    own event is noted if it would start, resume or focus the timer, but the timer already runs.
    """
    timer, action = current.timer, _action_on(current, step)
    is_manual = step.effect is None
    counts = is_manual or action is Action.STOP or timer.has_room(for_event=True)
    if action is not None and counts and timer.state.allows(action):
        changed = timer.apply(step.transition._replace(action=action))
        if action is Action.FOCUS:
            # A correction may have removed the pause that the owner had ended by hand.
            is_repeated = step.transition.by == CORRECTION and step.transition.by_hand
            return _Current(changed, step) if is_repeated else replace(current, timer=changed)
        if action is Action.PAUSE:
            return _Current(changed, step, stretch_by=current.changed_by)
        restores = step.transition.by == CORRECTION if step.effect is None else step.effect.restores
        return _Current(changed, current.stretch_by if restores and current.stretch_by else step)
    if is_manual:
        return replace(current, timer=timer.note(step.transition))
    if _is_own_act(step) and timer.status is Status.RUNNING and timer.has_room_for_note:
        return replace(current, timer=timer.note_event(step.transition))
    return current


def _is_own_act(step: _Step) -> bool:
    """Whether an event shows that the owner began to work on the issue."""
    return step.transition.by_owner and step.transition.action in _OWN_ACTS


def _action_on(current: _Current, step: _Step) -> Action | None:
    """Return the action of a step on an open timer; None if an event has no effect on the timer.

    A start resumes a paused timer, if it ends this kind of pause.
    """
    action, effect = step.transition.action, step.effect
    is_paused = current.timer.status is Status.PAUSED
    if effect is None or step.is_locked:
        # After a manual start that created a timer, a timer runs, even if a late event shows that an older
        # timer was open and paused at that time.
        return Action.RESUME if step.created_timer and is_paused else action
    if action is Action.STOP:
        return None if effect.of_review and _is_of_assignee(current.timer) else action
    if step.is_disabled:
        return None
    if effect.of_same_card and not _may_be_same_card(current.changed_by, step):
        return None
    changed_by = current.changed_by.transition.by
    if is_paused:
        return Action.RESUME if effect.ends_pause_by(changed_by) else None
    return Action.PAUSE if action is Action.PAUSE and effect.ends_stretch_by(changed_by) else None


def _is_of_assignee(timer: Timer) -> bool:
    """Whether an assignment, or another event for assignees, started or resumed a timer."""
    return any(transition.by in FOR_ASSIGNEES for transition in timer.history)


def _may_be_same_card(step: _Step, other: _Step) -> bool:
    """Whether the same card may have caused two steps. The card of an expired event is unknown."""
    return step.card == other.card or "" in (step.card, other.card)


# ---------------------------------------------------------------------- the match


def _match(
    derived: Sequence[Timer], existing: Iterable[Timer], used_ulids: Set[str]
) -> tuple[list[tuple[Timer, Timer | None]], list[Timer]]:
    """Match the derived timers with the existing ones, so that clients can keep using the ids they know.

    Returns
    -------
    tuple[list[tuple[Timer, Timer | None]], list[Timer]]
        Each derived timer with the existing timer that it replaces, if any, and the existing timers without
        a match.
    """
    unmatched = {timer.ulid: timer for timer in existing}
    # A manual start that created a timer must stay with the id of this timer, because `_manual_step`
    # recognizes the start by this id.
    same_ulid = {
        timer.ulid: unmatched.pop(ulid)
        for timer in derived
        if (ulid := next((ulid for ulid in _own_ulids(timer) if ulid in unmatched), None)) is not None
    }
    pairs: list[tuple[Timer, Timer | None]] = []
    for timer in derived:
        old = same_ulid.get(timer.ulid) or next(_covered_by(timer, unmatched.values()), None)
        if old is None:
            pairs.append((_with_unused_ulid(timer, used_ulids), None))
        else:
            unmatched.pop(old.ulid, None)
            pairs.append((_with_attributes_of(old, timer), old))
    vanished = list(unmatched.values())
    heirs = {other.ulid: _heir(other, derived) for other in vanished}
    parts = [[other for other in vanished if heirs[other.ulid] is timer] for timer in derived]
    return [
        (_with_parts(timer, others), old) for (timer, old), others in zip(pairs, parts, strict=True)
    ], vanished


def _own_ulids(timer: Timer) -> Iterator[str]:
    """Yield the ULID of a timer and the causes of its manual transitions; the cause of a start is a ULID."""
    yield timer.ulid
    yield from (transition.cause for transition in timer.history if transition.by not in EFFECTS)


def _covered_by(timer: Timer, others: Iterable[Timer]) -> Iterator[Timer]:
    """Yield the other timers that started while a timer was open."""
    return (
        other
        for other in others
        if timer.start_ms <= other.start_ms and (timer.end_ms is None or other.start_ms < timer.end_ms)
    )


def _heir(vanished: Timer, derived: Sequence[Timer]) -> Timer | None:
    """Return the derived timer of which a vanished one has become part; None if there are no timers."""
    earlier = [timer for timer in derived if timer.start_ms <= vanished.start_ms]
    return earlier[-1] if earlier else next(iter(derived), None)


def _with_parts(timer: Timer, others: Sequence[Timer]) -> Timer:
    """Add the claims and the confirmed time of the vanished timers that have become part of a timer."""
    claims = {claim for other in others for claim in other.claims}
    if claims:
        claims.update(timer.claims)
        timer = replace(timer, claims=tuple(sorted(claims, key=lambda claim: claim.made_ms)))
    confirmed = [other for other in others if other.confirmed_span is not None]
    if confirmed:
        edges = [edge for one in (timer, *confirmed) for edge in one.confirmed_span or ()]
        ulids = {ulid for other in confirmed for ulid in (other.ulid, *other.absorbed)}
        absorbed = tuple(sorted({*timer.absorbed, *ulids} - {timer.ulid}))
        timer = replace(timer, confirmed_span=Span(min(edges), max(edges)), absorbed=absorbed)
    return timer


def _with_unused_ulid(timer: Timer, used_ulids: Set[str]) -> Timer:
    """Assign another ULID to a new timer if an earlier timer, started by the same event, used its ULID."""
    ulid = timer.ulid
    while ulid in used_ulids:
        ulid = derived_ulid(timer.start_ms, ulid)
    return replace(timer, ulid=ulid)


def _with_attributes_of(old: Timer, timer: Timer) -> Timer:
    """Copy the attributes that events never change from the replaced timer to the derived one."""
    issue, organization = old.issue, old.organization
    if timer.issue and issue:
        has_moved = timer.issue.key != issue.key
        if has_moved and organization == issue.owner:
            # An organization that was set manually is kept.
            organization = timer.issue.owner
        issue = replace(
            timer.issue if has_moved else issue,
            title=timer.issue.title or issue.title,
            is_pull=timer.issue.is_pull or issue.is_pull,
        )
    return replace(
        timer,
        ulid=old.ulid,
        created_ms=old.created_ms,
        issue=issue,
        organization=organization,
        description=old.description,
        claims=old.claims,
        confirmed_span=old.confirmed_span,
        absorbed=old.absorbed,
        version=old.version,
        unknown_attributes=old.unknown_attributes,
    )


# ---------------------------------------------------------------------- the difference


def _differs(new: Timer, old: Timer | None) -> bool:
    """Whether a timer must be written. A stopped timer is not written if only the issue's title is new."""
    if old is None or new.is_open or new.issue is None or old.issue is None:
        return new != old
    return replace(new, issue=replace(new.issue, title=old.issue.title)) != old
