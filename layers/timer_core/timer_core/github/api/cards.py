"""Fetch a project's card: its issue, and who was assigned when the card was moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from timer_core.clock import iso, ms_of
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.issues import ITEM_TYPES, IssueRequest, fetch_issues, issue_fields, state_of
from timer_core.github.api.timeline import IssueState
from timer_core.github.messages import CardEvent


@dataclass(frozen=True, slots=True)
class Card:
    """A card of a project that was moved.

    Attributes
    ----------
    status
        The status that the card was given; empty if none.
    at_ms
        The time of the change.
    state
        The state of its issue at that time.
    """

    status: str
    at_ms: int
    state: IssueState


# Card and issue are both requested: a transferred issue has a new id and the same card, and a card may be
# deleted while its issue exists.
_CARD = f"""
query(
    $item: ID!, $content: ID!, $since: DateTime!, $statusField: String!, $field: ID!, $withStatus: Boolean!
) {{
    card: node(id: $item) {{
        ... on ProjectV2Item {{
            fieldValueByName(name: $statusField) @include(if: $withStatus) {{
                ... on ProjectV2ItemFieldSingleSelectValue {{ name updatedAt }}
            }}
            content {{
                ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
            }}
        }}
    }}
    field: node(id: $field) @include(if: $withStatus) {{
        ... on ProjectV2SingleSelectField {{ name }}
    }}
    issue: node(id: $content) {{
        ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
    }}
}}
"""


def fetch_card(github: GitHub, event: CardEvent, status_field: str) -> Card | None:
    """Return a card that was moved, with its issue and status.

    If the delivery does not contain the status, the card's present one is fetched.

    Returns
    -------
    Card or None
        None if the card has no issue, or another field was changed.

    Raises
    ------
    Refused
        If the card is deleted or not shown to us (404), or we may not read the project.
    GitHubError
        If GitHub does not answer.
    """
    with_status = event.status is None or event.field is not None
    variables = {
        "item": event.item,
        "content": event.content,
        "since": iso(event.at_ms),
        "statusField": status_field,
        "field": event.field or event.item,
        "withStatus": with_status,
    }
    result = github.graphql(_CARD, variables, owner=event.owner)
    forbidden = next((error for error in result.errors if error.type != "NOT_FOUND"), None)
    if forbidden is not None:
        raise Refused(HTTPStatus.OK, forbidden.message)
    data = result.data
    card = data.get("card") or {}
    issue = data.get("issue") or card.get("content")
    if not issue:
        if result.errors:
            raise Refused(HTTPStatus.NOT_FOUND, result.errors[0].message)
        return None
    state = state_of(issue)
    if issue["timelineItems"]["pageInfo"]["hasNextPage"]:
        # This query has one page of the timeline only.
        (whole,) = fetch_issues(github, event.owner, [IssueRequest(state.issue, event.at_ms)])
        state = whole or state
    if event.field is not None and (data.get("field") or {}).get("name") != status_field:
        return None
    if event.status is not None:
        return Card(event.status, event.at_ms, state.at(event.at_ms))
    return _with_present_status(card, event, state) if card else None


def _with_present_status(card: Mapping[str, Any], event: CardEvent, state: IssueState) -> Card:
    value = card["fieldValueByName"]
    if not value:
        return Card("", event.at_ms, state.at(event.at_ms))
    # The card may have been moved again since, which another delivery reports too.
    at_ms = max(event.at_ms, ms_of(value["updatedAt"]))
    return Card(value["name"], at_ms, state.at(at_ms))
