"""Reduce GitHub's deliveries to the events that concern timers.

To handle another event:

1. Write a reader: a function that returns the events in a payload, or `Ignored` with the reason. `_text` and
   `_number` read the payload's members, and raise `MalformedDelivery` if GitHub would not send such a member.
2. Add the reader to `READERS`, under the event's name and action.
3. If the event is of a new kind, add the kind and its effect to `timer_core.domain.events.EFFECTS`.
4. Subscribe to it: `EVENTS` in scripts/github_connection/registration.py, and docs/github.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from timer_core.clock import ms_of
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.github.messages import (
    APP_HOOK,
    CardEvent,
    CommentEvent,
    Hook,
    IssueEvent,
    MoveEvent,
    QueuedEvent,
)
from timer_core.github.trigger_config import TriggerConfig
from timer_core.github.webhooks.commands import parse

# GitHub redelivers deliveries of the past three days ("Redelivering webhooks").
REDELIVERY_WINDOW = timedelta(days=3)

Payload: TypeAlias = Mapping[str, Any]
IgnoredReason: TypeAlias = Literal[
    "bot",
    "issue_closed",
    "no_assignees",
    "no_command",
    "not_an_issue",
    "not_handled",
    "not_transferred",
    "other_field",
    "other_label",
    "pull_request",
    "start_label_left",
]


class MalformedDelivery(ValueError):
    """A payload differs from GitHub's documentation."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that changes no timer, and the reason."""

    reason: IgnoredReason


@dataclass(frozen=True, slots=True)
class _Delivery:
    """The context of a delivery, passed to every reader."""

    guid: str
    received_ms: int
    triggers: TriggerConfig


def read(
    name: str,
    payload: Payload,
    *,
    delivery: str,
    received_ms: int,
    triggers: TriggerConfig,
) -> tuple[QueuedEvent, ...] | Ignored:
    """Return the events of a delivery in order; a comment with several commands has several events.

    Parameters
    ----------
    name
        The header ``X-GitHub-Event``.
    payload
        The parsed body.
    delivery
        The header ``X-GitHub-Delivery``.
    received_ms
        When the delivery was received (milliseconds since the epoch).

    Raises
    ------
    MalformedDelivery
        If the payload differs from GitHub's documentation.
    """
    reader = READERS.get(f"{name}.{payload.get('action')}")
    if reader is None:
        return Ignored("not_handled")
    return reader(payload, _Delivery(delivery, received_ms, triggers))


def hook_of(headers: Mapping[str, str], payload: Payload) -> Hook | None:
    """Return the webhook that a delivery came from, if its headers (in lower case) name one.

    "Webhook events and payloads": ``X-GitHub-Hook-Installation-Target-Type`` is ``repository``,
    ``organization``, or ``integration`` for an App.
    """
    hook_id = headers.get("x-github-hook-id", "")
    kind = headers.get("x-github-hook-installation-target-type")
    if kind == "integration":
        return Hook(APP_HOOK)
    if not hook_id.isdecimal():
        return None
    if kind == "repository":
        return Hook(f"/repos/{_text(payload, 'repository', 'full_name')}/hooks/{hook_id}")
    if kind == "organization":
        return Hook(f"/orgs/{_text(payload, 'organization', 'login')}/hooks/{hook_id}")
    return None


def event_time(happened: str | None, received_ms: int) -> int:
    """Return the time of an event (milliseconds since the epoch).

    The result is the time in the payload. If the payload's time is missing or impossible, the result is the
    time of receipt. A time is impossible if it is later than the receipt, or more than three days earlier.

    Raises
    ------
    MalformedDelivery
        If `happened` is not a time.
    """
    if happened is None:
        return received_ms
    happened_ms = _parse_time(happened)
    window_ms = REDELIVERY_WINDOW // timedelta(milliseconds=1)
    return happened_ms if received_ms - window_ms <= happened_ms <= received_ms else received_ms


def _parse_time(text: str) -> int:
    try:
        return ms_of(text)
    except (ValueError, OverflowError) as error:
        raise MalformedDelivery(f"Not a time: {text!r}.") from error


