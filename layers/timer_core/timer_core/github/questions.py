"""What we ask GitHub's API, and what we tell it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.github.client import GitHub
from timer_core.github.errors import Refused
from timer_core.github.messages import AnswerEvent, CardEvent
from timer_core.github.timeline import IssueState, TimelineEvent
from timer_core.github.transport import Response

# What a question about issues costs is counted in nodes: with 100 entries and 20 assignees each, these
# are 6,000 of the 500,000 that one query may ask for ("Rate limits and query limits for the GraphQL API").
ISSUES_PER_QUESTION = 50
_PAGE = 100
# An issue takes 10 assignees.
_ASSIGNEES = 20
# A transferred issue's address leads to the next one, which may have been transferred in turn.
_MOST_REDIRECTS = 5

_REDIRECTS = frozenset({301, 302, 307, 308})

_KINDS = {
    "AssignedEvent": "assigned",
    "UnassignedEvent": "unassigned",
    "ClosedEvent": "closed",
    "ReopenedEvent": "reopened",
    "LabeledEvent": "labeled",
    "UnlabeledEvent": "unlabeled",
    "TransferredEvent": "transferred",
}
_ITEM_TYPES = "ASSIGNED_EVENT UNASSIGNED_EVENT CLOSED_EVENT REOPENED_EVENT LABELED_EVENT UNLABELED_EVENT"


def _issue_fields(since: str, after: str, item_types: str) -> str:
    return f"""
        number title state repository {{ nameWithOwner }}
        assignees(first: {_ASSIGNEES}) {{ nodes {{ databaseId }} }}
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


# ---------------------------------------------------------------------- cards


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a project that was moved.

    Attributes
    ----------
    status
        The status that it was given; empty if it has none.
    at_ms
        Since when it has that status.
    state
        Its issue as it was then.
    """

    status: str
    at_ms: int
    state: IssueState


# A transferred issue has another id, but its card is the same; and a card may be gone, but not its issue.
_CARD = f"""
query($item: ID!, $content: ID!, $since: DateTime!, $statusField: String!, $field: ID!, $asked: Boolean!) {{
    card: node(id: $item) {{
        ... on ProjectV2Item {{
            fieldValueByName(name: $statusField) @include(if: $asked) {{
                ... on ProjectV2ItemFieldSingleSelectValue {{ name updatedAt }}
            }}
            content {{
                ... on Issue {{{_issue_fields("$since", "null", _ITEM_TYPES)}}}
            }}
        }}
    }}
    field: node(id: $field) @include(if: $asked) {{
        ... on ProjectV2SingleSelectField {{ name }}
    }}
    issue: node(id: $content) {{
        ... on Issue {{{_issue_fields("$since", "null", _ITEM_TYPES)}}}
    }}
}}
"""


def ask_card(github: GitHub, event: CardEvent, status_field: str) -> Card | None:
    """Ask which issue a card is of, who was assigned when it was moved, and to which status it was moved.

    The status is asked for only if the delivery did not say it: it is then the present one.

    Returns
    -------
    Card or None
        None if it is out of our reach or gone, or another field was changed.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    asked = event.status is None or event.field is not None
    variables = {
        "item": event.item,
        "content": event.content,
        "since": _iso(event.at_ms),
        "statusField": status_field,
        "field": event.field or event.item,
        "asked": asked,
    }
    answer = github.graphql(_CARD, variables, owner=event.owner)
    forbidden = next((error for error in answer.errors if error.type != "NOT_FOUND"), None)
    if forbidden is not None:
        raise Refused(HTTPStatus.OK, forbidden.message)
    data = answer.data
    card = data.get("card") or {}
    issue = data.get("issue") or card.get("content")
    if not issue:
        return None
    state = _state(issue)
    if not asked:
        return Card(event.status or "", event.at_ms, state.at(event.at_ms))
    if event.field is not None and (data.get("field") or {}).get("name") != status_field:
        return None
    if event.status is not None:
        return Card(event.status, event.at_ms, state.at(event.at_ms))
    if not card:
        return None
    value = card["fieldValueByName"]
    # If it was moved on since, that is told by another delivery too.
    at_ms = max(event.at_ms, _ms(value["updatedAt"])) if value else event.at_ms
    return Card(value["name"] if value else "", at_ms, state.at(at_ms))


# ---------------------------------------------------------------------- issues


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
            page, before = _state(answer), states[position]
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
        fields = _issue_fields(f"$s{i}", f"$a{i}", f"{_ITEM_TYPES} TRANSFERRED_EVENT")
        asked.append(f"i{i}: repository(owner: $o{i}, name: $n{i}) {{ issue(number: $x{i}) {{{fields}}} }}")
        variables |= {
            f"o{i}": ask.issue.owner,
            f"n{i}": ask.issue.repo,
            f"x{i}": ask.issue.number,
            f"s{i}": _iso(ask.since_ms),
            f"a{i}": after,
        }
    return f"query({', '.join(declared)}) {{ {' '.join(asked)} }}", variables


def _state(answer: Mapping[str, Any]) -> IssueState:
    assignees = (user["databaseId"] for user in answer["assignees"]["nodes"])
    entries = (node for node in answer["timelineItems"]["nodes"] if node)
    return IssueState(
        issue=replace(
            Issue.of(answer["repository"]["nameWithOwner"], answer["number"]), title=answer["title"]
        ),
        is_closed=answer["state"] == "CLOSED",
        assignees=frozenset(user_id for user_id in assignees if user_id),
        timeline=tuple(map(_entry, entries)),
    )


