"""Timers and working time are the same if deliveries are reordered, repeated, delayed or lost.

People act on the fake GitHub, and its deliveries are shuffled, repeated, delayed or lost. Between them, the
organization's settings change, people change their working hours, exceptions and choices, and days are
stored. A simple model computes the expected timers from the actions in their true order and the settings at
their times. From these timers and the final calendar follows the expected timeline of each person, across
issues. After a sweep, the details of each issue with an open timer are those that it has at GitHub.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from operator import methodcaller
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from fake_github import FakeGitHub
from fake_github.model import Account, PullRequest, Repository
from fake_github.model import Issue as GitHubIssue
from fake_github.webhooks import Delivery
from tests.support.handlers import Clock
from tests.support.product import TOKEN, Product, Team, ago, new_team, product
from timer_core.clock import now_ms
from timer_core.domain.calendar import AssignmentStarts, Calendar, ConcurrentTimers, Policy
from timer_core.domain.issues import Issue
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import ALWAYS, DayException, Interval, ScheduleVersion, Week
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timeline import Slice, timeline
from timer_core.domain.timers import Period, Timer
from timer_core.store.calendars import Calendars, with_choice
from timer_core.store.issue_details import IssueDetailsStore
from timer_core.store.keys import SETTINGS_PK
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets

MAX_STEPS, MAX_WAIT_S = 8, 600
NOW_S = (MAX_STEPS + 1) * MAX_WAIT_S
# Histories lie far enough in the past for their days to be stored, and are recent enough for redeliveries.
AGO_MINUTES = 60 * 60
REPOSITORIES = ("app", "lib", "docs")
STATUSES = (None, "Todo", "In Progress", "Done")


# ---------------------------------------------------------------------- actions


class Step(NamedTuple):
    """An action by somebody that occurs some seconds after the previous one."""

    wait_s: int
    issue: int
    act: str
    choice: int
    actor: int = 0


# Changes of cards and repositories, and transfers, must be at least this many seconds from all other actions.
# The product uses times in whole seconds to find a card's assignees at a change, and an issue's repository at
# an event. Reconciliation reads the timeline from a few seconds earlier.
ISOLATED, ISOLATION_S = {"card", "archive", "replace", "transfer", "repository", "name"}, 10
ACTS = ["assignment"] * 4 + ["state"] * 2 + ["label", "label", "card", "card", "archive", "archive"]
ACTS += ["replace", "transfer", "repository", "repository", "name", "name", "comment", "comment", "branch"]
ACTS += ["details", "details", "details"]
# Of a pull request only; of an issue, these acts change nothing.
ACTS += ["request", "request", "submit", "submit", "draft"]
# The acts that differ between issues and pull requests.
OF_PULL = {"request", "submit", "draft", "state", "card", "archive", "replace", "transfer"}
DAY_MS, MINUTE_MS = 86_400_000, 60_000
INTERVALS = st.sets(st.integers(0, 48), max_size=8).map(
    lambda halves: tuple(
        Interval(since * 30, until * 30)
        for since, until in zip(sorted(halves)[::2], sorted(halves)[1::2], strict=False)
    )
)
WEEKS = st.builds(
    lambda zone, intervals: Week(zone, (intervals,) * 7),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
    INTERVALS,
)
# Changes of the working hours of one of two people: a week or an exception, and the days from the history's
# date on.
CHANGES_OF_HOURS = st.tuples(
    st.integers(0, 1), st.one_of(WEEKS, st.builds(DayException, INTERVALS)), st.integers(-1, 1)
)
# Changes of the organization's settings.
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "concurrent_timers": st.sampled_from(ConcurrentTimers),
        "assignment_starts": st.sampled_from(AssignmentStarts),
        "overtime_ms": st.sampled_from([0, 7 * MINUTE_MS, 240 * MINUTE_MS]),
        "stale_after_ms": st.sampled_from([9 * MINUTE_MS, 1440 * MINUTE_MS]),
        "working_hours": st.one_of(st.just(ALWAYS), WEEKS),
    },
)
# Changes of the assignments that start a timer for one of two people.
CHOICES = st.tuples(st.integers(0, 1), st.sampled_from([None, *AssignmentStarts]))
# The position of the pull request among the issues.
PULL = 3
# Both labels start timers.
LABELS = ["bug", "urgent"]
STEPS = st.builds(
    Step,
    wait_s=st.sampled_from([0, 0, 1, 3, 60, MAX_WAIT_S]),
    issue=st.sampled_from([0, 0, 0, 1, 1, 2, PULL, PULL, PULL]),
    act=st.sampled_from(ACTS),
    choice=st.integers(0, 2),
    actor=st.sampled_from([0, 0, 1, 1, 2, 3]),
)
# A registered user is assigned first, because without a timer most events have no effect.
HISTORIES = st.builds(
    lambda first, actor, others: [Step(0, 0, "assignment", first, actor), *others],
    st.integers(0, 1),
    st.integers(0, 3),
    st.lists(STEPS, min_size=1, max_size=MAX_STEPS - 1),
)


class Identity(NamedTuple):
    """The identity of an issue: the id of its repository, and its number."""

    repository: int
    number: int


@dataclass(frozen=True, eq=False)
class Event:
    """An event of an issue.

    Attributes
    ----------
    kind
        The kind of event; empty if the event changes no timer.
    users
        The ids of the users whose timers the event affects; None for all users with an open timer.
    actor
        The id of the account that caused the event.
    identity, new_identity
        The issue's identity before and after the event.
    """

    at: int
    issue: int
    kind: str
    users: frozenset[int] | None
    actor: int
    identity: Identity
    new_identity: Identity
    deliveries: tuple[Delivery, ...]

    @property
    def is_of_repository(self) -> bool:
        """Whether the event concerns all issues of the repository."""
        return self.kind.startswith("repository.")


class Board:
    """Three issues with cards and a pull request, on which people act."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.github = team.github
        repositories = [self.github.new_repository(f"{team.name}/{name}") for name in REPOSITORIES]
        for repository in repositories:
            issue = self.github.new_issue(repository)
            for label in LABELS:
                self.github.label(issue, label)
        self.repositories = repositories
        self.issues = [self.github.new_issue(repositories[0]) for _ in range(3)]
        self.people = (*team.people, self.github.new_user("stranger"))
        self.actors = (*self.people, self.github.new_user("robot[bot]", type="Bot"))
        self.project = self.github.new_project(team.name)
        self.cards = [self.github.add_card(self.project, issue) for issue in self.issues]
        self.pull = self.github.open_pull_request(repositories[0], "Mend it", self.issues[:1], draft=True)
        self.issues.append(self.pull)
        # Drop the events of the setup.
        team.pop_deliveries()

    def perform(self, steps: Iterable[Step]) -> list[Event]:
        events = []
        at, last_act = 0, ""
        for step in steps:
            is_alone = ISOLATED & {step.act, last_act}
            at += max(step.wait_s, ISOLATION_S) if is_alone else step.wait_s
            last_act = step.act
            self.team.at(at)
            issue = self.issues[step.issue]
            identity = identity_of(issue)
            kind, users = self._perform(step, issue)
            # New cards have no effect.
            deliveries = tuple(one for one in self.team.pop_deliveries() if one.action != "created")
            new_identity = identity_of(self.issues[step.issue])
            actor = self.actors[step.actor].id
            events.append(Event(at, step.issue, kind, users, actor, identity, new_identity, deliveries))
        return events

    def _perform(  # noqa: C901 - one case for each kind of act
        self, step: Step, issue: GitHubIssue
    ) -> tuple[str, frozenset[int] | None]:
        is_closed = issue.state == "closed"
        assignees = frozenset(person.id for person in issue.assignees)
        actor = self.actors[step.actor]
        if step.act == "name":
            self._rename(step, issue)
            return "named", None
        if step.act == "repository":
            return self._change_repository(step, issue.repository), None
        if issue.repository.archived or issue.repository.id not in self.github.repositories:
            # GitHub allows no changes.
            return "", None
        if issue is self.pull and step.act in OF_PULL:
            return self._change_pull(step, actor)
        match step.act:
            case "assignment":
                person = self.people[step.choice]
                if person in issue.assignees:
                    self.github.unassign(issue, person, by=actor)
                    return "unassigned", frozenset({person.id})
                self.github.assign(issue, person, by=actor)
                return "" if is_closed else "assigned", frozenset({person.id})
            case "state":
                if is_closed:
                    self.github.reopen(issue, by=actor)
                    return "reopened", assignees
                self.github.close(issue, by=actor)
                return "closed", None
            case "label":
                return self._change_label(step, issue), assignees
            case "comment":
                self.github.comment(issue, actor, "I am on it.")
                return ("", None) if actor.type == "Bot" else ("commented", frozenset({actor.id}))
            case "details":
                self._change_details(step, issue)
                return "", None
            case "branch":
                self.github.create_branch(issue.repository, f"fix/{issue.number}-it", by=actor)
                return ("", None) if actor.type == "Bot" else ("branch", frozenset({actor.id}))
            case "request" | "submit" | "draft":
                return "", None
            case "card" | "archive" | "replace":
                kind, is_about_assignees = self._change_card(step, issue)
                return kind, assignees if is_about_assignees else None
            case _:
                return self._transfer(step, issue)

    def _transfer(self, step: Step, issue: GitHubIssue) -> tuple[str, None]:
        targets = [one for one in self.repositories if one is not issue.repository]
        targets = [one for one in targets if one.id in self.github.repositories and not one.archived]
        if not targets:
            return "", None
        target = targets[step.choice % len(targets)]
        self.issues[step.issue] = self.github.transfer(issue, target)
        return "transferred", None

    def _change_pull(self, step: Step, actor: Account) -> tuple[str, frozenset[int] | None]:
        """Change the pull request, its draft or a review. It has no card, and is not transferred."""
        is_closed = self.pull.state == "closed"
        assignees = frozenset(one.id for one in self.pull.assignees)
        if step.act == "state":
            if is_closed:
                self.github.reopen_pull_request(self.pull, by=actor)
                return "reopened", assignees
            self.github.close_pull_request(self.pull, by=actor)
            return "closed", None
        if step.act in {"card", "archive", "replace", "transfer"} or (step.act == "draft" and is_closed):
            return "", None
        if step.act == "draft" and self.pull.draft:
            self.github.mark_ready(self.pull, by=actor)
            return "ready", assignees
        if step.act == "draft":
            self.github.mark_ready(self.pull, ready=False, by=actor)
            return ("", None) if actor.type == "Bot" else ("draft", frozenset({actor.id}))
        return self._change_review(step, actor)

    def _change_review(self, step: Step, actor: Account) -> tuple[str, frozenset[int] | None]:
        """Request a review of the pull request, remove the request, or submit a review."""
        person = self.people[step.choice]
        if step.act == "request" and person in self.pull.requested_reviewers:
            self.github.remove_review_request(self.pull, person, by=actor)
            return "review removed", frozenset({person.id})
        if step.act == "request":
            self.github.request_review(self.pull, person, by=actor)
            return "" if self.pull.state == "closed" else "review requested", frozenset({person.id})
        if actor.type == "Bot":
            return "", None
        self.github.submit_review(self.pull, actor, "commented")
        return "review submitted", frozenset({actor.id})

    def _change_label(self, step: Step, issue: GitHubIssue) -> str:
        label, actor = LABELS[step.choice % len(LABELS)], self.actors[step.actor]
        if label in [one.name for one in issue.labels]:
            self.github.unlabel(issue, label, by=actor)
            return "" if issue.labels else "unlabeled"
        self.github.label(issue, label, by=actor)
        return "" if issue.state == "closed" else "labeled"

    def _change_details(self, step: Step, issue: GitHubIssue) -> None:
        """Change the title, milestone, or parent and type of an issue, in one second."""
        if step.choice == 0:
            self.github.rename_issue(issue, f"{issue.title}!")
        elif step.choice == 1:
            for title in ("v1", None, "v2" if issue.milestone else "v1"):
                self.github.set_milestone(issue, title)
        elif issue is self.pull:
            self.github.edit_pull_request(self.pull, [] if self.pull.closes else [self.issues[0]])
        else:
            others = [one for one in self.issues if one not in (issue, self.pull) and one.parent is None]
            self.github.set_parent(issue, None if issue.parent or not others else others[0])
            self.github.set_type(issue, None if issue.issue_type else "Bug")

    def _rename(self, step: Step, issue: GitHubIssue) -> None:
        """Rename the repository or its owner, or let another repository take the repository's name."""
        repository = issue.repository
        if repository.id not in self.github.repositories:
            return
        if step.choice == 0:
            # A second change of the name returns to the first name.
            name = f"{repository.name}-2".removesuffix("-2-2")
            if self.github.repository(f"{repository.owner.login}/{name}") is None:
                self.github.rename_repository(repository, name)
        elif step.choice == 1:
            self.github.rename_owner(repository.owner, f"{repository.owner.login}-2")
        elif self.github.repository(f"{repository.full_name}-3") is None:
            former = repository.full_name
            self.github.rename_repository(repository, f"{repository.name}-3")
            successor = self.github.new_issue(self.github.new_repository(former))
            self.github.assign(successor, self.people[-1])
            self.repositories.append(successor.repository)

    def _change_repository(self, step: Step, repository: Repository) -> str:
        actor = self.actors[step.actor]
        if repository.id not in self.github.repositories:
            return ""
        if step.choice == 2:
            self.github.delete_repository(repository, by=actor)
            return "repository.deleted"
        self.github.archive_repository(repository, archived=not repository.archived, by=actor)
        return "repository.archived" if repository.archived else "repository.unarchived"

    def _change_card(self, step: Step, issue: GitHubIssue) -> tuple[str, bool]:
        """Change a card; return the kind of event, and whether it concerns the assignees only."""
        card, is_closed = self.cards[step.issue], issue.state == "closed"
        actor = self.actors[step.actor]
        if step.act == "replace":
            self.github.delete_card(card, by=actor)
            self.cards[step.issue] = self.github.add_card(self.project, issue)
            return "card.removed", False
        if step.act == "archive" and card.archived_at is None:
            self.github.archive_card(card, by=actor)
            return "card.removed", False
        if step.act == "archive":
            self.github.restore_card(card, by=actor)
            return "" if is_closed else "card.restored", True
        if card.archived_at is not None:
            # GitHub does not move archived cards.
            return "", False
        value = card.values.get("Status")
        others = [status for status in STATUSES if status != (value.option.name if value else None)]
        status = others[step.choice]
        self.github.move_card(card, status, by=actor)
        if status == "In Progress":
            return "" if is_closed else "card.started", True
        return "card.done" if status == "Done" else "card.put back", False


