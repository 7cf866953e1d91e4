"""What GitHub tells about an issue, and the timers that follow from it.

GitHub delivers late, twice, out of order or never. So a delivery is not a command that changes
whatever state it finds: it is a event with a time, and the timers of a person on an issue are a
function of the events and of what people did by hand, both in order of time. A event that comes
late is put where it belongs and what follows is derived again; one that comes twice changes
nothing.
"""

import uuid
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Action, Snapshot, Status, Timer, Transition


@dataclass(frozen=True, slots=True)
class Effect:
    """What a kind of event does to the timer of a person whom it concerns.

    Attributes
    ----------
    action
        What it asks for.
    resumes
        For a start that finds a paused timer: the kinds of event whose pause it ends, or `ANY_PAUSE`.
    """

    action: Action
    resumes: frozenset[str] = frozenset()

    def ends_pause_by(self, by: str | None) -> bool:
        """Whether a start ends a pause that this kind of event (or person) began."""
        return self.resumes is ANY_PAUSE or by in self.resumes


ANY_PAUSE = frozenset({"*"})
# A delivery gives the time of the issue's last change, the timeline that of the event itself: they
# may differ by a moment.
TOLERANCE_MS = 5_000


# The kinds of event in the order in which they count when they bear the same time. To add one,
# add it here and say in github/events.py which delivery it comes from. People see what stands
# before the dot.
EFFECTS: dict[str, Effect] = {
    "reopened": Effect(Action.START),
    "assigned": Effect(Action.START, resumes=frozenset({"unassigned"})),
    "labeled": Effect(Action.START, resumes=frozenset({"unlabeled"})),
    "project.start": Effect(Action.START, resumes=frozenset({"project.pause"})),
    "comment.start": Effect(Action.START, resumes=ANY_PAUSE),
    "comment.resume": Effect(Action.RESUME),
    "unassigned": Effect(Action.PAUSE),
    "unlabeled": Effect(Action.PAUSE),
    "project.pause": Effect(Action.PAUSE),
    "comment.pause": Effect(Action.PAUSE),
    "comment.stop": Effect(Action.STOP),
    "project.stop": Effect(Action.STOP),
    "closed": Effect(Action.STOP),
    "deleted": Effect(Action.STOP),
}
# What is named otherwise, as commands are for their comments, comes last within its second. UUIDs have 60
# bits of time.
_UNTIMED = 1 << 60
_RANK = {kind: rank for rank, kind in enumerate(EFFECTS)}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an issue on GitHub.

    Attributes
    ----------
    delivery
        GitHub's GUID of the delivery, the same when it is delivered again.
    kind
        A key of `EFFECTS`.
    at_ms
        When it happened.
    users
        The ids of the people concerned; None if that is everybody with an open timer.
    title
        The issue's title then; empty if that was not told.
    received_ms
        When we were told; by GitHub's timeline, when that was read.
    backfilled
        Whether GitHub's timeline told of it, because no delivery had.
    """

    delivery: str
    kind: str
    at_ms: int
    users: frozenset[int] | None = None
    title: str = ""
    received_ms: int = 0
    backfilled: bool = False

    def concerns(self, user_id: int) -> bool:
        """Whether the event has an effect on the timers of this person."""
        return self.users is None or user_id in self.users

    def is_same_event(self, other: "Event") -> bool:
        """Whether two events may tell of one event."""
        # Of assignees the log has only those who are registered.
        concern_same = self.kind not in {"assigned", "unassigned"} or self.users == other.users
        return self.kind == other.kind and concern_same and abs(self.at_ms - other.at_ms) <= TOLERANCE_MS


def distinct(events: Iterable[Event]) -> list[Event]:
    """Return events without the deliveries of what had been made up for before they came.

    What was made up for has its place among the others by the timeline, and a delivery, whose time is
    that of the issue's last change, may have another one.
    """
    told = list(events)
    pairs = [
        (abs(late.at_ms - known.at_ms), late.delivery, known.delivery)
        for known in told
        if known.backfilled
        for late in told
        # What happened after the timeline was read is something else.
        if not late.backfilled
        and late.at_ms <= known.received_ms <= late.received_ms
        and late.is_same_event(known)
    ]
    paired: set[str] = set()
    repeated: set[str] = set()
    for _, late, known in sorted(pairs):
        if not {late, known} & paired:
            paired |= {late, known}
            repeated.add(late)
    return [event for event in told if event.delivery not in repeated]


class _Order(NamedTuple):
    """Where something stands in time.

    GitHub's times are whole seconds. Its delivery GUIDs carry a finer time where they are
    version 1 UUIDs (RFC 9562, section 5.1); where not, the kind of event and the GUID decide.
    What was done by hand in the same millisecond counts after the events.
    """

    at_ms: int
    by_hand: bool
    uuid_time: int
    rank: int
    cause: str


@dataclass(frozen=True, slots=True)
class _Step:
    """A event or a transition by hand, in its place."""

    order: _Order
    transition: Transition
    effect: Effect | None
    """None if it was asked by hand (or by the sweeper)."""
    began: bool = False
    """Whether it made a timer of its own then."""

    def resumes(self, timer: Timer) -> bool:
        """Whether, as a start, it makes a paused timer run."""
        if self.effect is None:
            # Who saw a timer begin to run was not told of another one that is paused.
            return self.began
        return self.effect.ends_pause_by(timer.paused_by)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay found for one person on one issue.

    Attributes
    ----------
    changed
        Timers to write: new ones have version 0, others the version that was read.
    vanished
        Timers that have become part of another one.
    open_ulid
        The timer that is open in the end, if any.
    """

    changed: tuple[Timer, ...] = ()
    vanished: tuple[Timer, ...] = ()
    open_ulid: str | None = None


