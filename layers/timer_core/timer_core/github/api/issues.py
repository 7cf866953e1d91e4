"""Fetch the states and timelines of many issues with one query, or the location of a moved issue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from timer_core.clock import iso, ms_of
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.issue_details import NAMED_ISSUE, DetailFields, named_issue, nodes, seen_of_issue
from timer_core.github.api.timeline import IssueState, TimelineEvent

# A query may request 500,000 nodes ("Rate limits and query limits for the GraphQL API"). A query for this
# many issues, each with 100 timeline events, 100 labels, 20 assignees, 20 projects and 30 fields, requests
# 30,500 nodes, because each may also be a pull request, which closes issues.
ISSUES_PER_QUERY = 50
_PAGE_SIZE = 100
# An issue has at most 10 assignees.
_ASSIGNEES = 20

_KINDS = {
    "AssignedEvent": "assigned",
    "UnassignedEvent": "unassigned",
    "ClosedEvent": "closed",
    "ReopenedEvent": "reopened",
    "LabeledEvent": "labeled",
    "UnlabeledEvent": "unlabeled",
    "TransferredEvent": "transferred",
    "ReviewRequestedEvent": "review_requested",
    "ReviewRequestRemovedEvent": "review_request_removed",
    "PullRequestReview": "review_submitted",
    "ReadyForReviewEvent": "ready_for_review",
    "ConvertToDraftEvent": "converted_to_draft",
}
# Only people have this id, and bots have none.
_USER = "{ ... on User { databaseId } }"
_ACTOR = f"actor {_USER}"
ITEM_TYPES = "ASSIGNED_EVENT UNASSIGNED_EVENT CLOSED_EVENT REOPENED_EVENT LABELED_EVENT UNLABELED_EVENT"
_PULL_ITEM_TYPES = (
    "REVIEW_REQUESTED_EVENT REVIEW_REQUEST_REMOVED_EVENT PULL_REQUEST_REVIEW READY_FOR_REVIEW_EVENT"
    " CONVERT_TO_DRAFT_EVENT"
)


def issue_fields(
    since: str, after: str, item_types: str, details: str = "", *, further_items: str = ""
) -> str:
    """Return the fields of an issue that `state_of` reads.

    Parameters
    ----------
    since, after
        GraphQL expressions for the start of the timeline and the cursor of its page.
    item_types
        The types of timeline items, separated by spaces.
    details
        Further fields (`DetailFields.selection`).
    further_items
        The fields of the items that only pull requests have.
    """
    return f"""
        {details} number title closed repository {{ databaseId nameWithOwner }}
        assignees(first: {_ASSIGNEES}) {{ nodes {{ databaseId }} }}
        labels(first: {_PAGE_SIZE}) {{ nodes {{ name }} }}
        timelineItems(first: {_PAGE_SIZE}, since: {since}, after: {after}, itemTypes: [{item_types}]) {{
            pageInfo {{ hasNextPage endCursor }}
            nodes {{
                __typename
                ... on AssignedEvent {{ id createdAt {_ACTOR} assignee {_USER} }}
                ... on UnassignedEvent {{ id createdAt {_ACTOR} assignee {_USER} }}
                ... on ClosedEvent {{ id createdAt {_ACTOR} }}
                ... on ReopenedEvent {{ id createdAt {_ACTOR} }}
                ... on LabeledEvent {{ id createdAt {_ACTOR} label {{ name }} }}
                ... on UnlabeledEvent {{ id createdAt {_ACTOR} label {{ name }} }}
                ... on TransferredEvent {{ id createdAt }}
                {further_items}
            }}
        }}
    """


def _pull_fields(since: str, after: str, details: str) -> str:
    """Return the fields of a pull request that `state_of` reads."""
    items = f"""
        ... on ReviewRequestedEvent {{ id createdAt {_ACTOR} requestedReviewer {_USER} }}
        ... on ReviewRequestRemovedEvent {{ id createdAt {_ACTOR} requestedReviewer {_USER} }}
        ... on PullRequestReview {{ id submittedAt actor: author {_USER} }}
        ... on ReadyForReviewEvent {{ id createdAt {_ACTOR} }}
        ... on ConvertToDraftEvent {{ id createdAt {_ACTOR} }}
    """
    return f"""
        {issue_fields(since, after, f"{ITEM_TYPES} {_PULL_ITEM_TYPES}", details, further_items=items)}
        author {_USER}
        closingIssuesReferences(first: {_PAGE_SIZE}) {{
            nodes {{ {NAMED_ISSUE} }}
        }}
    """


class IssueRequest(NamedTuple):
    """An issue to fetch with its timeline, and the time at which the requested timeline begins."""

    issue: Issue
    since_ms: int


def fetch_issues(
    github: GitHub,
    owner: str,
    requests: Sequence[IssueRequest],
    details: DetailFields | None = None,
    *,
    fetched_ms: int = 0,
) -> list[IssueState | None]:
    """Return the states and timelines of one owner's issues; a query fetches many issues.

    Parameters
    ----------
    details
        The details to request, too; None if they are not needed.
    fetched_ms
        The time of the details (milliseconds since the epoch).

    Returns
    -------
    list[IssueState or None]
        The states in the order of the requests; None if the issue does not exist, or we have no access to
        it. A state has the issue's present name: its repository may have been renamed.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses.
    """
    found: list[IssueState | None] = []
    for first in range(0, len(requests), ISSUES_PER_QUERY):
        batch = requests[first : first + ISSUES_PER_QUERY]
        found += _fetch_batch(github, owner, batch, details, fetched_ms)
    return found


def _fetch_batch(
    github: GitHub,
    owner: str,
    requests: Sequence[IssueRequest],
    details: DetailFields | None,
    fetched_ms: int,
) -> list[IssueState | None]:
    states: list[IssueState | None] = [None] * len(requests)
    # The positions of the issues whose timelines have more pages, each with the cursor of the next page.
    cursors: dict[int, str | None] = dict.fromkeys(range(len(requests)))
    while cursors:
        pages = {position: (requests[position], after) for position, after in cursors.items()}
        data = _query(github, owner, pages, details)
        following: dict[int, str | None] = {}
        for position in cursors:
            fields = (data.get(f"i{position}") or {}).get("issue")
            if not fields:
                continue
            page, before = state_of(fields), states[position]
            if details is not None:
                page = replace(page, seen=seen_of_issue(fields, details, fetched_ms))
            timeline = (*before.timeline, *page.timeline) if before else page.timeline
            states[position] = replace(page, timeline=timeline)
            info = fields["timelineItems"]["pageInfo"]
            if info["hasNextPage"]:
                following[position] = info["endCursor"]
        cursors = following
    return states


def _query(
    github: GitHub,
    owner: str,
    pages: Mapping[int, tuple[IssueRequest, str | None]],
    details: DetailFields | None,
) -> dict[str, Any]:
    """Return the data of a query, without the details that GitHub refuses."""
    while True:
        query, variables = _issues_query(owner, pages, details)
        try:
            result = github.graphql(query, variables, owner=owner)
        except Refused as error:
            if details is None or not details.refuse(owner, error.reason):
                raise
        else:
            if details is None or not details.refuse_by(owner, result.errors):
                return result.data


def _issues_query(
    owner: str, pages: Mapping[int, tuple[IssueRequest, str | None]], details: DetailFields | None
) -> tuple[str, dict[str, Any]]:
    given = {} if details is None else details.variables(owner)
    declared = [f"${name}: {kind}" for name, (kind, _) in given.items()]
    variables: dict[str, Any] = {name: value for name, (_, value) in given.items()}
    of_issue = "" if details is None else details.selection(owner)
    of_pull = "" if details is None else details.selection(owner, of_pull=True)
    selected = []
    for i, (request, after) in pages.items():
        declared.append(f"$o{i}: String!, $n{i}: String!, $x{i}: Int!, $s{i}: DateTime!, $a{i}: String")
        since, after_cursor = f"$s{i}", f"$a{i}"
        fields = issue_fields(since, after_cursor, f"{ITEM_TYPES} TRANSFERRED_EVENT", of_issue)
        selected.append(
            f"""i{i}: repository(owner: $o{i}, name: $n{i}) {{
                issue: issueOrPullRequest(number: $x{i}) {{
                    ... on Issue {{{fields}}}
                    ... on PullRequest {{{_pull_fields(since, after_cursor, of_pull)}}}
                }}
            }}"""
        )
        variables |= {
            f"o{i}": request.issue.owner,
            f"n{i}": request.issue.repo,
            f"x{i}": request.issue.number,
            f"s{i}": iso(request.since_ms),
            f"a{i}": after,
        }
    return f"query({', '.join(declared)}) {{ {' '.join(selected)} }}", variables


def state_of(fields: Mapping[str, Any]) -> IssueState:
    """Return the state of an issue from its `issue_fields`, or of a pull request."""
    issue = replace(named_issue(fields), is_pull="closingIssuesReferences" in fields)
    assignees = (user["databaseId"] for user in nodes(fields["assignees"]))
    return IssueState(
        issue=replace(issue, title=fields["title"]),
        is_closed=fields["closed"],
        assignees=frozenset(user_id for user_id in assignees if user_id),
        labels=frozenset(label["name"].lower() for label in nodes(fields["labels"])),
        timeline=tuple(
            _timeline_event(node)
            for node in nodes(fields["timelineItems"])
            # A review that is not submitted yet has no time.
            if _time_of(node) is not None
        ),
        author=(fields.get("author") or {}).get("databaseId") or 0,
    )


def _time_of(node: Mapping[str, Any]) -> str | None:
    """Return the time of a timeline item; None of a review that is not submitted yet."""
    time: str | None = node["submittedAt"] if "submittedAt" in node else node["createdAt"]
    return time


def _timeline_event(node: Mapping[str, Any]) -> TimelineEvent:
    return TimelineEvent(
        node_id=node["id"],
        kind=_KINDS[node["__typename"]],
        at_ms=ms_of(_time_of(node) or ""),
        # The query requests only the ids of users, so an assigned bot or a requested team has no id here.
        user=(node.get("assignee") or node.get("requestedReviewer") or {}).get("databaseId"),
        label=(node.get("label") or {}).get("name", ""),
        actor=(node.get("actor") or {}).get("databaseId") or 0,
    )


@dataclass(frozen=True, slots=True)
class IssueLocation:
    """The present location of an issue.

    Attributes
    ----------
    issue
        The issue under its present identity; None if it was deleted.
    """

    issue: Issue | None


def locate_issue(github: GitHub, issue: Issue) -> IssueLocation | None:
    """Return an issue's present location; None if GitHub does not show it to us.

    GitHub's REST API, "Get an issue": 301 if the issue was transferred, 410 if it was deleted.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses.
    """
    path = f"/repos/{issue.full_name}/issues/{issue.number}"
    response = github.rest("GET", path, owner=issue.owner, accept=frozenset({404, 410}))
    if response.status == 410:
        return IssueLocation(None)
    if response.status == 404:
        return None
    _, _, full_name = str(response.data["repository_url"]).rpartition("/repos/")
    try:
        moved = Issue.of(full_name, response.data["number"])
    except InvalidInput:
        return None
    identified = identify_issue(github, moved, owner=issue.owner)
    return None if identified is None else IssueLocation(identified)


def identify_issue(github: GitHub, issue: Issue, *, owner: str = "") -> Issue | None:
    """Return an issue with the id of its repository; None if GitHub does not show the repository to us.

    Parameters
    ----------
    owner
        The login whose credential is used; by default the repository's owner.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses.
    """
    # GitHub's REST API, "Get a repository". An issue in a response does not contain the id.
    path = f"/repos/{issue.full_name}"
    response = github.rest("GET", path, owner=owner or issue.owner, accept=frozenset({404}))
    return None if response.status == 404 else replace(issue, repo_id=response.data["id"])
