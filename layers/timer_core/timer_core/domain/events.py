"""Events: what happened to an issue on GitHub, and what each kind of event does to timers."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from timer_core.domain.state import Action

ANY = frozenset({"*"})


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a kind of event on the timers of the people concerned.

    Attributes
    ----------
    action
        The requested action; None if the event is only a sign of life.
    resumes
        The causes of the pauses that a start or resume ends: kinds of event, or `ANY` for every pause.
    pauses
        The causes of the stretches that a pause ends: kinds of event, or `ANY` for every stretch.
    of_same_card
        Whether a pause or resume has an effect only on what the same card caused.
    restores
        Whether the resumed stretch has the cause of the stretch before the pause.
    is_assignment
        Whether the settings decide if the event starts a timer (`timer_core.domain.calendar`).
    of_review
        Whether a stop has an effect only on the timer of somebody who reviews a pull request, and not on that
        of an assignee.
    """

    action: Action | None
    resumes: frozenset[str] = frozenset()
    pauses: frozenset[str] = ANY
    of_same_card: bool = False
    restores: bool = False
    is_assignment: bool = False
    of_review: bool = False

    def ends_pause_by(self, by: str | None) -> bool:
        """Whether a start or resume ends a pause that this kind of event (or person) began."""
        return self.resumes is ANY or by in self.resumes

    def ends_stretch_by(self, by: str) -> bool:
        """Whether a pause ends a stretch that this kind of event (or person) began."""
        return self.pauses is ANY or by in self.pauses


# A delivery has the time of the last change. The timeline has the time of the event itself. The two
# times may differ by a few seconds.
TOLERANCE_MS = 5_000


# The kinds of event that start or resume the timers of assignees.
FOR_ASSIGNEES = frozenset({"reopened", "assigned", "labeled", "project.start", "ready_for_review"})


# The kind of event that creates a paused timer, which an assignment starts.
_REQUESTED = frozenset({"review_requested"})
# The kinds of event. Events of the same second without a finer time are sorted in the order of this list. To
# add a kind, add it here and read it from its delivery in github/webhooks/payloads.py. Users see only the
# part before the dot.
EFFECTS: dict[str, Effect] = {
    # A person opened a pull request, or created a branch that the number of the issue begins.
    "opened": Effect(Action.FOCUS),
    "branch_created": Effect(Action.FOCUS),
    "reopened": Effect(Action.START, resumes=_REQUESTED, is_assignment=True),
    "assigned": Effect(
        Action.START, resumes=_REQUESTED | {"unassigned", "unassigned.others"}, is_assignment=True
    ),
    "labeled": Effect(Action.START, resumes=_REQUESTED | {"unlabeled"}),
    "project.start": Effect(Action.START, resumes=_REQUESTED | {"project.pause", "project.removed"}),
    "ready_for_review": Effect(Action.START, resumes=_REQUESTED, is_assignment=True),
    "review_requested": Effect(Action.REQUEST),
    # The card was restored from the archive.
    "project.restored": Effect(
        Action.RESUME, resumes=frozenset({"project.removed"}), of_same_card=True, restores=True
    ),
    "comment.start": Effect(Action.START, resumes=ANY),
    "comment.resume": Effect(Action.RESUME, resumes=ANY),
    # The repository of the issue was archived, or restored from the archive.
    "unarchived": Effect(Action.RESUME, resumes=frozenset({"archived"}), restores=True),
    "unassigned": Effect(Action.PAUSE),
    # Somebody was unassigned, and GitHub named only the remaining assignees. Other people with a timer may
    # never have been assigned, so the event does not pause what they started themselves.
    "unassigned.others": Effect(
        Action.PAUSE,
        pauses=FOR_ASSIGNEES,
    ),
    "unlabeled": Effect(Action.PAUSE),
    "project.pause": Effect(Action.PAUSE),
    # The card was archived, or deleted from its project.
    "project.removed": Effect(Action.PAUSE, pauses=frozenset({"project.start"}), of_same_card=True),
    "comment.pause": Effect(Action.PAUSE),
    "archived": Effect(Action.PAUSE),
    "review_request_removed": Effect(Action.STOP, of_review=True),
    "review_submitted": Effect(Action.STOP, of_review=True),
    "comment.stop": Effect(Action.STOP),
    "project.stop": Effect(Action.STOP),
    "closed": Effect(Action.STOP),
    "deleted": Effect(Action.STOP),
    # A person commented on the issue, without a command.
    "commented": Effect(None),
    "converted_to_draft": Effect(None),
}
_OF_ONE_USER = frozenset(
    {"assigned", "unassigned", "review_requested", "review_request_removed", "review_submitted"}
)
_RANK = {kind: rank for rank, kind in enumerate(EFFECTS)}
# Version 1 UUIDs count units of 100 ns from 15 October 1582 in 60 bits (RFC 9562, section 5.1).
_UUID_EPOCH = 0x01B21DD213814000
_UUID_UNITS_PER_MS = 10_000
# Events without a finer time come last in their second. An example is a command, whose id names a comment.
_LAST = 1 << 60