def replay(
    *,
    issue: Issue,
    user_id: int,
    now_ms: int,
    since: Event | None,
    events: Iterable[Event],
    timers: Iterable[Timer],
    locked_until_ms: int,
    used_ulids: Set[str],
) -> Outcome:
    """Derive a person's timers on an issue again, from the place of a event in time onwards.

    Parameters
    ----------
    issue
        The issue by its present name, which the timers get that are derived.
    since
        The event that came; timers that ended before it stay as they are. None derives them all.
    events
        All known events about the issue, under any of its names, ``since`` among them.
    timers
        The person's timers on the issue that events may change (not the corrected ones).
    locked_until_ms
        Nothing up to this time is derived again, because people corrected it by hand or because
        its events are no longer kept.
    used_ulids
        The ULIDs of all that the person has on the issue, which no other timer may be named by.
    """
    # By their ends, because one that was moved here from another issue may have begun long before.
    ordered = sorted(
        (timer for timer in timers if timer.end_ms is None or timer.end_ms > locked_until_ms),
        key=lambda timer: (timer.is_open, timer.end_ms or 0, timer.start_ms),
    )
    first = 0
    if since is not None:
        place = _order_of_event(since)
        first = sum(_ended_before(timer, place) for timer in ordered)
    cut = [index for index, timer in enumerate(ordered) if timer.snapshot]
    if cut:
        # What came before a snapshot cannot be derived again.
        first = max(first, cut[-1])
    affected = ordered[first:]

    floor = _Order(locked_until_ms, True, 0, 0, "")
    current = None
    if affected and affected[0].snapshot:
        current = _restore(affected[0], affected[0].snapshot, issue)
        floor = max(floor, _Order(current.changed_ms, True, 0, 0, ""))
    steps: list[_Step] = []
    latest_by_hand_ms = 0
    for index, timer in enumerate(ordered):
        own = _history_steps(timer, index, latest_by_hand_ms)
        latest_by_hand_ms = max(
            [latest_by_hand_ms, *(step.order.at_ms for step in own if step.order.by_hand)]
        )
        if index < first and not timer.is_open:
            end = _end_index(timer)
            floor = max(floor, own[end].order)
            own = own[end + 1 :]
        steps += own
    known = {step.transition.cause for step in steps if step.effect is not None}
    steps += [
        _event_step(event)
        for event in events
        if event.concerns(user_id) and event.delivery not in known and _order_of_event(event) > floor
    ]
    steps.sort(key=lambda step: step.order)

    named, vanished = _match_existing(_fold(steps, current, issue, user_id, now_ms), affected, used_ulids)
    return Outcome(
        changed=tuple(new for new, old in named if new != old),
        vanished=tuple(vanished),
        open_ulid=next((new.ulid for new, _ in named if new.is_open), None),
    )


def _order_of_event(event: Event) -> _Order:
    return _order(event.at_ms, event.kind, event.delivery)


def _order(at_ms: int, kind: str, delivery: str) -> _Order:
    return _Order(at_ms, False, uuid_time(delivery) or _UNTIMED, _RANK[kind], delivery)


def uuid_time(delivery: str) -> int:
    """Return the time in a delivery's GUID (units of 100 ns), which orders events of one second; or 0.

    As in RFC 9562, section 5.1: only a version 1 UUID has one.
    """
    try:
        # One delivery may tell several things; what numbers them is after the dot.
        guid = uuid.UUID(delivery.partition(".")[0])
    except ValueError:
        return 0
    return guid.time if guid.version == 1 else 0


def _event_step(event: Event) -> _Step:
    effect = EFFECTS[event.kind]
    transition = Transition(event.at_ms, effect.action, event.kind, event.delivery)
    return _Step(_order_of_event(event), transition, effect)


def _history_steps(timer: Timer, position: int = 0, earliest_ms: int = 0) -> list[_Step]:
    """Return the entries of a timer's history, placed in time.

    ``position`` counts the timers. What was done by hand counts from ``earliest_ms`` at the
    earliest: people ended the timer before it first, even if another machine's clock was ahead.
    """
    steps = []
    for index, transition in enumerate(timer.history):
        effect = EFFECTS.get(transition.by)
        if effect is None:
            # The positions keep the order of what was done in one millisecond.
            at_ms = max(transition.at_ms, earliest_ms)
            order = _Order(at_ms, True, position, index, transition.cause)
            # The start by hand that the timer is named for may have ended a pause since, told of late.
            began = transition.cause == timer.ulid
            asked = replace(transition, action=Action.START) if began else transition
            steps.append(_Step(order, asked, None, began))
        else:
            order = _order(transition.at_ms, transition.by, transition.cause)
            # As a event it may now do another thing than it did then.
            asked = replace(transition, action=effect.action)
            steps.append(_Step(order, asked, effect))
    return steps


