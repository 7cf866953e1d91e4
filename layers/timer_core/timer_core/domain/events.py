"""Events: what happened to an issue on GitHub, and what each kind of event does to timers."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from timer_core.domain.state import Action


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a kind of event on the timers of the people concerned.

    Attributes
    ----------
    action
        The requested action.
    resumes
        For a start that finds a paused timer: the kinds of event whose pause it ends, or `ANY_PAUSE`.
    """

    action: Action
    resumes: frozenset[str] = frozenset()

    def ends_pause_by(self, by: str | None) -> bool:
        """Whether a start ends a pause that this kind of event (or person) began."""
        return self.resumes is ANY_PAUSE or by in self.resumes


ANY_PAUSE = frozenset({"*"})
# A delivery has the time of the last change, the timeline has the time of the event itself; the two
# may differ by a few seconds.
TOLERANCE_MS = 5_000


# The kinds of event; their order decides between events of one second without a finer time. To add a kind,
# add it here and read it from its delivery in github/webhooks/payloads.py. Users see only the part before the
# dot.
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
_RANK = {kind: rank for rank, kind in enumerate(EFFECTS)}
# Version 1 UUIDs count units of 100 ns from 15 October 1582 in 60 bits (RFC 9562, section 5.1).
_UUID_EPOCH = 0x01B21DD213814000
_UUID_UNITS_PER_MS = 10_000
# Events without a finer time, such as commands (their ids name the comment), come last in their second.
_LAST = 1 << 60


@dataclass(frozen=True, slots=True)
class Event:
    """An event on GitHub.

    Attributes
    ----------
    delivery
        The event's id: the GUID of GitHub's delivery, which a redelivery repeats; for a command the id of its
        comment; for a backfilled event its node id in the timeline.
    kind
        A key of `EFFECTS`.
    at_ms
        When it happened.
    users
        The ids of the people concerned; None if that is everybody with an open timer.
    title
        The issue's title then; empty if unknown.
    received_ms
        When the delivery was received; of a backfilled event, when the timeline was read.
    backfilled
        Whether it was read from the issue's timeline because no delivery had arrived.
    order
        Sub-second order of a backfilled event, in units of 100 ns (see `guid_time`).
    """

    delivery: str
    kind: str
    at_ms: int
    users: frozenset[int] | None = None
    title: str = ""
    received_ms: int = 0
    backfilled: bool = False
    order: int | None = None

    @property
    def finer_time(self) -> int | None:
        """Sub-second order of the event, in units of 100 ns (see `guid_time`); None if unknown."""
        return guid_time(self.delivery) if self.order is None else self.order

    @property
    def sort_key(self) -> tuple[int, int, int, str]:
        """The place of the event in time.

        GitHub's times are whole seconds. Within a second the finer time decides, else the kind of
        event and the delivery: arbitrary, but always the same.
        """
        finer_time = self.finer_time
        return (self.at_ms, _LAST if finer_time is None else finer_time, _RANK[self.kind], self.delivery)

    def concerns(self, user_id: int) -> bool:
        """Whether the event has an effect on the timers of this person."""
        return self.users is None or user_id in self.users

    def may_be(self, other: "Event") -> bool:
        """Whether two events may be one that was both delivered and read from the timeline."""
        # For other kinds the users may differ, because an event is logged without its unregistered users.
        concern_same = self.kind not in {"assigned", "unassigned"} or self.users == other.users
        return self.kind == other.kind and concern_same and abs(self.at_ms - other.at_ms) <= TOLERANCE_MS


def guid_time(delivery: str) -> int | None:
    """Return the time in the GUID of a delivery, in units of 100 ns; None if it has none.

    GitHub's GUIDs are version 1 UUIDs (RFC 9562, section 5.1), whose time is finer than its seconds.
    """
    try:
        # The events of one delivery are numbered after a dot.
        guid = uuid.UUID(delivery.partition(".")[0])
    except ValueError:
        return None
    return guid.time if guid.version == 1 else None


def guid_time_at(at_ms: int) -> int:
    """Return a time (milliseconds since the epoch) in the unit of `guid_time`."""
    return _UUID_EPOCH + at_ms * _UUID_UNITS_PER_MS


def distinct(events: Iterable[Event]) -> list[Event]:
    """Drop deliveries of events that had already been backfilled from the issue's timeline.

    The backfilled event stays, because the timeline gives its exact place among the others; the time
    of a delivery is that of the issue's last change. Each backfilled event replaces at most one delivery,
    the nearest in time.
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
    """Whether an event may be the late delivery of one that was backfilled."""
    is_late_delivery = backfilled.backfilled and not event.backfilled
    # An event from after the timeline was read is another one.
    is_from_before = event.at_ms <= backfilled.received_ms <= event.received_ms
    return is_late_delivery and is_from_before and event.may_be(backfilled)
