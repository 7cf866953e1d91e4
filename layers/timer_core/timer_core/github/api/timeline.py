"""An issue's present state and its timeline.

The present state and the timeline determine the state at any earlier moment, and the events that GitHub
should have delivered.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from timer_core.domain.events import Event, guid_time_at
from timer_core.domain.issues import Issue
from timer_core.github.messages import IssueEvent, Seen
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
        ``transferred``; of a pull request also ``review_requested``, ``review_request_removed``,
        ``review_submitted``, ``ready_for_review`` or ``converted_to_draft``.
    user
        The id of the user who was assigned or unassigned, or whose review was requested; None for a bot, a
        team and other kinds of events.
    label
        The name of the label that was added or removed.
    actor
        The id of the person who caused the event; 0 for a bot or a deleted account.
    """

    node_id: str
    kind: str
    at_ms: int
    user: int | None = None
    label: str = ""
    actor: int = 0


@dataclass(frozen=True, slots=True)
class IssueState:
    """An issue's present state, and the last part of its timeline.

    Attributes
    ----------
    assignees
        The ids of the users who are assigned now.
    labels
        The names of its present labels, in lower case.
    timeline
        The issue's events since the requested time, in order.
    seen
        The issue's details, if they were requested.
    author
        The id of the person who opened it; 0 of an issue, of a bot or a deleted account.
    """

    issue: Issue
    is_closed: bool
    assignees: frozenset[int]
    labels: frozenset[str] = frozenset()
    timeline: tuple[TimelineEvent, ...] = ()
    seen: Seen = field(default_factory=dict)
    author: int = 0

    def at(self, moment_ms: int) -> "IssueState":
        """Return the state at a moment that the timeline covers."""
        before = self
        for event in reversed(self.timeline):
            if event.at_ms > moment_ms:
                before = before._without(event)
        return before

    def _without(self, event: TimelineEvent) -> "IssueState":
        """Return the state before an event, which must be the last event of the timeline."""
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

        The events have the same form as the events that `timer_core.github.webhooks.payloads` reads from
        deliveries.

        Parameters
        ----------
        fetched_ms
            When this state was fetched.
        """
        events = []
        state = self
        for entry in reversed(self.timeline):
            users = _users_concerned(entry, state, triggers)
            if users is None or users:
                event = IssueEvent(
                    delivery=entry.node_id,
                    kind=entry.kind,
                    repo_id=self.issue.repo_id,
                    repo=self.issue.full_name,
                    number=self.issue.number,
                    at_ms=entry.at_ms,
                    users=users,
                    title=self.issue.title,
                    fetched_ms=fetched_ms,
                    actor=entry.actor,
                )
                events.append(event)
            state = state._without(entry)
        return events[::-1]


def _users_concerned(
    entry: TimelineEvent, state: IssueState, triggers: TriggerConfig
) -> tuple[int, ...] | None:
    """Return the ids of the users that a timeline entry concerns, given the state after the entry.

    Returns
    -------
    tuple[int, ...] or None
        Empty if the entry changes no timer; None for everybody with an open timer.
    """
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
    return _users_of_pull(entry, state, assignees)


def _users_of_pull(entry: TimelineEvent, state: IssueState, assignees: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ids of the users that an entry of a pull request's timeline concerns."""
    match entry.kind:
        case "review_requested" if not state.is_closed and entry.user is not None:
            return (entry.user,)
        case "review_request_removed" if entry.user is not None:
            return (entry.user,)
        # Authors reply to comments on their pull requests, which GitHub shows as a review.
        case "review_submitted" if entry.actor and entry.actor != state.author:
            return (entry.actor,)
        case "ready_for_review":
            return assignees
        case "converted_to_draft" if entry.actor:
            return (entry.actor,)
    return ()


def missing(events: Sequence[IssueEvent], logged: Iterable[Event]) -> list[IssueEvent]:
    """Return the timeline events that are not in the log, each with its order within its second.

    Parameters
    ----------
    events
        The result of `IssueState.events`.
    logged
        The events in the issue's log.
    """
    matches = _match(events, sorted(logged, key=lambda event: event.sort_key))
    found: list[IssueEvent] = []
    before: Event | None = None
    for position, event in enumerate(events):
        match = matches[position]
        if match is None:
            ordered = replace(event, order=_order(event, before, matches[position + 1 :]))
            found.append(ordered)
            match = _event(ordered)
        before = match
    return found


def _match(events: Sequence[IssueEvent], log: Sequence[Event]) -> list[Event | None]:
    """For each timeline event, return the logged event that equals it (None if undelivered).

    Events of the same time are matched first, in their order. The remaining events are matched in pairs, and
    the pairs that are closest in time come first.
    """
    candidates = [
        (abs(logged.at_ms - event.at_ms), position, index)
        for position, event in enumerate(events)
        for index, logged in enumerate(log)
        if logged.may_be(_event(event))
    ]
    matches: list[Event | None] = [None] * len(events)
    used: set[int] = set()
    for position, index in _in_order(events, log):
        matches[position] = log[index]
        used.add(index)
    for _, position, index in sorted(candidates):
        if matches[position] is None and index not in used:
            matches[position] = log[index]
            used.add(index)
    return matches


def _in_order(events: Sequence[IssueEvent], log: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """Yield the positions in timeline and log of events that have the same time and the same order.

    Two events of one kind and second differ only in their order among the other events.
    """
    for at_ms in {event.at_ms for event in events}:
        positions = [position for position, event in enumerate(events) if event.at_ms == at_ms]
        indexes = [index for index, one in enumerate(log) if one.at_ms == at_ms]
        # `best[i][j]` is the longest common subsequence of `positions[i:]` and `indexes[j:]`.
        best: list[list[list[tuple[int, int]]]] = [[[] for _ in (*indexes, 0)] for _ in (*positions, 0)]
        for i, position in reversed([*enumerate(positions)]):
            for j, index in reversed([*enumerate(indexes)]):
                best[i][j] = max(best[i + 1][j], best[i][j + 1], key=len)
                if log[index].may_be(_event(events[position])):
                    best[i][j] = max([(position, index), *best[i + 1][j + 1]], best[i][j], key=len)
        yield from best[0][0]


def _event(event: IssueEvent) -> Event:
    users = None if event.users is None else frozenset(event.users)
    return Event(event.delivery, event.kind, event.at_ms, users, order=event.order)


def _order(event: IssueEvent, before: Event | None, following: Sequence[Event | None]) -> int:
    """Return the order that places a missing event between its neighbours in the same second.

    Parameters
    ----------
    before
        The previous event of the timeline.
    following
        For each later event of the timeline, the logged event that equals it; None if the log does not
        contain the event.
    """
    if before is not None and before.at_ms == event.at_ms and before.finer_time is not None:
        return before.finer_time + 1
    distance, after = next(
        ((distance, logged) for distance, logged in enumerate(following, start=1) if logged is not None),
        (0, None),
    )
    if after is not None and after.at_ms == event.at_ms and after.finer_time is not None:
        # Leave a number for each missing event in between.
        return after.finer_time - distance
    return guid_time_at(event.at_ms)
