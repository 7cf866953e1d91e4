"""The details of issues in GitHub's GraphQL API.

The same queries fetch what decides about timers. Some credentials may not read projects, and some servers do
not know issue types and fields. GitHub then refuses the whole query, or returns no issue. So these parts are
optional: a part that is refused is left out, and the query is repeated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from timer_core.clock import ms_of
from timer_core.domain.events import guid_time_at
from timer_core.domain.issue_details import (
    CLOSES,
    FIELD_ESTIMATE,
    IS_PULL_REQUEST,
    LABELS,
    MILESTONE,
    PARENT,
    PROJECT,
    PROJECTS,
    STATE,
    TITLE,
    TYPE,
    card_content,
    estimate_of_hours,
    issue_content,
)
from timer_core.domain.issues import Issue
from timer_core.github.api.graphql import GraphQLError
from timer_core.github.messages import Seen

_Part: TypeAlias = Literal["projects", "fields"]

# What `seen_of_card` reads. The query declares the variables.
CARD_FIELDS: Final = """
    updatedAt project { id title }
    status: fieldValueByName(name: $statusField) {
        ... on ProjectV2ItemFieldSingleSelectValue { name updatedAt }
    }
    estimate: fieldValueByName(name: $estimateField) {
        ... on ProjectV2ItemFieldNumberValue { number }
    }
"""
# What `named_issue` reads.
NAMED_ISSUE: Final = "number repository { databaseId nameWithOwner }"
_ALWAYS = "updatedAt milestone { title }"
_PARENT = f"parent {{ {NAMED_ISSUE} }}"
_MOST_PROJECTS = 20
_MOST_FIELDS = 30
_PARTS: dict[_Part, str] = {
    "projects": f"""
        projectItems(first: {_MOST_PROJECTS}) {{ pageInfo {{ hasNextPage }} nodes {{ {CARD_FIELDS} }} }}
    """,
    # In public preview, with the organization's issue fields.
    "fields": f"""
        issueType {{ name }}
        issueFieldValues(first: {_MOST_FIELDS}) {{
            nodes {{
                ... on IssueFieldNumberValue {{ value field {{ ... on IssueFieldNumber {{ name }} }} }}
            }}
        }}
    """,
}
# The names in GitHub's message about a part that a server does not know.
_NAMES: dict[_Part, tuple[str, ...]] = {
    "projects": ("projectItems", "ProjectV2"),
    "fields": ("issueType", "issueFieldValues", "IssueField"),
}


@dataclass(frozen=True, slots=True)
class DetailFields:
    """The details to request of issues.

    Attributes
    ----------
    status_field, estimate_field
        The names of the project's field with the status, and of the field with the estimate.
    refused
        The parts that GitHub refuses, by the owner of the repositories.
    """

    status_field: str
    estimate_field: str
    refused: dict[str, set[_Part]] = field(default_factory=dict)

    def variables(self, owner: str) -> dict[str, tuple[str, str]]:
        """Return the variables of `selection`, each with its type and value. GitHub refuses unused ones."""
        if "projects" in self.refused.get(owner, set()):
            return {}
        return {
            "statusField": ("String!", self.status_field),
            "estimateField": ("String!", self.estimate_field),
        }

    def selection(self, owner: str, *, of_pull: bool = False) -> str:
        """Return the further fields of an issue, or of a pull request, that `seen_of_issue` reads."""
        refused = self.refused.get(owner, set())
        parts = {part: text for part, text in _PARTS.items() if part not in refused}
        if of_pull:
            # A pull request has no parent, no type and no fields of its own.
            parts.pop("fields", None)
            return " ".join([_ALWAYS, *parts.values()])
        return " ".join([_ALWAYS, _PARENT, *parts.values()])

    def refuse(self, owner: str, message: str) -> bool:
        """Leave out what GitHub's message refuses; return whether there was something to leave out."""
        return self._leave_out(owner, {part for part, names in _NAMES.items() if _mentions(message, names)})

    def refuse_by(self, owner: str, errors: Iterable[GraphQLError]) -> bool:
        """Leave out what errors refuse; return whether there was something to leave out.

        An error in a part that must not be null makes GitHub return no issue at all.
        """
        found: set[_Part] = set()
        for error in errors:
            if error.type == "INSUFFICIENT_SCOPES" or error.path[-1:] == ("projectItems",):
                found.add("projects")
            elif error.path[-1:] == ("issueFieldValues",):
                found.add("fields")
        return self._leave_out(owner, found)

    def _leave_out(self, owner: str, parts: set[_Part]) -> bool:
        refused = self.refused.setdefault(owner, set())
        new = parts - refused
        refused |= new
        return bool(new)