def _end_index(timer: Timer) -> int:
    """Return where the history of a stopped timer has its end; what follows changed nothing."""
    return next(i for i, transition in enumerate(timer.history) if transition.action is Action.STOP)


def _ended_before(timer: Timer, place: _Order) -> bool:
    return not timer.is_open and _history_steps(timer)[_end_index(timer)].order < place


def _restore(timer: Timer, snapshot: Snapshot, issue: Issue) -> Timer:
    """Return the timer as it was at its snapshot."""
    return replace(
        timer,
        issue=issue,
        status=snapshot.status,
        clock_ms=snapshot.clock_ms,
        changed_ms=snapshot.at_ms,
        last_pause_ms=snapshot.last_pause_ms,
        paused_by=snapshot.paused_by,
        end_ms=None,
        stopped_by=None,
        history=(),
    )


def _fold(
    steps: Sequence[_Step], current: Timer | None, issue: Issue, user_id: int, now_ms: int
) -> list[Timer]:
    """Apply the steps in order and return the timers that result."""
    done: list[Timer] = []
    for step in steps:
        if current is None:
            if step.transition.action is Action.START:
                current = _begin(step.transition, issue, user_id, now_ms)
            elif done and step.effect is None:
                done[-1] = done[-1].note(step.transition)
            continue
        current = _apply(current, step)
        if not current.is_open:
            done.append(current)
            current = None
    return done if current is None else [*done, current]


def _begin(transition: Transition, issue: Issue, user_id: int, now_ms: int) -> Timer:
    at_ms, by, cause = transition.at_ms, transition.by, transition.cause
    # A start by hand is named by the ULID that it was answered with.
    ulid = derived_ulid(at_ms, issue.key, str(user_id), cause) if by in EFFECTS else cause
    started = Timer.start(
        user_id=user_id, ulid=ulid, at_ms=at_ms, now_ms=now_ms, by=by, cause=cause, issue=issue
    )
    return replace(started, version=0)


def _apply(timer: Timer, step: _Step) -> Timer:
    at_ms, action, by, cause = (
        step.transition.at_ms,
        step.transition.action,
        step.transition.by,
        step.transition.cause,
    )
    match action, timer.status:
        case Action.STOP, _:
            return timer.stop(at_ms, by, cause)
        case Action.PAUSE, Status.RUNNING:
            return timer.pause(at_ms, by, cause)
        case Action.RESUME, Status.PAUSED:
            return timer.resume(at_ms, by, cause)
        case Action.START, Status.PAUSED if step.resumes(timer):
            return timer.resume(at_ms, by, cause)
    # Events that change nothing are in the log; what was done by hand is only here.
    return timer.note(step.transition) if step.effect is None else timer


def _match_existing(
    derived: Sequence[Timer], affected: Sequence[Timer], used_ulids: Set[str]
) -> tuple[list[tuple[Timer, Timer | None]], list[Timer]]:
    """Match the derived timers with those that exist, so that ids people have seen stay."""
    existing = {timer.ulid: timer for timer in affected}
    matched = {timer.ulid: existing.pop(timer.ulid) for timer in derived if timer.ulid in existing}
    named: list[tuple[Timer, Timer | None]] = []
    for timer in derived:
        old = matched.get(timer.ulid) or next(
            (old for old in existing.values() if _covers_start(timer, old)), None
        )
        if old is None:
            named.append((_with_unused_ulid(timer, used_ulids), None))
            continue
        existing.pop(old.ulid, None)
        named.append((_keep(timer, old), old))
    return named, list(existing.values())


def _with_unused_ulid(timer: Timer, used_ulids: Set[str]) -> Timer:
    """Give a new timer another name if an earlier one, which began with the same event once, kept it."""
    ulid = timer.ulid
    while ulid in used_ulids:
        ulid = derived_ulid(timer.start_ms, ulid)
    return replace(timer, ulid=ulid)


def _covers_start(timer: Timer, old: Timer) -> bool:
    return timer.start_ms <= old.start_ms and (timer.end_ms is None or old.start_ms < timer.end_ms)


def _keep(timer: Timer, old: Timer) -> Timer:
    """Give a derived timer what people see of the one that it replaces."""
    issue, organization = old.issue, old.organization
    if timer.issue and issue and timer.issue.key != issue.key:
        # The issue has moved. An organization that was given by hand stays.
        organization = timer.issue.owner if organization == issue.owner else organization
        issue = replace(timer.issue, title=timer.issue.title or issue.title)
    elif timer.issue and issue and timer.issue.title:
        issue = replace(issue, title=timer.issue.title)
    return replace(
        timer,
        ulid=old.ulid,
        created_ms=old.created_ms,
        issue=issue,
        organization=organization,
        description=old.description,
        version=old.version,
        unknown_attributes=old.unknown_attributes,
    )