def _assigned(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if _is_closed(payload):
        return Ignored("issue_closed")
    return _for_assignee("assigned", payload, delivery)


def _unassigned(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _for_assignee("unassigned", payload, delivery)


def _for_assignee(kind: str, payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    assignee = _user(payload.get("assignee"))
    if assignee is None:
        return Ignored("bot")
    return (_event(kind, payload, delivery, _text(payload, "issue", "updated_at"), (assignee,)),)


def _closed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    closed_at = _at(payload, ("issue", "closed_at"))
    happened = _text(payload, "issue", "closed_at" if closed_at else "updated_at")
    return (_event("closed", payload, delivery, happened),)


def _deleted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    # Pass no time: the payload has only the time of the issue's last change, which can be long ago.
    return (_event("deleted", payload, delivery, None),)


def _reopened(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _for_assignees("reopened", payload, delivery)


def _labeled(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if not _is_start_label(payload, delivery):
        return Ignored("other_label")
    if _is_closed(payload):
        return Ignored("issue_closed")
    return _for_assignees("labeled", payload, delivery)


def _unlabeled(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if not _is_start_label(payload, delivery):
        return Ignored("other_label")
    if _has_start_label(payload, delivery):
        return Ignored("start_label_left")
    return _for_assignees("unlabeled", payload, delivery)


def _for_assignees(kind: str, payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    assignees = _at(payload, ("issue", "assignees")) or []
    if not isinstance(assignees, list):
        raise MalformedDelivery("issue.assignees is not a list.")
    users = [user for user in map(_user, assignees) if user is not None]
    if not users:
        return Ignored("no_assignees")
    happened = _text(payload, "issue", "updated_at")
    return (_event(kind, payload, delivery, happened, tuple(sorted(users))),)


def _commented(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if _at(payload, ("issue", "pull_request")):
        return Ignored("pull_request")
    author = _user(_at(payload, ("comment", "user")))
    if author is None:
        return Ignored("bot")
    commands, mistakes = parse(_text(payload, "comment", "body"), delivery.triggers.command_prefix)
    if not commands and not mistakes:
        return Ignored("no_command")
    issue, comment = _issue(payload), _number(payload, "comment", "id")
    created = _text(payload, "comment", "created_at")
    at_ms, commented_ms = event_time(created, delivery.received_ms), _parse_time(created)
    events: list[QueuedEvent] = [
        IssueEvent(
            # Several webhooks and workflows may deliver the same comment, so its id identifies the event.
            delivery=_numbered(f"comment-{comment}", number),
            kind=f"comment.{command.action}",
            repo=issue.full_name,
            number=issue.number,
            # Different times keep the commands in order.
            at_ms=at_ms + number,
            users=(author,),
            duration_ms=command.duration_ms,
            commented_ms=commented_ms if command.duration_ms else 0,
            title=issue.title,
        )
        for number, command in enumerate(commands)
    ]
    to_reply = CommentEvent(
        delivery=delivery.guid,
        repo=issue.full_name,
        number=issue.number,
        at_ms=at_ms,
        comment=comment,
        author=author,
        mistakes=tuple(mistakes),
    )
    return (*events, to_reply)


def _transferred(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    target = _issue_at(_at(payload, ("changes",)), "new_repository", "new_issue")
    return (_move(payload, delivery, _issue(payload), target),)


def _opened(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    """Read the transfer of an issue from the delivery that the new repository sends."""
    changes = payload.get("changes") or {}
    if not isinstance(changes, dict) or not changes.get("old_issue") or not changes.get("old_repository"):
        return Ignored("not_transferred")
    return (_move(payload, delivery, _issue_at(changes, "old_repository", "old_issue"), _issue(payload)),)


def _move(payload: Payload, delivery: _Delivery, origin: Issue, target: Issue) -> MoveEvent:
    return MoveEvent(
        delivery=delivery.guid,
        origin=origin.full_name,
        target=target.full_name,
        at_ms=event_time(_text(payload, "issue", "updated_at"), delivery.received_ms),
        received_ms=delivery.received_ms,
        numbers=(origin.number, target.number),
    )


def _repository_renamed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    owner, _, _ = _text(payload, "repository", "full_name").partition("/")
    return _repository_moved(
        payload, delivery, owner, _text(payload, "changes", "repository", "name", "from")
    )


def _repository_transferred(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    _, _, name = _text(payload, "repository", "full_name").partition("/")
    before = _at(payload, ("changes", "owner", "from"))
    kind = "organization" if _at(before, ("organization",)) else "user"
    return _repository_moved(payload, delivery, _text(before, kind, "login"), name)


def _repository_moved(
    payload: Payload, delivery: _Delivery, owner: str, name: str
) -> tuple[QueuedEvent, ...]:
    target = _text(payload, "repository", "full_name")
    for full_name in (origin := f"{owner}/{name}", target):
        _parse_issue(full_name, 1)
    return (
        MoveEvent(
            delivery=delivery.guid,
            origin=origin,
            target=target,
            at_ms=event_time(_text(payload, "repository", "updated_at"), delivery.received_ms),
            received_ms=delivery.received_ms,
        ),
    )


def _card_edited(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    item = payload.get("projects_v2_item") or payload.get("project_v2_item")
    if _text(item, "content_type") != "Issue":
        return Ignored("not_an_issue")
    change = _at(payload.get("changes") or {}, ("field_value",))
    if not change or not _may_be_status(change, delivery.triggers):
        return Ignored("other_field")
    is_named = _at(change, ("field_name",)) is not None
    event = CardEvent(
        delivery=delivery.guid,
        owner=_text(payload, "organization", "login"),
        item=_text(item, "node_id"),
        content=_text(item, "content_node_id"),
        at_ms=event_time(_text(item, "updated_at"), delivery.received_ms),
        field=None if is_named else _text(change, "field_node_id"),
        status=_new_status(change),
    )
    return (event,)


def _may_be_status(change: Any, triggers: TriggerConfig) -> bool:
    """Whether the changed field may be the status. GitHub's older payloads do not name the field."""
    name = _at(change, ("field_name",))
    return _at(change, ("field_type",)) == "single_select" and name in (None, triggers.status_field)


def _new_status(change: Any) -> str | None:
    """Return a card's new status: empty if it was removed, None if the payload does not contain it."""
    if "to" not in change:
        return None
    return "" if change["to"] is None else _text(change, "to", "name")


_Reader: TypeAlias = Callable[[Payload, _Delivery], tuple[QueuedEvent, ...] | Ignored]

# The keys consist of the header ``X-GitHub-Event`` and the payload's ``action``.
READERS: dict[str, _Reader] = {
    "issues.assigned": _assigned,
    "issues.unassigned": _unassigned,
    "issues.closed": _closed,
    "issues.deleted": _deleted,
    "issues.reopened": _reopened,
    "issues.labeled": _labeled,
    "issues.unlabeled": _unlabeled,
    "issues.transferred": _transferred,
    "issues.opened": _opened,
    "issue_comment.created": _commented,
    "repository.renamed": _repository_renamed,
    "repository.transferred": _repository_transferred,
    "projects_v2_item.edited": _card_edited,
    # The former name of the event.
    "project_v2_item.edited": _card_edited,
}


def _event(
    kind: str,
    payload: Payload,
    delivery: _Delivery,
    happened: str | None,
    users: tuple[int, ...] | None = None,
) -> IssueEvent:
    issue = _issue(payload)
    at_ms = event_time(happened, delivery.received_ms)
    repo, number = issue.full_name, issue.number
    return IssueEvent(delivery.guid, kind, repo, number, at_ms, users, title=issue.title)


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}.{number}"


def _is_closed(payload: Payload) -> bool:
    return bool(_at(payload, ("issue", "state")) == "closed")


def _is_start_label(payload: Payload, delivery: _Delivery) -> bool:
    return _text(payload, "label", "name").lower() in delivery.triggers.start_labels


def _has_start_label(payload: Payload, delivery: _Delivery) -> bool:
    """Whether the issue still has a start label, apart from the removed label."""
    labels = _at(payload, ("issue", "labels")) or []
    if not isinstance(labels, list):
        raise MalformedDelivery("issue.labels is not a list.")
    removed = _text(payload, "label", "name").lower()
    others = {_text(label, "name").lower() for label in labels} - {removed}
    return not others.isdisjoint(delivery.triggers.start_labels)


def _issue(payload: Payload) -> Issue:
    return replace(_issue_at(payload, "repository", "issue"), title=_text(payload, "issue", "title"))


def _issue_at(payload: Any, repository: str, issue: str) -> Issue:
    return _parse_issue(_text(payload, repository, "full_name"), _number(payload, issue, "number"))


def _parse_issue(full_name: str, number: int) -> Issue:
    try:
        return Issue.of(full_name, number)
    except InvalidInput as error:
        raise MalformedDelivery(f"Not an issue: {error}") from error


def _user(user: Any) -> int | None:
    """Return the id of a user; None for a bot."""
    if not isinstance(user, dict):
        raise MalformedDelivery("A user is missing.")
    user_id = user.get("id")
    if not isinstance(user_id, int) or isinstance(user_id, bool) or user_id < 1:
        raise MalformedDelivery("A user has no id.")
    return None if user.get("type") == "Bot" else user_id


def _text(payload: Any, *path: str) -> str:
    value = _at(payload, path)
    if not isinstance(value, str):
        raise MalformedDelivery(f"{'.'.join(path)} is not a text.")
    return value


def _number(payload: Any, *path: str) -> int:
    value = _at(payload, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedDelivery(f"{'.'.join(path)} is not a number.")
    return value


def _at(payload: Any, path: tuple[str, ...]) -> Any:
    """Return the member at a path; None if only the last name of the path is missing."""
    value: Any = payload
    for name in path:
        if not isinstance(value, dict):
            raise MalformedDelivery(f"{'.'.join(path)} is missing.")
        value = value.get(name)
    return value
