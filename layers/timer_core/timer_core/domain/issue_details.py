"""The details of an issue: its title, labels, milestone, type, parent, projects and estimate.

GitHub tells them in pieces, in any order and more than once, and loses some. So each detail is a register:
its content, with the time at which GitHub had it. Of two observations of a register, the later one counts.
Merging is commutative, associative and idempotent, so the order and the repetition of observations do not
matter.

The time of an observation is a pair. The first part is ``updated_at`` of the issue (or of the project's
card): the version of what GitHub showed, in milliseconds. It has whole seconds, so two changes in one second
are a tie. The second part decides it: the time in the delivery's GUID, or the time at which GitHub's API was
read, in the unit of `timer_core.domain.events.guid_time`. Deliveries of the Action have no such GUID. If both
parts are the same, the greater content counts, which is arbitrary, but the same everywhere. The daily repair,
which reads later than any delivery of that second, corrects it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple, TypeAlias

from timer_core.domain.issues import Issue

# The names of registers. A project's register has the project's node id after the prefix.
TITLE = "title"
STATE = "state"
LABELS = "labels"
MILESTONE = "milestone"
TYPE = "type"
PARENT = "parent"
IS_PULL_REQUEST = "is_pull_request"
CLOSES = "closes"
# The estimate in the issue's own number field, and the one that a command gave.
FIELD_ESTIMATE = "estimate"
COMMAND_ESTIMATE = "command"
PROJECT = "project:"
# The node ids of all projects that the issue is in, which only the repair knows.
PROJECTS = "projects"

DELETED = "deleted"
# Estimates have at most this many hours, about five years of work.
MAX_ESTIMATE_MS = 10_000 * 3_600_000


class Register(NamedTuple):
    """The content of a register, and when GitHub had it.

    Attributes
    ----------
    at_ms, order
        The time of the observation, see the module.
    content
        A value that JSON can represent.
    """

    at_ms: int
    order: int
    content: Any

    @property
    def sort_key(self) -> tuple[int, int, str]:
        """The key by which the later of two observations is found."""
        return self.at_ms, self.order, json.dumps(self.content, sort_keys=True)


# The registers of an issue by their names.
Registers: TypeAlias = Mapping[str, Register]


class ProjectStatus(NamedTuple):
    """A project that an issue is in, and the status of its card there; empty if it has none."""

    title: str
    status: str


@dataclass(frozen=True, slots=True)
class IssueDetails:
    """What is known about an issue on GitHub.

    Attributes
    ----------
    issue
        The issue, with its title.
    state
        ``open``, ``closed`` or `DELETED`; empty if unknown.
    labels
        The names of its labels, sorted.
    milestone, type
        The milestone's title and the type's name; empty if there is none, or if it is unknown.
    projects
        The projects that the issue is in, sorted by title.
    estimate_ms
        The estimated time (milliseconds); None if there is no estimate.
    closes
        The issues that a pull request closes.
    """

    issue: Issue
    title: str = ""
    state: str = ""
    labels: tuple[str, ...] = ()
    milestone: str = ""
    type: str = ""
    parent: Issue | None = None
    projects: tuple[ProjectStatus, ...] = ()
    estimate_ms: int | None = None
    is_pull_request: bool = False
    closes: tuple[Issue, ...] = ()

    @property
    def counts_for(self) -> Issue | None:
        """The issue for which the time of a pull request counts: the only one that it closes.

        If it closes several, nobody knows how its time divides among them, so it counts for none.
        """
        return self.closes[0] if len(self.closes) == 1 else None


def merged(*observed: Registers) -> dict[str, Register]:
    """Return the registers after some observations, in any order."""
    return reduce(_merged, observed, {})


def _merged(one: Registers, other: Registers) -> dict[str, Register]:
    later = {
        name: max(one[name], other[name], key=lambda register: register.sort_key)
        for name in one.keys() & other.keys()
    }
    return {**one, **other, **later}


def details_of(issue: Issue, registers: Registers) -> IssueDetails:
    """Return the details of an issue from its registers."""
    content = {name: register.content for name, register in registers.items()}
    title = content.get(TITLE) or issue.title
    parent = content.get(PARENT)
    cards = _cards(registers)
    is_pull_request = bool(content.get(IS_PULL_REQUEST))
    return IssueDetails(
        issue=replace(issue, title=title, is_pull=issue.is_pull or is_pull_request),
        title=title,
        state=content.get(STATE) or "",
        labels=tuple(sorted(content.get(LABELS) or ())),
        milestone=content.get(MILESTONE) or "",
        type=content.get(TYPE) or "",
        parent=None if parent is None else to_issue(parent),
        projects=tuple(sorted(ProjectStatus(card["title"], card["status"]) for card in cards)),
        estimate_ms=_estimate_ms(content, cards),
        is_pull_request=is_pull_request,
        closes=tuple(to_issue(one) for one in content.get(CLOSES) or ()),
    )


def _cards(registers: Registers) -> list[Mapping[str, Any]]:
    """Return the contents of the registers of the projects that the issue is in."""
    every = registers.get(PROJECTS)
    return [
        register.content
        for name, register in registers.items()
        if name.startswith(PROJECT)
        and register.content is not None
        and (
            every is None
            or name.removeprefix(PROJECT) in every.content
            or register.sort_key[:2] > every.sort_key[:2]
        )
    ]


def _estimate_ms(content: Mapping[str, Any], cards: Iterable[Mapping[str, Any]]) -> int | None:
    """Return the estimate: that of the command, of the issue's field, or of the first project that has one.

    The observation of a field has the time of the issue's last change, not of the estimate's. So it is
    unknown whether a command or a field is newer, and the command counts until it is taken back.
    """
    of_projects = (card["estimate"] for card in sorted(cards, key=_by_title))
    estimates = (content.get(COMMAND_ESTIMATE), content.get(FIELD_ESTIMATE), *of_projects)
    return next((estimate for estimate in estimates if estimate is not None), None)


def _by_title(card: Mapping[str, Any]) -> tuple[str, int]:
    # Two projects may have the same title.
    return card["title"], card["estimate"] or 0


def card_content(title: str, status: str, estimate_ms: int | None) -> dict[str, Any]:
    """Return the content of a project's register."""
    return {"title": title, "status": status, "estimate": estimate_ms}


def issue_content(issue: Issue) -> list[int | str]:
    """Return an issue as the content of a register."""
    return [issue.repo_id, issue.full_name, issue.number]


def to_issue(content: Any) -> Issue:
    """Return an issue, given its content in a register."""
    repo_id, full_name, number = content
    return Issue.of(full_name, number, repo_id=repo_id)


def estimate_of_hours(hours: float | None) -> int | None:
    """Return the estimate in a number field (milliseconds); None if the number is no estimate.

    Parameters
    ----------
    hours
        The number in the field; None if it is empty.
    """
    if hours is None or not 0 < hours <= MAX_ESTIMATE_MS / 3_600_000:
        return None
    return round(hours * 3_600_000)
