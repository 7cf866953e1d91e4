"""The demo's HTML pages."""

from __future__ import annotations

import colorsys
import json
import re
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from demo_github import team
from fake_github.model import Comment, PullRequest, Review

if TYPE_CHECKING:
    from demo_github.github import DemoGitHub
    from fake_github.model import Account, Event, Issue
    from fake_github.webhooks import Delivery

STATIC = Path(__file__).with_name("static")
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_EVENTS = {
    "AssignedEvent": "assigned",
    "UnassignedEvent": "unassigned",
    "ClosedEvent": "closed this",
    "MergedEvent": "merged this",
    "ReopenedEvent": "reopened this",
    "LabeledEvent": "added the label",
    "UnlabeledEvent": "removed the label",
    "TransferredEvent": "transferred this",
    "ReviewRequestedEvent": "requested a review from",
    "ReviewRequestRemovedEvent": "removed the request for a review from",
    "ReadyForReviewEvent": "marked this as ready for review",
    "ConvertToDraftEvent": "converted this to a draft",
}
_REVIEWS = {
    "approved": "approved this",
    "changes_requested": "requested changes",
    "commented": "reviewed this",
}
_REACTIONS = {"+1": "👍", "confused": "😕", "eyes": "👀", "hooray": "🎉"}


def render(name: str, **values: Any) -> str:
    """Return a page of the demo."""
    return _templates.get_template(name).render(team=team, **values)


def avatar(account: Account) -> str:
    """Return an account's picture (SVG): the initials of its name."""
    words = (account.name or account.login).split()
    initials = escape("".join(word[0] for word in (words[0], words[-1])[: len(words)]).upper())
    # White text is readable on any hue of this lightness.
    red, green, blue = colorsys.hls_to_rgb(account.id * 0.381966 % 1, 0.32, 0.5)
    color = "".join(f"{round(part * 255):02x}" for part in (red, green, blue))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40" width="40" height="40">'
        f'<rect width="40" height="40" rx="20" fill="#{color}"/>'
        '<text x="20" y="26" font-family="system-ui,sans-serif" font-size="16" font-weight="600" '
        f'text-anchor="middle" fill="#fff">{initials}</text></svg>'
    )


def label_styles() -> str:
    """Return a style sheet with the labels' colours."""
    return "".join(f'[data-label="{one.name}"] {{ --label: #{one.color}; }}\n' for one in team.LABELS)


def _event_text(event: Event) -> str:
    text = _EVENTS[event.typename]
    if event.assignee is not None:
        is_own = event.assignee is event.actor
        return f"{text} themselves" if is_own else f"{text} {event.assignee.login}"
    if event.requested_reviewer is not None:
        return f"{text} {event.requested_reviewer.login}"
    return f"{text} {event.label.name}" if event.label else text


def _status(issue: Issue) -> str:
    value = next((card.values.get("Status") for card in issue.cards), None)
    return "" if value is None else value.option.name


def _subject(delivery: Delivery, github: DemoGitHub) -> str:
    """Return what a delivery is about."""
    payload = delivery.payload
    if issue := payload.get("issue") or payload.get("pull_request"):
        return f"{payload['repository']['name']}#{issue['number']}"
    if card := payload.get("projects_v2_item"):
        content = github.nodes.get(card["content_node_id"])
        name = f"{content.repository.name}#{content.number}" if content else "card"
        to = (payload.get("changes", {}).get("field_value", {}).get("to") or {}).get("name")
        return f"{name} → {to}" if to else name
    return str(payload.get("ref", ""))


def _about(delivery: Delivery) -> str:
    """Return the person that a delivery names."""
    payload = delivery.payload
    person = payload.get("assignee") or payload.get("requested_reviewer") or payload.get("sender") or {}
    return str(person.get("login", ""))


_templates.filters.update(
    status=_status,
    event_text=_event_text,
    subject=_subject,
    about=_about,
    iso=datetime.isoformat,
    review_text=lambda review: _REVIEWS[review.state],
    branch=lambda issue: f"{issue.number}-{re.sub(r'[^a-z0-9]+', '-', issue.title.lower()).strip('-')}",
    reaction=lambda content: _REACTIONS.get(content, content),
    # GitHub shows no HTML comments; the product marks its replies with one.
    visible=lambda text: re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).strip(),
    pretty=lambda payload: json.dumps(payload, indent=2),
)
_templates.tests.update(
    comment=lambda item: isinstance(item, Comment),
    review=lambda item: isinstance(item, Review),
    pull=lambda item: isinstance(item, PullRequest),
)
