"""The acts of the demo's people: what they did on GitHub and on the page, as plain facts.

Every act has the time at which the product got to know it (``known_ms``, milliseconds since the epoch).
"""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Literal, TypeAlias
from uuid import UUID

from demo_github.team import Issue, Person
from timer_core.domain.events import guid_time_at

# Kinds of events, see `timer_core.domain.events.EFFECTS` and `timer_core.github.messages.LOG`.
Kind: TypeAlias = Literal[
    "assigned",
    "reopened",
    "closed",
    "commented",
    "project.start",
    "project.pause",
    "project.stop",
    "comment.start",
    "comment.pause",
    "comment.resume",
    "comment.log",
]
Button: TypeAlias = Literal["start", "pause", "resume", "focus", "stop"]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event on GitHub.

    Attributes
    ----------
    person
        The person whose time it concerns.
    actor
        The id of the person who caused it.
    at_ms, known_ms
        When it happened, and when its delivery arrived.
    minutes
        The time to log, for ``comment.log``.
    """

    person: Person
    issue: Issue
    kind: Kind
    actor: int
    at_ms: int
    known_ms: int
    minutes: int = 0

    @property
    def delivery(self) -> str:
        """The id of the event: GitHub's GUID of its delivery, which contains the time, or its comment's."""
        facts = (self.person.id, self.issue.id, self.kind, self.at_ms)
        digest = sha256(repr(facts).encode()).digest()
        if self.kind.startswith("comment."):
            return f"comment-{int.from_bytes(digest[:6], 'big')}"
        time = guid_time_at(self.at_ms)
        node, sequence = int.from_bytes(digest[:6], "big"), digest[6:8]
        parts = (time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48, sequence[0], sequence[1], node)
        return str(UUID(fields=parts, version=1))


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of the page, for the person's timer on an issue."""

    person: Person
    issue: Issue
    button: Button
    known_ms: int


@dataclass(frozen=True, slots=True)
class Added:
    """Time that a person added by hand, on an issue or on none."""

    person: Person
    issue: Issue | None
    description: str
    since_ms: int
    until_ms: int
    known_ms: int


@dataclass(frozen=True, slots=True)
class EndCorrected:
    """An earlier end that a person gave to their latest timer on an issue."""

    person: Person
    issue: Issue
    end_ms: int
    known_ms: int


@dataclass(frozen=True, slots=True)
class PauseInserted:
    """A pause that a person inserted into their latest timer on an issue."""

    person: Person
    issue: Issue
    since_ms: int
    until_ms: int
    known_ms: int


@dataclass(frozen=True, slots=True)
class HoursChosen:
    """The person's working hours, from a date on."""

    person: Person
    valid_from: date
    known_ms: int


@dataclass(frozen=True, slots=True)
class DayOff:
    """A date without working hours."""

    person: Person
    date: date
    reason: str
    known_ms: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A person's confirmation of the timesheet of a date."""

    person: Person
    date: date
    known_ms: int


OnIssue: TypeAlias = Happened | Pressed | EndCorrected | PauseInserted
Act: TypeAlias = OnIssue | Added | HoursChosen | DayOff | Confirmed


def issue_of(act: Act) -> Issue | None:
    """Return the issue of an act; None if it has none."""
    return None if isinstance(act, HoursChosen | DayOff | Confirmed) else act.issue
