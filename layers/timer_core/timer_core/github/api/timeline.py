"""An issue's present state and its timeline.

Both together give the state at any earlier moment, and the events that GitHub should have delivered.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from timer_core.domain.issues import Issue
from timer_core.domain.replay import Event, uuid_time
from timer_core.github.messages import IssueEvent
from timer_core.github.trigger_config import TriggerConfig

# Version 1 UUIDs count units of 100 ns from 15 October 1582 (RFC 9562, section 5.1).
_UUID_EPOCH = 0x01B21DD213814000
_UUID_UNITS_PER_MS = 10_000


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """An event of an issue's timeline.

    Attributes
    ----------
    node_id
        The event's id in GitHub's GraphQL API.
    kind
        ``assigned``, ``unassigned``, ``closed``, ``reopened``, ``labeled``, ``unlabeled`` or
        ``transferred``.
    user
        The id of the user who was assigned or unassigned; None for a bot and for other kinds of events.
    label
        The name of the label that was added or removed.
    """

    node_id: str
    kind: str
    at_ms: int
    user: int | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class IssueState:
    """An issue's present state, and its timeline since some moment.

    Attributes
    ----------
    assignees
        The ids of the users who are assigned now.
    labels
        The names of its present labels, in lower case.
    timeline
        The events since then, in order.
    """

    issue: Issue
    is_closed: bool
    assignees: frozenset[int]
    labels: frozenset[str] = frozenset()
    timeline: tuple[TimelineEvent, ...] = ()

    def at(self, moment_ms: int) -> "IssueState":
        """Return the state at a moment that the timeline covers."""
        before = self
        for event in reversed(self.timeline):
            if event.at_ms > moment_ms:
                before = before._without(event)
        return before

    def _without(self, event: TimelineEvent) -> "IssueState":
        """Return the state before the last event of the timeline."""
        before = replace(self, timeline=self.timeline[:-1])
        user = frozenset(() if event.user is None else (event.user,))
        match event.kind:
            case "assigned":
                return replace(before, assignees=self.assignees - user)
            case "unassigned":
                return replace(before, assignees=self.assignees | user)
            case "closed":
                return replace(before, is_closed=False)
            case "reopened":
                return replace(before, is_closed=True)
            case "labeled":
                return replace(before, labels=self.labels - {event.label.lower()})
            case "unlabeled":
                return replace(before, labels=self.labels | {event.label.lower()})
        return before

    def events(self, triggers: TriggerConfig, *, fetched_ms: int) -> list[IssueEvent]:
        """Return the events that GitHub should have delivered, each named by its place in the timeline.

        As `timer_core.github.webhooks.payloads` reads them from deliveries.

        Parameters
        ----------
        fetched_ms
            When GitHub was asked for this state.
        """
        events = []
        state = self
        for entry in reversed(self.timeline):
            users = _concerned(entry, state, triggers)
            if users is None or users:
                event = IssueEvent(
                    delivery=entry.node_id,
                    kind=entry.kind,
                    repo=self.issue.full_name,
                    number=self.issue.number,
                    at_ms=entry.at_ms,
                    users=users,
                    title=self.issue.title,
                    fetched_ms=fetched_ms,
                )
                events.append(event)
            state = state._without(entry)
        return events[::-1]


def _concerned(entry: TimelineEvent, state: IssueState, triggers: TriggerConfig) -> tuple[int, ...] | None:
    """Return whom an entry concerns: nobody if it changes no timer, None if everybody."""
    assignees = tuple(sorted(state.assignees))
    match entry.kind:
        case "assigned" if not state.is_closed and entry.user is not None:
            return (entry.user,)
        case "unassigned" if entry.user is not None:
            return (entry.user,)
        case "closed":
            return None
        case "reopened":
            return assignees
        case "labeled" if not state.is_closed and entry.label.lower() in triggers.start_labels:
            return assignees
        case "unlabeled" if entry.label.lower() in triggers.start_labels:
            return () if state.labels & triggers.start_labels else assignees
    return ()


def missing(events: Sequence[IssueEvent], known: Iterable[Event]) -> list[IssueEvent]:
    """Return those events of a timeline that nobody told us of, named so that they keep their places.

    Parameters
    ----------
    events
        What `IssueState.events` returned.
    known
        The facts in the issue's log.
    """
    log = sorted(known, key=lambda fact: (fact.at_ms, uuid_time(fact.delivery)))
    # Each event of the timeline with the fact that tells of it, if there is one: the nearest ones first.
    told: list[Event | None] = [None] * len(events)
    pairs = [
        (abs(fact.at_ms - event.at_ms), position, place)
        for position, event in enumerate(events)
        for place, fact in enumerate(log)
        if fact.is_same_event(_fact(event))
    ]
    taken: set[int] = set()
    for _, position, place in sorted(pairs):
        if told[position] is None and place not in taken:
            told[position] = log[place]
            taken.add(place)
    found: list[IssueEvent] = []
    before: Event | None = None
    for position, event in enumerate(events):
        fact = told[position]
        if fact is None:
            known_later = (
                (later, distance) for distance, later in enumerate(told[position:]) if later is not None
            )
            after = next(known_later, None)
            placed = replace(event, delivery=_place(event, before, after))
            found.append(placed)
            fact = _fact(placed)
        before = fact
    return found


def _fact(event: IssueEvent) -> Event:
    users = None if event.users is None else frozenset(event.users)
    return Event(event.delivery, event.kind, event.at_ms, users)


def _place(event: IssueEvent, before: Event | None, after: tuple[Event, int] | None) -> str:
    """Name an event by a version 1 UUID whose time lies between those of its neighbours.

    That is how facts of one second are ordered, as GitHub's GUIDs are. ``after`` is the next one that
    is known, and how many places further on.
    """
    if before is not None and before.at_ms == event.at_ms and uuid_time(before.delivery):
        time = uuid_time(before.delivery) + 1
    elif after is not None and after[0].at_ms == event.at_ms and uuid_time(after[0].delivery):
        # Those between have to fit in, too.
        time = uuid_time(after[0].delivery) - after[1]
    else:
        time = _UUID_EPOCH + event.at_ms * _UUID_UNITS_PER_MS
    digest = sha256(event.delivery.encode()).digest()
    # The multicast bit says that the node is not a network card (RFC 9562, section 6.10).
    node = int.from_bytes(digest[:6], "big") | 1 << 40
    fields = (
        time & 0xFFFFFFFF,
        time >> 32 & 0xFFFF,
        time >> 48 & 0x0FFF | 0x1000,
        digest[6] & 0x3F | 0x80,
        digest[7],
        node,
    )
    return str(uuid.UUID(fields=fields))
