"""Cards of projects: of which issue they are, and who was assigned when they were moved."""

from dataclasses import dataclass
from http import HTTPStatus

from timer_core.clock import iso, ms_of
from timer_core.github.api.client import GitHub
from timer_core.github.api.errors import Refused
from timer_core.github.api.issues import ITEM_TYPES, Ask, ask_issues, issue_fields, state_of
from timer_core.github.api.timeline import IssueState
from timer_core.github.messages import CardEvent


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
                ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
            }}
        }}
    }}
    field: node(id: $field) @include(if: $asked) {{
        ... on ProjectV2SingleSelectField {{ name }}
    }}
    issue: node(id: $content) {{
        ... on Issue {{{issue_fields("$since", "null", ITEM_TYPES)}}}
    }}
}}
"""


def ask_card(github: GitHub, event: CardEvent, status_field: str) -> Card | None:
    """Ask which issue a card is of, who was assigned when it was moved, and to which status it was moved.

    The status is asked for only if the delivery did not say it: it is then the present one.

    Returns
    -------
    Card or None
        None if it is of no issue, or another field was changed.

    Raises
    ------
    Refused
        If it is gone or out of our reach (404), or GitHub does not let us ask for it.
    GitHubError
        If GitHub does not answer.
    """
    asked = event.status is None or event.field is not None
    variables = {
        "item": event.item,
        "content": event.content,
        "since": iso(event.at_ms),
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
        if answer.errors:
            raise Refused(HTTPStatus.NOT_FOUND, answer.errors[0].message)
        return None
    state = state_of(issue)
    if issue["timelineItems"]["pageInfo"]["hasNextPage"]:
        # So much has happened since that it takes more than one page.
        state = next(filter(None, ask_issues(github, event.owner, [Ask(state.issue, event.at_ms)])), state)
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
    at_ms = max(event.at_ms, ms_of(value["updatedAt"])) if value else event.at_ms
    return Card(value["name"] if value else "", at_ms, state.at(at_ms))
