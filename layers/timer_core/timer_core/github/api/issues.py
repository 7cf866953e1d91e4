"""Issues as GitHub knows them: their states and timelines, many in one question, and where they went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from timer_core.clock import iso, ms_of
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.timeline import IssueState, TimelineEvent

# What a question about issues costs is counted in nodes: with 100 entries, 100 labels and 20 assignees each,
# these are 11,000 of the 500,000 that one query may ask for ("Rate limits and query limits for the GraphQL
# API").
ISSUES_PER_QUESTION = 50
_PAGE = 100
# An issue takes 10 assignees.
_ASSIGNEES = 20

_KINDS = {
    "AssignedEvent": "assigned",
    "UnassignedEvent": "unassigned",
    "ClosedEvent": "closed",
    "ReopenedEvent": "reopened",
    "LabeledEvent": "labeled",
    "UnlabeledEvent": "unlabeled",
    "TransferredEvent": "transferred",
}
ITEM_TYPES = "ASSIGNED_EVENT UNASSIGNED_EVENT CLOSED_EVENT REOPENED_EVENT LABELED_EVENT UNLABELED_EVENT"


def issue_fields(since: str, after: str, item_types: str) -> str:
    """Return the fields of an issue that `state_of` reads; times and cursors are names of variables."""
    return f"""
        number title state repository {{ nameWithOwner }}
        assignees(first: {_ASSIGNEES}) {{ nodes {{ databaseId }} }}
        labels(first: {_PAGE}) {{ nodes {{ name }} }}
        timelineItems(first: {_PAGE}, since: {since}, after: {after}, itemTypes: [{item_types}]) {{
            pageInfo {{ hasNextPage endCursor }}
            nodes {{
                __typename
                ... on AssignedEvent {{ id createdAt assignee {{ ... on User {{ databaseId }} }} }}
                ... on UnassignedEvent {{ id createdAt assignee {{ ... on User {{ databaseId }} }} }}
                ... on ClosedEvent {{ id createdAt }}
                ... on ReopenedEvent {{ id createdAt }}
                ... on LabeledEvent {{ id createdAt label {{ name }} }}
                ... on UnlabeledEvent {{ id createdAt label {{ name }} }}
                ... on TransferredEvent {{ id createdAt }}
            }}
        }}
    """


class Ask(NamedTuple):
    """An issue to ask about, and since when."""

    issue: Issue
    since_ms: int


def ask_issues(github: GitHub, owner: str, asks: Sequence[Ask]) -> list[IssueState | None]:
    """Ask for the state and timelines of issues of one owner, many in one request.

    Returns
    -------
    list[IssueState or None]
        For each, in the same order; None if there is no such issue within our reach. The issue's name
        is the present one: its repository may have been renamed.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    found: list[IssueState | None] = []
    for first in range(0, len(asks), ISSUES_PER_QUESTION):
        found += _ask_page(github, owner, asks[first : first + ISSUES_PER_QUESTION])
    return found


def _ask_page(github: GitHub, owner: str, asks: Sequence[Ask]) -> list[IssueState | None]:
    states: list[IssueState | None] = [None] * len(asks)
    cursors: dict[int, str | None] = dict.fromkeys(range(len(asks)))
    while cursors:
        query, variables = _issues_query(
            {position: (asks[position], after) for position, after in cursors.items()}
        )
        data = github.graphql(query, variables, owner=owner).data
        following: dict[int, str | None] = {}
        for position in cursors:
            answer = (data.get(f"i{position}") or {}).get("issue")
            if not answer:
                continue
            page, before = state_of(answer), states[position]
            timeline = (*before.timeline, *page.timeline) if before else page.timeline
            states[position] = replace(page, timeline=timeline)
            info = answer["timelineItems"]["pageInfo"]
            if info["hasNextPage"]:
                following[position] = info["endCursor"]
        cursors = following
    return states


def _issues_query(pages: Mapping[int, tuple[Ask, str | None]]) -> tuple[str, dict[str, Any]]:
    declared, asked = [], []
    variables: dict[str, Any] = {}
    for i, (ask, after) in pages.items():
        declared.append(f"$o{i}: String!, $n{i}: String!, $x{i}: Int!, $s{i}: DateTime!, $a{i}: String")
        fields = issue_fields(f"$s{i}", f"$a{i}", f"{ITEM_TYPES} TRANSFERRED_EVENT")
        asked.append(f"i{i}: repository(owner: $o{i}, name: $n{i}) {{ issue(number: $x{i}) {{{fields}}} }}")
        variables |= {
            f"o{i}": ask.issue.owner,
            f"n{i}": ask.issue.repo,
            f"x{i}": ask.issue.number,
            f"s{i}": iso(ask.since_ms),
            f"a{i}": after,
        }
    return f"query({', '.join(declared)}) {{ {' '.join(asked)} }}", variables


def state_of(answer: Mapping[str, Any]) -> IssueState:
    """Return the state that the answer to `issue_fields` holds."""
    assignees = (user["databaseId"] for user in answer["assignees"]["nodes"])
    entries = (node for node in answer["timelineItems"]["nodes"] if node)
    return IssueState(
        issue=replace(
            Issue.of(answer["repository"]["nameWithOwner"], answer["number"]), title=answer["title"]
        ),
        is_closed=answer["state"] == "CLOSED",
        assignees=frozenset(user_id for user_id in assignees if user_id),
        labels=frozenset(label["name"].lower() for label in answer["labels"]["nodes"]),
        timeline=tuple(map(_entry, entries)),
    )


def _entry(node: Mapping[str, Any]) -> TimelineEvent:
    return TimelineEvent(
        node_id=node["id"],
        kind=_KINDS[node["__typename"]],
        at_ms=ms_of(node["createdAt"]),
        # Bots and organizations have no databaseId here.
        user=(node.get("assignee") or {}).get("databaseId"),
        label=(node.get("label") or {}).get("name", ""),
    )


@dataclass(frozen=True, slots=True)
class IssueLocation:
    """What became of an issue that is not where it was.

    Attributes
    ----------
    issue
        Its present name; None if it was deleted.
    """

    issue: Issue | None


def ask_locations(github: GitHub, issue: Issue) -> IssueLocation | None:
    """Ask what became of an issue; None if GitHub does not tell, because it is out of our reach.

    As in GitHub's REST API, "Get an issue": 301 if it was transferred, 410 if it was deleted.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    path = f"/repos/{issue.full_name}/issues/{issue.number}"
    answer = github.rest("GET", path, owner=issue.owner, accept=frozenset({404, 410}))
    if answer.status == 410:
        return IssueLocation(None)
    return None if answer.status == 404 else _location(answer.data)


def _location(data: Mapping[str, Any]) -> IssueLocation | None:
    _, _, full_name = str(data["repository_url"]).rpartition("/repos/")
    try:
        return IssueLocation(Issue.of(full_name, data["number"]))
    except InvalidInput:
        return None