def identity_of(issue: GitHubIssue) -> Identity:
    return Identity(issue.repository.id, issue.number)


# ---------------------------------------------------------------------- the expected timers

# Maps from each kind of event that starts, resumes or pauses a timer to the kinds of event that it undoes;
# None for all.
STARTS = {
    "assigned": {"unassigned", "review requested"},
    "labeled": {"unlabeled", "review requested"},
    "card.started": {"card.put back", "card.removed"},
    "reopened": {"review requested"},
    "ready": {"review requested"},
}
RESUMES = {
    **STARTS,
    "card.restored": {"card.removed"},
    "repository.unarchived": {"repository.archived"},
}
ASSIGNMENTS = {"assigned", "reopened", "ready"}
RESTORES = {"card.restored", "repository.unarchived"}
PAUSES = {
    "unassigned": None,
    "unlabeled": None,
    "card.put back": None,
    "repository.archived": None,
    # An issue has one card at a time.
    "card.removed": {"card.started"},
}
STOPS = {"closed", "card.done", "repository.deleted", "review submitted", "review removed"}
# These stop no timer of an assignee.
OF_REVIEW = {"review submitted", "review removed"}
# The kinds of event that an issue's timeline contains.
IN_TIMELINE = {"assigned", "unassigned", "labeled", "unlabeled", "closed", "reopened"}
IN_TIMELINE |= {"review requested", "review removed", "review submitted", "ready", "draft"}
# Reconciliation reads the timeline from this long before the start of an open timer.
MARGIN_S = 5


