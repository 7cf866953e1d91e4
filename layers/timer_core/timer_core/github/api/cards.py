"""Fetch a project's card: its issue, and who was assigned when the card changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from timer_core.clock import iso, ms_of
from timer_core.domain.events import guid_time
from timer_core.domain.issue_details import PROJECT
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.graphql import GraphQLError
from timer_core.github.api.issue_details import CARD_FIELDS, seen_of_card
from timer_core.github.api.issues import ITEM_TYPES, IssueRequest, fetch_issues, issue_fields, state_of
from timer_core.github.api.timeline import IssueState
from timer_core.github.messages import CardEvent, Seen


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a project that changed.

    Attributes
    ----------
    status
        The card's new status; empty if it has none, or if the card was removed or restored.
    at_ms
        The time of the change.
    state
        The state of the card's issue at that time.
    seen
        The present details of the issue that its card has.
    """

    status: str
    at_ms: int
    state: IssueState
    seen: Seen = field(default_factory=dict)


# The query requests the issue in two ways: through its card, because a transfer changes the issue's id, and
# by its id, because the card may have been deleted.
_CARD = f"""
query(
    $item: ID!, $content: ID!, $since: DateTime!, $statusField: String!, $estimateField: String!, $field: ID!,
    $withField: Boolean!
) {{
    card: node(id: $item) {{
        ... on ProjectV2Item {{
            {CARD_FIELDS}
            content {{
                ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
            }}
        }}
    }}
    field: node(id: $field) @include(if: $withField) {{
        ... on ProjectV2SingleSelectField {{ name }}
    }}
    issue: node(id: $content) {{
        ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
    }}
}}
"""


def fetch_card(
    github: GitHub, event: CardEvent, status_field: str, estimate_field: str, *, now_ms: int
) -> Card | None:
    """Return a card that changed, with its issue and status.

    If the delivery does not contain the status, the card's present status is fetched. A card that was removed
    or restored keeps its status.

    Parameters
    ----------
    status_field, estimate_field
        The names of the fields with the card's status, and with its issue's estimate.
    now_ms
        The present time (milliseconds since the epoch).

    Returns
    -------
    Card or None
        None if the card has no issue, or the changed field is not the status.

    Raises
    ------
    Refused
        If the issue was deleted or is hidden from us (404), or we may not read the project.
    GitHubError
        If GitHub does not respond.
    """
    variables = _variables(event, status_field, estimate_field)
    result = github.graphql(_CARD, variables, owner=event.owner)
    card = result.data.get("card") or {}
    issue = result.data.get("issue") or card.get("content")
    _check_errors(result.errors, has_issue=bool(issue))
    if not issue:
        return None
    if event.field is not None and (result.data.get("field") or {}).get("name") != status_field:
        return None
    state = _whole_state(github, event, issue)
    seen = _seen(card, event, now_ms)
    if event.kind in ("removed", "restored", "detailed"):
        return Card("", event.at_ms, state.at(event.at_ms), seen)
    if event.status is not None:
        return Card(event.status, event.at_ms, state.at(event.at_ms), seen)
    return replace(_with_present_status(card, event, state), seen=seen) if card else None


def _seen(card: Mapping[str, Any], event: CardEvent, now_ms: int) -> Seen:
    """Return what the card shows of its issue: its project, status and estimate, or that it was deleted."""
    if card:
        return seen_of_card(card, now_ms)
    if not event.project:
        return {}
    order = guid_time(event.delivery) or 0
    return {f"{PROJECT}{event.project}": [max(event.at_ms, event.changed_ms), order, None]}


def _variables(event: CardEvent, status_field: str, estimate_field: str) -> dict[str, Any]:
    return {
        # Without the card's id, only its issue is found.
        "item": event.item or event.content,
        "content": event.content,
        "since": iso(event.at_ms),
        "statusField": status_field,
        "estimateField": estimate_field,
        "field": event.field or event.content,
        "withField": event.field is not None,
    }


def _check_errors(errors: Sequence[GraphQLError], *, has_issue: bool) -> None:
    """Raise an error of the query. A missing card or field is no error if the response has an issue."""
    for error in errors:
        if error.type != "NOT_FOUND":
            raise Refused(HTTPStatus.OK, error.message)
    if errors and not has_issue:
        raise Refused(HTTPStatus.NOT_FOUND, errors[0].message)


def _whole_state(github: GitHub, event: CardEvent, fields: Mapping[str, Any]) -> IssueState:
    """Return the state of the card's issue, with its complete timeline since the event."""
    state = state_of(fields)
    if not fields["timelineItems"]["pageInfo"]["hasNextPage"]:
        return state
    (whole,) = fetch_issues(github, event.owner, [IssueRequest(state.issue, event.at_ms)])
    return whole or state


def _with_present_status(card: Mapping[str, Any], event: CardEvent, state: IssueState) -> Card:
    value = card["status"]
    if not value:
        return Card("", event.at_ms, state.at(event.at_ms))
    # The card may have been moved again after this event. Another delivery reports the later move, too.
    at_ms = max(event.at_ms, ms_of(value["updatedAt"]))
    return Card(value["name"] or "", at_ms, state.at(at_ms))