@dataclass(frozen=True, slots=True)
class Event:
    """An event on GitHub.

    Attributes
    ----------
    delivery
        The event's id. It is usually the GUID of GitHub's delivery, and a redelivery has the same GUID. The
        id of a command is the id of its comment. The id of a backfilled event is its node id in the timeline.
    kind
        A key of `EFFECTS`.
    at_ms
        The time of the event.
    users
        The ids of the people concerned; None if the event concerns everybody with an open timer.
    title
        The issue's title at the time of the event; empty if unknown.
    received_ms
        The time at which the delivery was received. For a backfilled event, the time at which the timeline
        was read.
    backfilled
        Whether the event was read from the issue's timeline because no delivery had arrived.
    order
        The order of a backfilled event within its second, in units of 100 ns (see `guid_time`).
    except_users
        The ids of the people whom the event does not concern; only if `users` is None.
    card
        The node id of the card that caused the event; empty for other events, or if unknown.
    actor
        The id of the person who caused the event on GitHub; 0 for a bot, or if unknown.
    """

    delivery: str
    kind: str
    at_ms: int
    users: frozenset[int] | None = None
    title: str = ""
    received_ms: int = 0
    backfilled: bool = False
    order: int | None = None
    except_users: frozenset[int] = frozenset()
    card: str = ""
    actor: int = 0

    @property
    def named_at(self) -> int:
        """The time at which the issue's repository had the name in the event, see `named_at`."""
        return guid_time_at(self.received_ms) if self.backfilled else named_at(self.delivery, self.at_ms)

    @property
    def finer_time(self) -> int | None:
        """The order of the event within its second, in units of 100 ns (see `guid_time`); None if unknown."""
        return guid_time(self.delivery) if self.order is None else self.order

    @property
    def sort_key(self) -> tuple[int, int, int, str]:
        """The key by which events are sorted.

        GitHub's times are whole seconds. Events of the same second are sorted by their finer time, or else
        by kind and delivery. The order by kind and delivery is arbitrary, but always the same.
        """
        finer_time = self.finer_time
        return (self.at_ms, _LAST if finer_time is None else finer_time, _RANK[self.kind], self.delivery)

    def concerns(self, user_id: int) -> bool:
        """Whether the event has an effect on the timers of this person."""
        return user_id not in self.except_users if self.users is None else user_id in self.users

    def is_sign_of(self, user_id: int) -> bool:
        """Whether the event is a sign of life of a person, because they caused it or it names them."""
        return user_id == self.actor or (self.users is not None and user_id in self.users)

    def may_be(self, other: "Event") -> bool:
        """Whether two events may be the same event, both delivered and read from the timeline."""
        # Only events of a single user are compared by user. The users of one event of another kind may
        # differ, because an event is logged without its unregistered users.
        concern_same = self.kind not in _OF_ONE_USER or self.users == other.users
        return self.kind == other.kind and concern_same and abs(self.at_ms - other.at_ms) <= TOLERANCE_MS


def guid_time(delivery: str) -> int | None:
    """Return the time in the GUID of a delivery, in units of 100 ns; None if the GUID contains no time.

    GitHub's GUIDs are version 1 UUIDs (RFC 9562, section 5.1), which contain a time in units of 100 ns. Other
    times from GitHub are whole seconds.
    """
    try:
        # The events of one delivery are numbered after a dot.
        guid = uuid.UUID(delivery.partition(".")[0])
    except ValueError:
        return None
    return guid.time if guid.version == 1 else None


def guid_ms(delivery: str) -> int | None:
    """Return the time in the GUID of a delivery (milliseconds since the epoch); None if it has no time."""
    time = guid_time(delivery)
    return None if time is None else (time - _UUID_EPOCH) // _UUID_UNITS_PER_MS


def guid_time_at(at_ms: int) -> int:
    """Convert a time (milliseconds since the epoch) to the unit and epoch of `guid_time`."""
    return _UUID_EPOCH + at_ms * _UUID_UNITS_PER_MS


def named_at(delivery: str, otherwise_ms: int) -> int:
    """Return the time at which repositories had the names in a delivery, in the unit of `guid_time`.

    It is the time in the GUID, because a redelivery has the same GUID and the same names. If the GUID
    contains no time, return ``otherwise_ms`` (milliseconds since the epoch) in this unit.
    """
    time = guid_time(delivery)
    return guid_time_at(otherwise_ms) if time is None else time


def distinct(events: Iterable[Event]) -> list[Event]:
    """Remove each delivery that repeats a backfilled event, and return all other events.

    The backfilled event is kept, because the timeline gives its exact position, whereas a delivery only has
    the time of the issue's last change. Each backfilled event replaces at most one delivery, the nearest in
    time.
    """
    known = list(events)
    pairs = sorted(
        (abs(event.at_ms - backfilled.at_ms), event.delivery, backfilled.delivery)
        for backfilled in known
        for event in known
        if _may_repeat(event, backfilled)
    )
    paired: set[str] = set()
    repeated: set[str] = set()
    for _, delivery, backfilled_id in pairs:
        if not {delivery, backfilled_id} & paired:
            paired |= {delivery, backfilled_id}
            repeated.add(delivery)
    return [event for event in known if event.delivery not in repeated]


def _may_repeat(event: Event, backfilled: Event) -> bool:
    """Whether an event may be the late delivery of a backfilled event."""
    is_late_delivery = backfilled.backfilled and not event.backfilled
    # If the event happened after the timeline was read, it is not the backfilled event.
    is_from_before = event.at_ms <= backfilled.received_ms <= event.received_ms
    return is_late_delivery and is_from_before and event.may_be(backfilled)