@dataclass
class Span:
    """An expected timer and the intervals in which it ran; the last has no end while the timer runs."""

    user: int
    identity: Identity
    issue: int
    intervals: list[list[int]]
    # The kind of event that last changed the status.
    changed_by: str
    is_paused: bool = False
    # While the timer is paused, the kind of event that began its last stretch.
    stretch_by: str = ""
    end: int | None = None
    # The events that changed the timer, each with its action, and the own events that it keeps.
    history: list[tuple[Event, str]] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.intervals[0][0]

    @property
    def has_run(self) -> bool:
        return self.history[0][1] != "request" or len(self.intervals) > 1

    @property
    def is_of_assignee(self) -> bool:
        return any(event.kind in STARTS for event, _ in self.history)

    def summary(self) -> tuple[Identity, int, int | None, str, int]:
        active = sum(until - since for since, until in (*map(self._closed, self.intervals),))
        status = "stopped" if self.end is not None else "paused" if self.is_paused else "running"
        return self.identity, self.start, self.end, status, active

    def acts(self) -> list[tuple[int, str, bool]]:
        """Return the time and action of each entry of the history, and whether the person caused it."""
        return [(event.at, action, event.actor == self.user) for event, action in self.history]

    def signs(self, events: Iterable[Event], t0_s: int) -> list[int]:
        """Return the last sign of life of each UTC date while the timer was open."""
        kept = {event for event, _ in self.history}
        last: dict[int, int] = {}
        for event in sorted(events, key=lambda event: event.at):
            is_open = self.start <= event.at and (self.end is None or event.at < self.end)
            if is_open and event not in kept and is_sign_of(self.user, event):
                last[(t0_s + event.at) // 86_400] = event.at
        return [*last.values()]

    def _closed(self, interval: list[int]) -> tuple[int, int]:
        since, *until = interval
        return since, until[0] if until else NOW_S


def is_sign_of(user: int, event: Event) -> bool:
    """Whether the person caused the event, or it names them."""
    return user == event.actor or (event.users is not None and user in event.users)


# Whether an assignment starts or resumes a timer of a person, by the settings at its time.
MayStart = Callable[[int, Event], bool]


def spans(  # noqa: C901 - one loop is easiest to compare with the rules
    events: Iterable[Event], user: int, identity: Identity, may_start: MayStart
) -> list[Span]:
    """Return the expected timers of a person on an issue."""
    found: list[Span] = []
    for event in events:
        if event.users is not None and user not in event.users:
            continue
        current = found[-1] if found and found[-1].end is None else None
        starts = event.kind not in ASSIGNMENTS or may_start(user, event)
        if current is None:
            if event.kind in STARTS and starts:
                found.append(Span(user, identity, event.issue, [[event.at]], event.kind))
                found[-1].history.append((event, "start"))
            elif event.kind == "review requested":
                # It has a first interval without length, and is paused.
                found.append(Span(user, identity, event.issue, [[event.at, event.at]], event.kind, True))
                found[-1].history.append((event, "request"))
        elif event.kind in STOPS:
            if event.kind in OF_REVIEW and current.is_of_assignee:
                continue
            if not current.is_paused:
                current.intervals[-1].append(event.at)
            current.end = event.at
            current.history.append((event, "stop"))
            if not current.has_run:
                found.remove(current)
        elif starts and current.is_paused and current.changed_by in RESUMES.get(event.kind, ()):
            current.intervals.append([event.at])
            current.is_paused = False
            current.history.append((event, "resume"))
            current.changed_by = current.stretch_by if event.kind in RESTORES else event.kind
        elif event.kind in PAUSES and not current.is_paused:
            causes = PAUSES[event.kind]
            if causes is None or current.changed_by in causes:
                current.intervals[-1].append(event.at)
                current.is_paused, current.stretch_by = True, current.changed_by
                current.changed_by = event.kind
                current.history.append((event, "pause"))
        elif event.kind in {*RESUMES, "branch"} and not current.is_paused and event.actor == user:
            current.history.append((event, "start"))
    return found


class Move(NamedTuple):
    target: Identity
    at: int


@dataclass
class Delivered:
    """The part of a history that has reached the product: events with their issues, and transfers."""

    history: list[Event]
    people: list[int]
    may_start: MayStart = lambda _user, _event: True
    identities: dict[Event, Identity] = field(default_factory=dict)
    moves: dict[Identity, Move] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        if event.kind == "transferred":
            self.moves[event.identity] = Move(event.new_identity, event.at)
        else:
            # The product fetches a card's issue from GitHub's API, which returns the present identity.
            is_card = event.kind.startswith("card")
            identity = self.present_identity(event.issue) if is_card else event.identity
            if not is_card or self._is_found(event, identity):
                self.identities.setdefault(event, identity)

    def _is_found(self, event: Event, present: Identity) -> bool:
        """Whether GitHub's API returns the issue of a card: by the card, or by the id that the issue had."""
        is_card_deleted = any(delivery.action == "deleted" for delivery in event.deliveries)
        return present.repository not in self._deleted() and not (
            is_card_deleted and present != event.identity
        )

    def present_identity(self, issue: int) -> Identity:
        return [event.new_identity for event in self.history if event.issue == issue][-1]

    def timers(self) -> list[Span]:
        """Return the expected timers."""
        return [span for home, events in self.logs().items() for span in self._spans(home, events)]

    def signs(self, span: Span, t0_s: int) -> list[int]:
        """Return the expected signs of life of a timer."""
        return span.signs(self.logs()[span.identity], t0_s)

    def _spans(self, home: Identity, events: list[Event]) -> list[Span]:
        return [span for user in self.people for span in spans(events, user, home, self.may_start)]

    def logs(self) -> dict[Identity, list[Event]]:
        """Return the events of each issue that are logged, because they may concern tracked people."""
        by_home: dict[Identity, list[Event]] = defaultdict(list)
        everywhere = {identity for one in self.history for identity in (one.identity, one.new_identity)}
        for event in self.history:
            if event not in self.identities or event.kind in ("", "named"):
                continue
            if event.users is not None and event.users.isdisjoint(self.people):
                continue
            if event.is_of_repository:
                homes = {self._home(one) for one in everywhere if self._is_there(one, event)}
            else:
                homes = {self._home(self.identities[event])}
            for home in homes:
                by_home[home].append(event)
        return by_home

    def _home(self, identity: Identity) -> Identity:
        while identity in self.moves:
            identity = self.moves[identity].target
        return identity

    def _is_there(self, identity: Identity, event: Event) -> bool:
        """Whether an issue had an identity in the repository of an event at that time."""
        departure = self.moves.get(identity)
        arrivals = [move.at for move in self.moves.values() if move.target == identity]
        return (
            identity.repository == event.identity.repository
            and (departure is None or event.at <= departure.at)
            and all(at <= event.at for at in arrivals)
        )

    def _deleted(self) -> set[int]:
        """Return the ids of the deleted repositories, whose issues GitHub's API no longer returns."""
        return {one.identity.repository for one in self.history if one.kind == "repository.deleted"}

    def _last_transfer(self, issue: int) -> int:
        return [one.at for one in self.history if one.issue == issue and one.kind == "transferred"][-1]

    def reconcile(self) -> None:
        """For each issue with open timers, add the timeline's events since the earliest start."""
        open_timers = [span for span in self.timers() if span.end is None]
        for issue in {span.issue for span in open_timers}:
            present = self.present_identity(issue)
            if present.repository in self._deleted():
                continue
            of_issue = [span for span in open_timers if span.issue == issue]
            since = min(span.start for span in of_issue) - MARGIN_S
            for span in of_issue:
                if span.identity != present:
                    self.moves[span.identity] = Move(present, self._last_transfer(issue))
            for event in self.history:
                if event.issue != issue:
                    continue
                if event not in self.identities and event.kind in IN_TIMELINE and event.at >= since:
                    self.identities[event] = present


# ---------------------------------------------------------------------- the deliveries

OUTCOMES = st.sampled_from(["once", "once", "twice", "thrice", "failed"])
# The sweep finds issues by the names of their repositories.
ARRIVES = st.sampled_from(["once", "twice", "thrice"])
MAY_BE_LOST = {"issues", "pull_request", "pull_request_review"}
ONE_IN_THREE = st.sampled_from([False, False, True])
COPIES = {"once": 1, "twice": 2, "thrice": 3, "failed": 0, "lost": 0}
# The processing after a delivery has been sent.
AFTERWARDS = st.sampled_from(["queue", "queue", "process", "process", "store days", "change hours"])


@pytest.fixture(scope="module")
def clock() -> Clock:
    """The time of a history, by which the functions' cached settings of the organization expire."""
    return Clock(0)


@pytest.fixture(scope="module")
def running(shared_table: Table, github: FakeGitHub) -> Iterator[Product]:
    with product(shared_table, github.url, START_LABELS=",".join(LABELS)) as running:
        running.store_credential({"token": TOKEN})
        yield running


class Settings:
    """The organization's settings and people's calendars, in the table and as expected.

    Admins change the organization's settings, and people the assignments that start a timer for them, at
    moments of the history. The changes are written before what happened later is processed.
    """

    def __init__(self, team: Team, clock: Clock) -> None:
        self.team = team
        self.clock = clock
        clock.ms = team.t0
        self.policies = [Policy()]
        self.own = {person.id: OwnCalendar() for person in team.people}
        self.pending: list[tuple[int, dict[str, Any] | tuple[int, AssignmentStarts | None]]] = []
        table = team.product.table
        for item in table.query_all(SETTINGS_PK):
            table.write(Write("Delete", SETTINGS_PK, item["sk"]["S"]))
        # The functions start without cached settings, which expire by the clock of the history.
        for function in (team.product.processor, team.product.sweeper):
            function.issue_timers._derived._calendars = Calendars(table, now_s=lambda: clock() / 1000)

    def draw(self, history: list[Event], rule: ConcurrentTimers, data: st.DataObject) -> None:
        """Draw the changes of a history, just before, at or just after its events."""
        moments = st.builds(
            lambda event, offset: event.at + offset, st.sampled_from(history), st.sampled_from([-1, 0, 1])
        )
        drawn = data.draw(st.lists(st.tuples(moments, st.one_of(POLICIES, CHOICES)), max_size=4))
        self.pending = [(-10, {"concurrent_timers": rule}), *sorted(drawn, key=lambda change: change[0])]

    def advance(self, second: int) -> None:
        """Advance the clock, and make the changes up to this time."""
        self.clock.ms = max(self.clock.ms, self.team.t0 + second * 1000)
        while self.pending and self.pending[0][0] <= second:
            moment, change = self.pending.pop(0)
            note(f"{moment}s {change}")
            at_ms = self.team.t0 + moment * 1000
            if isinstance(change, dict):
                self._change_policy(change, at_ms)
            else:
                user, choice = change
                self._change_own(user, lambda own: with_choice(own, choice, now_ms=at_ms))  # noqa: B023

    def change_hours(self, data: st.DataObject) -> None:
        """Change the working hours of some people, as they may at any time."""
        today = datetime.fromtimestamp(self.team.t0 / 1000, UTC).date()
        for user, hours, days in data.draw(st.lists(CHANGES_OF_HOURS, min_size=1, max_size=2)):
            day = today + timedelta(days=days)
            note(f"from {day} on: {hours}")
            if isinstance(hours, Week):
                self._change_own(user, methodcaller("with_version", ScheduleVersion(day, hours)))
            else:
                self._change_own(user, methodcaller("with_exceptions", {day: hours}))

    def store_days(self) -> None:
        """Store people's days, unless the history is not over."""
        if not self.pending:
            for person in self.team.people:
                timesheets(self.team).refresh(person.id, now_ms=now_ms())

    def calendar(self, user: int) -> Calendar:
        """Return the expected calendar of a person."""
        return self.own[user].calendar(tuple(self.policies))

    def may_start(self, user: int, event: Event) -> bool:
        """Whether an assignment starts or resumes a timer of a person."""
        choice = self.calendar(user).assignment_starts_at(self.team.t0 + event.at * 1000)
        return choice is AssignmentStarts.ANY or (choice is AssignmentStarts.SELF and event.actor == user)

    def _change_policy(self, fields: dict[str, Any], at_ms: int) -> None:
        Calendars(self.team.product.table).put_policy(lambda policy: replace(policy, **fields), now_ms=at_ms)
        latest = self.policies[-1]
        changed = replace(latest, **fields)
        if changed != latest:
            self.policies.append(replace(changed, from_ms=max(at_ms, latest.from_ms + 1)))

    def _change_own(self, user: int, change: Callable[[OwnCalendar], OwnCalendar]) -> None:
        user_id = self.team.people[user].id
        Calendars(self.team.product.table).change(user_id, change, now_ms=now_ms())
        self.own[user_id] = change(self.own[user_id])


class ShuffledDeliveries:
    """The deliveries of a history, shuffled, with some repeated, failed or lost."""

    def __init__(self, history: list[Event], settings: Settings, data: st.DataObject) -> None:
        self.team = settings.team
        self.settings = settings
        self.data = data
        people = [person.id for person in self.team.people]
        self.delivered = Delivered(history, people, settings.may_start)
        self.failed: list[Event] = []
        self.lost: set[Event] = set()
        may_be_lost = data.draw(st.booleans())
        pending: list[tuple[int, Delivery]] = []
        for event in history:
            outcomes = []
            for delivery in event.deliveries:
                # The timeline does not contain moves of cards.
                is_lost = may_be_lost and delivery.event in MAY_BE_LOST and data.draw(ONE_IN_THREE)
                outcome = "lost" if is_lost else data.draw(ARRIVES if event.kind == "named" else OUTCOMES)
                pending += [(event.at, delivery)] * COPIES[outcome]
                if outcome == "failed":
                    self.team.github.fail(delivery)
                outcomes.append(outcome)
            note(f"{event.at}s {event.kind or 'nothing'} of {event.users} at {event.identity}: {outcomes}")
            if any(COPIES[outcome] for outcome in outcomes):
                self.delivered.add(event)
            elif "failed" in outcomes:
                self.failed.append(event)
            else:
                self.lost.add(event)
        # In order, the settings change between the deliveries from before and after.
        in_order = st.just([*range(len(pending))])
        positions = data.draw(st.one_of(in_order, st.permutations(range(len(pending)))))
        self.pending = [pending[position] for position in positions]

    def send(self) -> None:
        for at, delivery in self.pending:
            self.settings.advance(at)
            self.team.github.send(delivery)
            afterwards = self.data.draw(AFTERWARDS)
            if afterwards != "queue":
                self.process()
            if afterwards == "store days":
                self.settings.store_days()
            if afterwards == "change hours":
                self.settings.change_hours(self.data)
        self.settings.advance(NOW_S)
        self.process()

    def process(self) -> None:
        assert self.team.product.process() == []
        self.team.product.queue.end_deduplication()

    def sweep(self) -> None:
        """Run the sweeper and process its redeliveries."""
        summary = self.team.product.sweep()
        for repair in ("redelivery", "reconcile"):
            assert summary[repair]["error"] == ""
        assert summary["reconcile"]["failed"] == 0
        self.delivered.reconcile()
        self.process()
        for event in self.failed:
            self.delivered.add(event)
        self.failed = []

    def check(self) -> None:
        check(self.settings, self.delivered)


def check(settings: Settings, delivered: Delivered) -> None:
    """Compare timers and timelines with the expected ones, and names with the names at GitHub."""
    team = settings.team
    expected = defaultdict(list)
    histories = defaultdict(list)
    modelled = defaultdict(list)
    for span in delivered.timers():
        signs = delivered.signs(span, team.t0 // 1000)
        expected[span.user].append(span.summary())
        histories[span.user].append((span.acts(), signs))
        modelled[span.user].append(timer_of(span, signs, team.t0))
    for person in team.people:
        calendar = settings.calendar(person.id)
        assert timeline_of(team, person.id) == expected_timeline(team, modelled[person.id], calendar)
        assert Counter(timers(team, person.id)) == Counter(expected[person.id])
        assert sorted(acts_and_signs(team, person.id)) == sorted(histories[person.id])
        for timer in team.product.timers(person.id):
            assert timer.issue
            repository = team.github.repositories.get(timer.issue.repo_id)
            assert repository is None or timer.issue.full_name == repository.full_name


def check_details(team: Team) -> None:
    """After a sweep, compare the details of the issues with open timers with those at GitHub."""
    team.product.sweep(redeliver=False)
    store = IssueDetailsStore(team.product.table)
    for issue in {timer.issue for person in team.people for timer in team.product.timers(person.id)}:
        is_open = any(
            timer.issue == issue and timer.end_ms is None
            for person in team.people
            for timer in team.product.timers(person.id)
        )
        repository = team.github.repositories.get(issue.repo_id) if issue else None
        every = {**repository.issues, **repository.pulls} if repository else {}
        expected = every.get(issue.number) if issue else None
        if issue is None or expected is None or not is_open:
            continue
        found, parent = store.read([issue])[issue.key], expected.parent
        assert (found.title, found.state) == (expected.title, expected.state)
        assert found.labels == tuple(sorted(label.name for label in expected.labels))
        assert found.milestone == (expected.milestone.title if expected.milestone else "")
        assert found.type == (expected.issue_type.name if expected.issue_type else "")
        assert (found.parent and found.parent.key) == (parent and f"{parent.repository.id}#{parent.number}")
        closes = expected.closes if isinstance(expected, PullRequest) else []
        assert [one.key for one in found.closes] == [f"{one.repository.id}#{one.number}" for one in closes]
        values = [card.values.get("Status") for card in expected.cards]
        assert [one.status for one in found.projects] == [one.option.name if one else "" for one in values]


def timers(team: Team, user: int) -> list[tuple[Identity, int, int | None, str, int]]:
    return [
        (
            Identity(timer.issue.repo_id, timer.issue.number) if timer.issue else Identity(0, 0),
            (timer.start_ms - team.t0) // 1000,
            None if timer.end_ms is None else (timer.end_ms - team.t0) // 1000,
            timer.status.value,
            timer.active_ms(team.t0 + NOW_S * 1000) // 1000,
        )
        for timer in team.product.timers(user)
    ]


def acts_and_signs(team: Team, user: int) -> list[tuple[list[tuple[int, str, bool]], list[int]]]:
    def seconds(ms: int) -> int:
        return (ms - team.t0) // 1000

    return [
        (
            [(seconds(one.at_ms), one.action.value, one.by_owner) for one in timer.history],
            [seconds(ms) for ms in timer.signs],
        )
        for timer in (
            TimerStore(team.product.table).get(user, listed.ulid) for listed in team.product.timers(user)
        )
    ]


def timer_of(span: Span, signs: list[int], t0: int) -> Timer:
    """Return the expected timer with its history."""
    history = tuple(
        Transition(t0 + at * 1000, Action(action), "event", by_owner=is_own)
        for at, action, is_own in span.acts()
    )
    timer = Timer.start(
        user_id=span.user,
        ulid=str(span.summary()[:2]),
        at_ms=t0 + span.start * 1000,
        now_ms=t0,
        by="event",
        issue=Issue("owner", "repo", span.identity.number, repo_id=span.identity.repository),
    )
    end_ms = None if span.end is None else t0 + span.end * 1000
    status = Status.RUNNING if end_ms is None else Status.STOPPED
    kept = tuple(t0 + sign * 1000 for sign in signs)
    return replace(timer, history=history, status=status, end_ms=end_ms, signs=kept)


def expected_timeline(
    team: Team, timers: list[Timer], calendar: Calendar
) -> list[tuple[Identity, int, int, int]]:
    issues = {timer.ulid: timer.issue for timer in timers}
    return shown(timeline(timers, calendar, team.t0 + NOW_S * 1000).slices, issues, team.t0)


def timesheets(team: Team) -> Timesheets:
    table = team.product.table
    return Timesheets(table, TimerStore(table), Calendars(table))


def timeline_of(team: Team, user: int) -> list[tuple[Identity, int, int, int]]:
    period = Period(team.t0 - DAY_MS, team.t0 + NOW_S * 1000)
    worked = timesheets(team).worked(user, period, now_ms=now_ms())
    issues = {timer.ulid: timer.issue for timer in team.product.timers(user)}
    return shown(worked.slices, issues, team.t0)


def shown(
    slices: Iterable[Slice], issues: Mapping[str, Issue | None], t0: int
) -> list[tuple[Identity, int, int, int]]:
    """Return the issue of each slice, its beginning and end in milliseconds, and its working time."""
    found = []
    for piece in slices:
        issue = issues[piece.timer]
        assert issue
        identity = Identity(issue.repo_id, issue.number)
        found.append((identity, piece.since_ms - t0, piece.until_ms - t0, piece.working_ms))
    return sorted(found)


def in_group(name: str) -> pytest.MarkDecorator:
    """Let another worker run a test than the file's other tests."""
    return pytest.mark.xdist_group(f"histories {name}")


@pytest.mark.parametrize("rule", [pytest.param(one, marks=in_group(one)) for one in ConcurrentTimers])
def test_any_order_and_repetition_gives_the_same_timers(
    running: Product, github: FakeGitHub, clock: Clock, rule: ConcurrentTimers
) -> None:
    """Lost events are backfilled if their issue has an open timer that started before or just after them.

    A sweep reads an issue's timeline from shortly before the earliest start of the issue's open timers.
    Lost events before that time, and lost events of an issue without open timers, stay unknown. A lost
    transfer stays unknown if nobody has an open timer under the old name. The timeline contains no moves of
    cards, so this test loses no card moves.

    Each of the rules for concurrent timers holds at the beginning of at least 100 histories.
    """

    # Hypothesis does not shrink failing examples, because shrinking would take minutes.
    @settings(phases=[Phase.reuse, Phase.generate], max_examples=max(100, settings().max_examples))
    @given(HISTORIES, st.data())
    def run(steps: list[Step], data: st.DataObject) -> None:
        team = new_team(github, running, size=2, t0=ago(AGO_MINUTES))
        history = Board(team).perform(steps)
        changes = Settings(team, clock)
        changes.draw(history, rule, data)
        deliveries = ShuffledDeliveries(history, changes, data)
        deliveries.send()
        deliveries.check()
        if data.draw(st.booleans()):
            changes.store_days()
        if data.draw(st.booleans()):
            changes.change_hours(data)
        team.at(NOW_S)
        deliveries.sweep()
        if deliveries.lost:
            # Events backfilled by one sweep may start earlier timers, so the next sweep reads further back.
            deliveries.sweep()
        deliveries.check()
        check_details(team)

    run()


# Each history has a few steps, a minute apart: an act, a choice, and an issue if it is not the first one. The
# second issue is in the same repository at the beginning.
SHORT_HISTORIES: dict[str, list[tuple[str, int] | tuple[str, int, int]]] = {
    "archived": [("assignment", 0), ("repository", 0), ("repository", 0), ("state", 0)],
    "renamed": [("assignment", 0), ("name", 0), ("name", 0), ("label", 0)],
    "owner renamed": [("assignment", 0), ("name", 1), ("state", 0), ("state", 0)],
    "owner and repository renamed": [("assignment", 0), ("name", 1), ("name", 0), ("label", 0)],
    "a review": [("request", 0, PULL), ("request", 0, PULL), ("request", 0, PULL), ("submit", 0, PULL)],
    "a review by an assignee": [("request", 0, PULL), ("assignment", 0, PULL), ("submit", 0, PULL)],
    "a draft": [("assignment", 0, PULL), ("draft", 0, PULL), ("state", 0, PULL), ("state", 0, PULL)],
    "a branch": [("assignment", 0), ("branch", 0), ("assignment", 0), ("branch", 0)],
    "name taken over": [("assignment", 0), ("name", 2), ("name", 1), ("state", 0)],
    "transferred, then deleted": [("assignment", 0), ("transfer", 0), ("state", 0), ("repository", 2)],
    "transferred twice": [("assignment", 0), ("transfer", 0), ("transfer", 1), ("label", 0)],
    "card removed, then transferred": [("assignment", 0), ("replace", 0), ("transfer", 0)],
    "archived, then transferred": [("assignment", 0), ("repository", 0), ("repository", 0), ("transfer", 0)],
    "transferred from what is archived then": [("assignment", 0), ("transfer", 0), ("repository", 0, 1)],
}


@pytest.mark.parametrize("history", SHORT_HISTORIES.values(), ids=SHORT_HISTORIES.keys())
def test_every_order_of_a_short_history_gives_the_same_timers(
    running: Product, github: FakeGitHub, clock: Clock, history: list[tuple[str, int] | tuple[str, int, int]]
) -> None:
    for order in permutations(range(len(history))):
        team = new_team(github, running, size=2, t0=ago(NOW_S / 60))
        settings = Settings(team, clock)
        board = Board(team)
        events = board.perform(
            Step(60, issue[0] if issue else 0, act, choice) for act, choice, *issue in history
        )
        delivered = Delivered(events, [person.id for person in team.people])
        for position in order:
            for delivery in events[position].deliveries:
                github.send(delivery)
            assert running.process() == []
            delivered.add(events[position])
        check(settings, delivered)


def test_a_late_event_splits_a_merged_timer_again(running: Product, github: FakeGitHub) -> None:
    team = new_team(github, running, size=2, t0=ago(NOW_S / 60))
    acts = ["assignment", "state", "transfer", "state"]
    history = Board(team).perform(Step(60, 0, act, 0) for act in acts)
    assigned, closed, transferred, reopened = (event.deliveries for event in history)
    for deliveries in (reopened, assigned, transferred, closed):
        for delivery in deliveries:
            github.send(delivery)
        assert running.process() == []
    home = history[-1].identity
    assert timers(team, team.people[0].id) == [
        (home, 60, 120, "stopped", 60),
        (home, 240, None, "running", NOW_S - 240),
    ]


def test_a_redelivery_of_a_backfilled_event_changes_nothing(running: Product, github: FakeGitHub) -> None:
    team = new_team(github, running, size=2, t0=ago(NOW_S / 60))
    steps = [Step(0, 0, "assignment", 0), Step(1, 0, "assignment", 1), Step(0, 0, "assignment", 1)]
    first, assigned, _unassigned = Board(team).perform(steps)
    github.send(first.deliveries[0])
    github.fail(assigned.deliveries[0])
    assert running.process() == []
    team.at(NOW_S)
    running.sweep()
    assert running.process() == []
    assert timers(team, team.people[1].id) == [(assigned.identity, 1, None, "paused", 0)]


def test_a_lost_event_is_not_mistaken_for_a_similar_one_seconds_later(
    running: Product, github: FakeGitHub
) -> None:
    team = new_team(github, running, size=2, t0=ago(NOW_S / 60))
    history = Board(team).perform(Step(2, 0, "assignment", 0) for _ in range(4))
    assigned, _unassigned, _assigned_again, unassigned_again = history
    for event in (assigned, unassigned_again):
        github.send(event.deliveries[0])
    assert running.process() == []
    team.at(NOW_S)
    running.sweep()
    assert timers(team, team.people[0].id) == [(assigned.identity, 2, None, "paused", 4)]