def _mentions(message: str, names: Iterable[str]) -> bool:
    return any(name in message for name in names)


def seen_of_issue(fields: Mapping[str, Any], details: DetailFields, fetched_ms: int) -> Seen:
    """Return the details in the fields of an issue or a pull request, see `DetailFields.selection`.

    Parameters
    ----------
    fetched_ms
        The time before the request (milliseconds since the epoch).
    """
    found: dict[str, Any] = {
        TITLE: fields["title"],
        STATE: "closed" if fields["closed"] else "open",
        LABELS: sorted(label["name"] for label in nodes(fields["labels"])),
        MILESTONE: (fields["milestone"] or {}).get("title") or "",
    }
    if "closingIssuesReferences" in fields:
        found[IS_PULL_REQUEST] = True
        found[CLOSES] = [issue_content(named_issue(one)) for one in nodes(fields["closingIssuesReferences"])]
    else:
        found[PARENT] = _parent(fields["parent"])
    if "issueType" in fields:
        found[TYPE] = (fields["issueType"] or {}).get("name") or ""
        found[FIELD_ESTIMATE] = _estimate_ms(fields["issueFieldValues"], details.estimate_field)
    order, version = guid_time_at(fetched_ms), ms_of(fields["updatedAt"])
    seen: Seen = {name: [version, order, content] for name, content in found.items()}
    items = fields.get("projectItems")
    if items is not None:
        cards = nodes(items)
        for card in cards:
            seen |= seen_of_card(card, fetched_ms)
        if not items["pageInfo"]["hasNextPage"] and len(cards) == len(items["nodes"] or ()):
            # A project that is not among them has no card of the issue.
            seen[PROJECTS] = [fetched_ms, order, sorted(card["project"]["id"] for card in cards)]
    return seen


def seen_of_card(card: Mapping[str, Any], fetched_ms: int) -> Seen:
    """Return what a card shows of its issue, given its `CARD_FIELDS`."""
    content = card_content(
        card["project"]["title"],
        (card["status"] or {}).get("name") or "",
        estimate_of_hours((card["estimate"] or {}).get("number")),
    )
    name = f"{PROJECT}{card['project']['id']}"
    return {name: [ms_of(card["updatedAt"]), guid_time_at(fetched_ms), content]}


def _parent(parent: Mapping[str, Any] | None) -> list[int | str] | None:
    # The schema lets the id be null, though every repository has one.
    if parent is None or parent["repository"]["databaseId"] is None:
        return None
    return issue_content(named_issue(parent))


def _estimate_ms(values: Mapping[str, Any] | None, estimate_field: str) -> int | None:
    numbers = (
        value["value"] for value in nodes(values) if (value.get("field") or {}).get("name") == estimate_field
    )
    return estimate_of_hours(next(numbers, None))


def named_issue(fields: Mapping[str, Any]) -> Issue:
    """Return an issue, given its `NAMED_ISSUE`."""
    repository = fields["repository"]
    # The schema lets the id be null, though every repository has one.
    return Issue.of(repository["nameWithOwner"], fields["number"], repo_id=repository["databaseId"] or 0)


def nodes(connection: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the nodes of a connection; GitHub's schema lets the connection and each node be null."""
    return [node for node in (connection or {}).get("nodes") or () if node]
