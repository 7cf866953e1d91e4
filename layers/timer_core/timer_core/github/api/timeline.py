"""An issue's present state and its timeline.

Both together give the state at any earlier moment, and the events that GitHub should have delivered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from timer_core.domain.events import Event, guid_time_at
from timer_core.domain.issues import Issue
from timer_core.github.messages import IssueEvent
from timer_core.github.trigger_config import TriggerConfig


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
        """Return the events that GitHub should have delivered, each with its node id in place of a GUID.

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


def missing(events: Sequence[IssueEvent], logged: Iterable[Event]) -> list[IssueEvent]:
    """Return the events of a timeline that no delivery has reported, with their order within their second.

    Parameters
    ----------
    events
        What `IssueState.events` returned.
    logged
        The events in the issue's log.
    """
    log = sorted(logged, key=lambda event: event.sort_key)
    # The logged event that each one of the timeline is, if any: the nearest ones are paired first.
    same: list[Event | None] = [None] * len(events)
    pairs = [
        (abs(one.at_ms - event.at_ms), position, index)
        for position, event in enumerate(events)
        for index, one in enumerate(log)
        if one.may_be(_event(event))
    ]
    used: set[int] = set()
    for _, position, index in sorted(pairs):
        if same[position] is None and index not in used:
            same[position] = log[index]
            used.add(index)
    found: list[IssueEvent] = []
    before: Event | None = None
    for position, event in enumerate(events):
        one = same[position]
        if one is None:
            ordered = replace(event, order=_order(event, before, same[position + 1 :]))
            found.append(ordered)
            one = _event(ordered)
        before = one
    return found


def _event(event: IssueEvent) -> Event:
    users = None if event.users is None else frozenset(event.users)
    return Event(event.delivery, event.kind, event.at_ms, users, order=event.order)


def _order(event: IssueEvent, before: Event | None, following: Sequence[Event | None]) -> int:
    """Return a finer time for an event that lies between those of its neighbours in the same second.

    Parameters
    ----------
    before
        The event before it in the timeline.
    following
        The logged events that come after it; None for those that are missing too.
    """
    if before is not None and before.at_ms == event.at_ms and before.finer_time is not None:
        return before.finer_time + 1
    distance, after = next(
        ((distance, one) for distance, one in enumerate(following, start=1) if one is not None), (0, None)
    )
    if after is not None and after.at_ms == event.at_ms and after.finer_time is not None:
        # The missing ones in between need room, too.
        return after.finer_time - distance
    return guid_time_at(event.at_ms)