def _entry(node: Mapping[str, Any]) -> TimelineEvent:
    return TimelineEvent(
        node_id=node["id"],
        kind=_KINDS[node["__typename"]],
        at_ms=_ms(node["createdAt"]),
        # Bots and organizations have no databaseId here.
        user=(node.get("assignee") or {}).get("databaseId"),
        label=(node.get("label") or {}).get("name", ""),
    )


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of an issue that is not where it was.

    Attributes
    ----------
    issue
        Its present name; None if it was deleted.
    """

    issue: Issue | None


def ask_whereabouts(github: GitHub, issue: Issue) -> Whereabouts | None:
    """Ask what became of an issue; None if GitHub does not tell, because it is out of our reach.

    As in GitHub's REST API, "Get an issue": 301 if it was transferred, 410 if it was deleted.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    path = f"/repos/{issue.full_name}/issues/{issue.number}"
    answer = _rest(github, "GET", path, owner=issue.owner, accept=frozenset({404, 410}))
    if answer.status == 410:
        return Whereabouts(None)
    return None if answer.status == 404 else _whereabouts(answer.data)


def _whereabouts(data: Mapping[str, Any]) -> Whereabouts | None:
    _, _, full_name = str(data["repository_url"]).rpartition("/repos/")
    try:
        return Whereabouts(Issue.of(full_name, data["number"]))
    except InvalidInput:
        return None


# ---------------------------------------------------------------------- deliveries


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to deliver something.

    Attributes
    ----------
    attempt_id
        By which it is redelivered; the later, the greater. The GUID is the same for all attempts.
    is_repeated
        Whether it was a redelivery.
    status
        What we answered; 0 if we did not.
    """

    attempt_id: int
    guid: str
    event: str
    at_ms: int
    is_repeated: bool
    status: int

    @property
    def got_through(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 400


def attempts(
    github: GitHub, hook: str, owner: str | None, since_ms: int, has_time: Callable[[], bool]
) -> Iterator[Attempt]:
    """Yield what a webhook tried to deliver since a time, the newest first, as long as there is time.

    Parameters
    ----------
    hook
        The webhook's path in the REST API, as in `timer_core.github.messages.Hook`.
    owner
        Who owns it; None for the App's own.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    path: str | None = f"{hook}/deliveries?per_page={_PAGE}"
    while path is not None and has_time():
        answer = _rest(github, "GET", path, owner=owner)
        for attempt in answer.data:
            at_ms = _ms(attempt["delivered_at"])
            if at_ms < since_ms:
                return
            yield Attempt(
                attempt_id=int(attempt["id"]),
                guid=attempt["guid"],
                event=attempt["event"],
                at_ms=at_ms,
                is_repeated=attempt["redelivery"],
                status=int(attempt["status_code"] or 0),
            )
        path = answer.next_page


def redeliver(github: GitHub, hook: str, owner: str | None, attempt_id: int) -> None:
    """Have a delivery sent again.

    Raises
    ------
    GitHubError
        If GitHub does not, for example because it is more than three days old.
    """
    _rest(github, "POST", f"{hook}/deliveries/{attempt_id}/attempts", owner=owner)


# ---------------------------------------------------------------------- answers


def send_answer(github: GitHub, answer: AnswerEvent) -> None:
    """Answer a comment; doing it again changes nothing.

    Raises
    ------
    GitHubError
        If GitHub does not take it.
    """
    owner = answer.repo.partition("/")[0]
    comments = f"/repos/{answer.repo}/issues"
    # GitHub keeps one reaction of a kind from each account.
    reaction = {"content": answer.reaction}
    _rest(github, "POST", f"{comments}/comments/{answer.comment}/reactions", owner=owner, body=reaction)
    if not answer.text:
        return
    thread = f"{comments}/{answer.number}/comments"
    mark = f"<!-- issue-timer {answer.comment} -->"
    later = f"{thread}?{urlencode({'since': _iso(answer.at_ms), 'per_page': _PAGE})}"
    since_then = _rest(github, "GET", later, owner=owner).data
    if not any(mark in str(comment["body"]) for comment in since_then):
        _rest(github, "POST", thread, owner=owner, body={"body": f"{answer.text}\n\n{mark}"})


def _rest(
    github: GitHub,
    method: str,
    path: str,
    *,
    owner: str | None,
    body: Mapping[str, Any] | None = None,
    accept: frozenset[int] = frozenset(),
) -> Response:
    """Ask, and ask again where that leads: what was renamed or transferred is elsewhere.

    The credential goes nowhere but to the API ("Best practices for using the REST API": follow redirects,
    with the same request).
    """
    for _ in range(_MOST_REDIRECTS):
        answer = github.rest(method, path, owner=owner, body=body, accept=accept)
        if answer.status not in _REDIRECTS:
            return answer
        location = answer.headers.get("location", "")
        if not location.startswith(f"{github.api_url}/"):
            break
        path = location.removeprefix(github.api_url)
    raise Refused(HTTPStatus.MOVED_PERMANENTLY, "GitHub leads away from its API.")


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
