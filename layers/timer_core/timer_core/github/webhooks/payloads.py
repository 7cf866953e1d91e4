"""Reduce GitHub's deliveries to the events that concern timers, and to the details of their issues.

To handle another event:

1. Write a reader: a function that returns the events in a payload, or `Ignored` with the reason. `_text` and
   `_number` read the payload's members, and raise `MalformedDelivery` if GitHub would not send such a member.
   `_optional_text` reads a member that GitHub's schema lets be null or absent. A reader accepts every payload
   that the schema allows; tests/integration/test_github_schema.py tests each of them.
2. Add the reader to `READERS`, under the event's name and action.
3. If the event is of a new kind, add the kind and its effect to `timer_core.domain.events.EFFECTS`.
4. Subscribe to it: `EVENTS` in scripts/github_connection/registration.py, and docs/github.md.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from timer_core.clock import ms_of
from timer_core.domain.addresses import OWNER
from timer_core.domain.errors import InvalidInput
from timer_core.domain.events import guid_ms, guid_time
from timer_core.domain.issue_details import (
    CLOSES,
    COMMAND_ESTIMATE,
    DELETED,
    FIELD_ESTIMATE,
    IS_PULL_REQUEST,
    LABELS,
    MILESTONE,
    PARENT,
    STATE,
    TITLE,
    TYPE,
    estimate_of_hours,
    issue_content,
)
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue
from timer_core.github.marks import is_marked
from timer_core.github.messages import (
    APP_HOOK,
    ESTIMATE,
    CardEvent,
    CardKind,
    CommentEvent,
    DeliverySummary,
    DetailsEvent,
    Hook,
    IssueEvent,
    LeadTeamChange,
    LeadTeamEvent,
    MoveEvent,
    OwnerRenamed,
    QueuedEvent,
    RepositoryEvent,
    Seen,
)
from timer_core.github.trigger_config import TriggerConfig
from timer_core.github.webhooks.commands import MAX_COMMANDS, Command, parse

# GitHub redelivers deliveries of the past three days ("Redelivering webhooks").
REDELIVERY_WINDOW = timedelta(days=3)
# The account that replaces deleted accounts (https://github.com/ghost).
GHOST = 10137
# Titles have at most 256 characters on GitHub.
_MAX_TITLE = 256
# A repository's full name has at most 140 characters.
_MAX_SUMMARY = 140
_LOGIN = re.compile(OWNER)
_HOOK_ID = re.compile(r"[0-9]{1,20}")
# The number of an issue at the beginning of a branch's name, or of a part of it.
_BRANCH = re.compile(r"(?:^|/)([0-9]{1,10})-")

Payload: TypeAlias = Mapping[str, Any]
IgnoredReason: TypeAlias = Literal[
    "bot",
    "ghost",
    "issue_closed",
    "no_assignees",
    "no_issue_number",
    "no_lead_team",
    "no_login",
    "no_repository",
    "not_a_person",
    "not_a_branch",
    "not_an_issue",
    "not_handled",
    "not_transferred",
    "only_details",
    "other_field",
    "other_label",
    "other_server",
    "own_comment",
    "review_of_team",
    "start_label_left",
    "time_field",
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

    def time_of(self, happened: str | None) -> int:
        """Return the time of an event, given the time in the payload; see `event_time`."""
        return event_time(happened, self.received_ms, self.guid)

    def version_of(self, changed: str | None) -> int:
        """Return the time of a thing's last change, by which its versions are compared.

        Unlike the time of an event, it may be long ago: an old version must not replace a newer one.
        """
        return self.time_of(None) if changed is None else min(_parse_time(changed), self.received_ms)

    @property
    def order(self) -> int:
        """The order of the delivery among those of a version, see `timer_core.domain.issue_details`."""
        return guid_time(self.guid) or 0


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
    action = payload.get("action")
    # A delivery of `create` has no action.
    reader = READERS.get(name if action is None else f"{name}.{action}")
    if reader is None:
        return Ignored("not_handled")
    return reader(payload, _Delivery(delivery, received_ms, triggers))


def _or_details(reader: "_Reader") -> "_Reader":
    """Return a reader that returns the details of the issue if the delivery changes no timer."""

    def read_all(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
        events = reader(payload, delivery)
        return _details(payload, delivery, events.reason) if isinstance(events, Ignored) else events

    return read_all


def _field_changed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    """Read the change of an issue's field, unless we write it ourselves: it is no detail of the issue."""
    name = _optional_text(payload.get("issue_field") or {}, "name")
    if name and name == delivery.triggers.time_field:
        return Ignored("time_field")
    return _only_details(payload, delivery)


def _only_details(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    return _details(payload, delivery, "only_details")


def _details(payload: Payload, delivery: _Delivery, reason: IgnoredReason) -> tuple[QueuedEvent, ...]:
    return (_details_event(_issue(payload), _seen(payload["issue"], delivery), delivery, reason),)


def _details_event(issue: Issue, seen: Seen, delivery: _Delivery, reason: str) -> DetailsEvent:
    return DetailsEvent(delivery.guid, issue.repo_id, issue.full_name, issue.number, seen, reason)


def _parent_changed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    """Read the parent of an issue from the delivery of its own repository.

    The repository of the parent gets another delivery (``sub_issue_added``) with the same content.
    """
    sub_issue = _at(payload, ("sub_issue",))
    repository = payload.get("repository") or _at(sub_issue, ("repository",))
    if repository is None:
        return Ignored("no_repository")
    issue = _parse_issue(repository, _number(payload, "sub_issue", "number"))
    is_added = payload["action"] == "parent_issue_added"
    parent = _issue_at(payload, "parent_issue_repo", "parent_issue") if is_added else None
    version, content = delivery.version_of(_optional_text(sub_issue, "updated_at")), None
    if parent is not None:
        content = issue_content(parent)
    seen = _seen(sub_issue, delivery) | {PARENT: [version, delivery.order, content]}
    return (_details_event(issue, seen, delivery, "only_details"),)


def _seen(issue: Any, delivery: _Delivery) -> Seen:
    """Return the details in the issue or pull request of a payload."""
    found: dict[str, Any] = {}
    for name, member in ((TITLE, "title"), (STATE, "state")):
        if (text := _optional_text(issue, member)) is not None:
            found[name] = _storable(text)
    labels = _optional_list(issue, "labels")
    if labels is not None:
        found[LABELS] = sorted({_storable(own) for label in labels if (own := _name_of_label(label))})
    for name, member, part in ((MILESTONE, "milestone", "title"), (TYPE, "type", "name")):
        if member in issue:
            of = issue[member]
            found[name] = "" if of is None else _storable(_optional_text(of, part) or "")
    if issue.get("pull_request") is not None or "merged_at" in issue:
        found[IS_PULL_REQUEST] = True
    values = _optional_list(issue, "issue_field_values")
    if values is not None and (hours := _estimated_hours(values, delivery.triggers)) is not False:
        found[FIELD_ESTIMATE] = estimate_of_hours(hours)
    version = delivery.version_of(_optional_text(issue, "updated_at"))
    return {name: [version, delivery.order, content] for name, content in found.items()}


def _name_of_label(label: Any) -> str | None:
    """Return the name of a label. GitHub's schema also allows a name in place of a label."""
    return label if isinstance(label, str) else label and _optional_text(label, "name")


def _estimated_hours(values: Sequence[Any], triggers: TriggerConfig) -> float | Literal[False] | None:
    """Return the number in an issue's own field of estimates; None if it is empty, False if unknown.

    GitHub's schema lets the name of a field be absent. Then only the daily repair knows which field it is.
    """
    is_unknown = False
    for value in values:
        if not isinstance(value, dict) or value.get("data_type") != "number":
            continue
        name = _optional_text(value, "issue_field_name")
        if name == triggers.estimate_field:
            number = value.get("value")
            return number if isinstance(number, int | float) and not isinstance(number, bool) else None
        is_unknown |= name is None
    return False if is_unknown else None


def _storable(text: str) -> str:
    """Return a text without lone surrogates, which no database stores, and no longer than a title."""
    return text.encode(errors="replace").decode()[:_MAX_TITLE]


def server_of(headers: Mapping[str, str]) -> str | None:
    """Return the host name of the GitHub server that sent a delivery; None if it does not name itself.

    Deliveries of github.com do not name their server. GitHub Enterprise Server sends
    ``X-GitHub-Enterprise-Host`` ("Webhook events and payloads"). GitHub Enterprise Cloud with data residency
    sends ``X-GitHub-Tenant``, the subdomain of ghe.com.

    Parameters
    ----------
    headers
        The headers of the delivery, with names in lower case.
    """
    if host := headers.get("x-github-enterprise-host"):
        return host.partition(":")[0].lower()
    if tenant := headers.get("x-github-tenant"):
        return f"{tenant}.ghe.com".lower()
    return None


def not_timed(payload: Payload) -> list[str]:
    """Return the reason and the id of each account in a delivery that is never timed, for the log."""
    issue, comment = payload.get("issue") or payload.get("pull_request"), payload.get("comment")
    users: list[Any] = [payload.get("assignee"), payload.get("requested_reviewer")]
    if isinstance(issue, dict) and isinstance(issue.get("assignees"), list):
        users += issue["assignees"]
    if isinstance(comment, dict):
        users.append(comment.get("user"))
    found = ((_why_not_timed(user), user.get("id")) for user in users if isinstance(user, dict))
    return sorted({f"{reason} {user_id}" for reason, user_id in found if reason})


def hook_of(headers: Mapping[str, str], payload: Payload) -> Hook | None:
    """Return the webhook that a delivery came from; None if its headers or its payload do not name one.

    "Webhook events and payloads": ``X-GitHub-Hook-Installation-Target-Type`` is ``repository``,
    ``organization``, or ``integration`` for an App.

    Parameters
    ----------
    headers
        The headers of the delivery, with names in lower case.
    """
    hook_id = headers.get("x-github-hook-id", "")
    kind = headers.get("x-github-hook-installation-target-type")
    if kind == "integration":
        return Hook(APP_HOOK)
    if not _HOOK_ID.fullmatch(hook_id):
        return None
    if kind == "repository" and payload.get("repository"):
        return Hook(f"/repos/{_parse_issue(payload['repository'], 1).full_name}/hooks/{hook_id}")
    if kind == "organization" and payload.get("organization"):
        return Hook(f"/orgs/{_login(payload, 'organization', 'login')}/hooks/{hook_id}")
    return None


def summary_of(name: str, payload: Payload, *, received_ms: int) -> DeliverySummary:
    """Return what admins see of a delivery; the members that it lacks are empty."""
    action = payload.get("action")
    repository, organization = payload.get("repository"), payload.get("organization")
    source = repository.get("full_name") if isinstance(repository, dict) else None
    if source is None and isinstance(organization, dict):
        source = organization.get("login")
    return DeliverySummary(
        event=(f"{name}.{action}" if isinstance(action, str) else name)[:_MAX_SUMMARY],
        source=source[:_MAX_SUMMARY] if isinstance(source, str) else "",
        received_ms=received_ms,
    )


def event_time(happened: str | None, received_ms: int, guid: str = "") -> int:
    """Return the time of an event (milliseconds since the epoch).

    The result is the time in the payload. If the payload has none, the result is the time in the GUID of the
    delivery, at which GitHub created it. If there is no time, or an impossible one, the result is the time of
    receipt. A time is impossible if it is later than the receipt, or more than three days earlier.

    Raises
    ------
    MalformedDelivery
        If `happened` is not a time.
    """
    happened_ms = guid_ms(guid) if happened is None else _parse_time(happened)
    window_ms = REDELIVERY_WINDOW // timedelta(milliseconds=1)
    if happened_ms is None or not received_ms - window_ms <= happened_ms <= received_ms:
        return received_ms
    return happened_ms


def _parse_time(text: str) -> int:
    try:
        return ms_of(text)
    except (ValueError, OverflowError) as error:
        raise MalformedDelivery(f"Not a time: {text!r}.") from error


# ---------------------------------------------------------------------- issues


def _assigned(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if _is_closed(payload):
        return Ignored("issue_closed")
    if payload.get("assignee") is None:
        # The delivery does not name the new assignee. So the timers of all assignees start or resume.
        return _for_assignees("assigned", payload, delivery)
    return _for_assignee("assigned", payload, delivery)


def _unassigned(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if payload.get("assignee") is not None:
        return _for_assignee("unassigned", payload, delivery)
    if _optional_list(payload, "issue", "assignees") is None:
        return Ignored("no_assignees")
    # The delivery does not name the former assignee, but the remaining assignees.
    event = _event("unassigned.others", payload, delivery, _changed_at(payload))
    return (replace(event, except_users=_assignees(payload)),)


def _for_assignee(kind: str, payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    assignee = _person(payload["assignee"])
    if isinstance(assignee, Ignored):
        return assignee
    return (_event(kind, payload, delivery, _changed_at(payload), (assignee,)),)


def _closed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    closed_at = _optional_text(payload, "issue", "closed_at")
    return (_event("closed", payload, delivery, closed_at or _changed_at(payload)),)


def _deleted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    # Pass no time: the payload has only the time of the issue's last change, which can be long ago.
    event = _event("deleted", payload, delivery, None)
    return (replace(event, seen=event.seen | {STATE: [event.at_ms, delivery.order, DELETED]}),)


def _reopened(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _for_assignees("reopened", payload, delivery)


def _labeled(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if _label(payload) not in delivery.triggers.start_labels:
        return Ignored("other_label")
    if _is_closed(payload):
        return Ignored("issue_closed")
    return _for_assignees("labeled", payload, delivery)


def _unlabeled(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    start_labels = delivery.triggers.start_labels
    removed, left = _label(payload), _labels(payload)
    # GitHub does not name a label that was deleted from the repository. Such a label may be a start label.
    is_unknown = removed is None and left is not None and bool(start_labels)
    if removed not in start_labels and not is_unknown:
        return Ignored("other_label")
    # The removed label does not count as left, even if the payload still lists that label.
    if not start_labels.isdisjoint((left or set()) - {removed}):
        return Ignored("start_label_left")
    return _for_assignees("unlabeled", payload, delivery)


def _for_assignees(kind: str, payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    users = _assignees(payload)
    if not users:
        return Ignored("no_assignees")
    return (_event(kind, payload, delivery, _changed_at(payload), users),)


def _commented(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    author = _person(_at(payload, ("comment", "user")))
    if isinstance(author, Ignored):
        return author
    body = _optional_text(payload, "comment", "body") or ""
    if is_marked(body):
        # With a token, the author of our own comments is a person.
        return Ignored("own_comment")
    commands, mistakes = parse(body, delivery.triggers.command_prefix)
    issue, comment = _issue(payload), _number(payload, "comment", "id")
    created = _text(payload, "comment", "created_at")
    at_ms, commented_ms = delivery.time_of(created), _parse_time(created)
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
            commented_ms=commented_ms if command.action == "log" else 0,
            title=issue.title,
            repo_id=issue.repo_id,
            actor=author,
            seen=_seen_in_command(command, number, payload, delivery),
        )
        for number, command in enumerate(commands)
    ]
    if all(command.action in {"log", "estimate"} for command in commands):
        # Logged time and estimates are no events of the issue, so the comment itself is the sign of life. A
        # comment changes no detail, so the many comments without a command do not write details.
        comment_event = _event("commented", payload, delivery, created, (author,))
        events.append(replace(comment_event, actor=author, seen={}))
    if not commands and not mistakes:
        return tuple(events)
    to_reply = CommentEvent(
        delivery=delivery.guid,
        repo=issue.full_name,
        number=issue.number,
        at_ms=at_ms,
        comment=comment,
        author=author,
        mistakes=tuple(mistakes),
        repo_id=issue.repo_id,
    )
    return (*events, to_reply)


def _seen_in_command(command: Command, number: int, payload: Payload, delivery: _Delivery) -> Seen:
    """Return the details that a command shows; only the first one shows those of the issue."""
    seen = {} if number else _seen(payload["issue"], delivery)
    if f"comment.{command.action}" != ESTIMATE:
        return seen
    version = delivery.version_of(_text(payload, "comment", "created_at"))
    # Comments of the same second have ascending ids.
    order = _number(payload, "comment", "id") * (MAX_COMMANDS + 1) + number
    return seen | {COMMAND_ESTIMATE: [version, order, command.duration_ms or None]}


def _transferred(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    changes = _at(payload, ("changes",))
    target = _issue_at(changes, "new_repository", "new_issue")
    return (_move(delivery, _issue(payload), target, changes["new_issue"]),)


def _opened(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    """Read the transfer of an issue from the delivery that the new repository sends."""
    changes = payload.get("changes") or {}
    if not isinstance(changes, dict) or not changes.get("old_issue") or not changes.get("old_repository"):
        return Ignored("not_transferred")
    origin = _issue_at(changes, "old_repository", "old_issue")
    return (_move(delivery, origin, _issue(payload), payload["issue"]),)


def _move(delivery: _Delivery, origin: Issue, target: Issue, moved: Any) -> MoveEvent:
    return MoveEvent(
        delivery=delivery.guid,
        origin=origin.full_name,
        target=target.full_name,
        # Pass no time: the issue may have its state from before the transfer.
        at_ms=delivery.time_of(None),
        numbers=(origin.number, target.number),
        repo_ids=(origin.repo_id, target.repo_id),
        seen=_seen(moved, delivery),
    )


# ---------------------------------------------------------------------- pull requests


def _of_pull(reader: "_Reader") -> "_Reader":
    """Return the reader of an event of a pull request, given that of the same event of an issue.

    The members of a pull request that events of issues have, such as its assignees, have the same names. Its
    details come first, so that timers that the events start are known to be on a pull request.
    """

    def read_pull(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
        of_issue = {**payload, "issue": payload.get("pull_request")}
        events = reader(of_issue, delivery)
        if isinstance(events, Ignored):
            return events
        changes = [replace(event, seen={}) for event in events if isinstance(event, IssueEvent)]
        reason = next((event.reason for event in events if isinstance(event, DetailsEvent)), "only_details")
        seen = _seen_of_pull(of_issue, delivery)
        return (_details_event(_issue(of_issue), seen, delivery, reason), *changes)

    return read_pull


def _seen_of_pull(payload: Payload, delivery: _Delivery) -> Seen:
    """Return the details of a pull request, with the issues that it closes."""
    seen = _seen(payload["issue"], delivery)
    changes = payload.get("changes") or {}
    has_other_links = payload["action"] == "opened" or any(
        _at(changes, (name,)) is not None for name in ("body", "base")
    )
    # A delivery does not show the issues that were linked by hand. So one that changes no link counts only if
    # nothing else is known.
    now = [delivery.version_of(_changed_at(payload)), delivery.order]
    closes = [issue_content(issue) for issue in _closes(payload, _issue(payload))]
    observed = now if has_other_links else [0, 0]
    return seen | {IS_PULL_REQUEST: [*now, True], CLOSES: [*observed, closes]}


def _closes(payload: Payload, pull: Issue) -> tuple[Issue, ...]:
    """Return the issues that a pull request closes; none if its base is not the default branch."""
    base = _at(_at(payload, ("issue", "base")) or {}, ("ref",))
    body = _optional_text(payload, "issue", "body")
    if not body or base != _at(payload, ("repository", "default_branch")):
        return ()
    # Import on first use, because most deliveries are not of pull requests.
    from timer_core.github.webhooks.closing import closed_by

    page = _optional_text(payload, "repository", "html_url") or ""
    return closed_by(body, pull, page.removesuffix(f"/{pull.full_name}"))


def _pull_opened(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    """Read a new pull request. If it closes one issue, its author works on that, too."""
    author = _person(_at(payload, ("issue", "user")))
    if isinstance(author, Ignored):
        return ()
    opened = _optional_text(payload, "issue", "created_at")
    event = replace(_event("opened", payload, delivery, opened, (author,)), actor=author)
    closes = _closes(payload, _issue(payload))
    if len(closes) != 1 or not closes[0].repo_id:
        return (event,)
    return event, replace(event, delivery=_numbered(delivery.guid, 1), number=closes[0].number, title="")


def _ready_for_review(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _for_assignees("ready_for_review", payload, delivery)


def _converted_to_draft(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _by_sender("converted_to_draft", payload, delivery, _changed_at(payload))


def _by_sender(
    kind: str, payload: Payload, delivery: _Delivery, happened: str | None
) -> tuple[QueuedEvent, ...] | Ignored:
    sender = _person(payload.get("sender"))
    return sender if isinstance(sender, Ignored) else (_event(kind, payload, delivery, happened, (sender,)),)


def _review_requested(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return Ignored("issue_closed") if _is_closed(payload) else _of_reviewer(payload, delivery)


def _of_reviewer(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    if payload.get("requested_team") is not None:
        # Nobody knows which member reviews.
        return Ignored("review_of_team")
    reviewer = _person(payload.get("requested_reviewer"))
    if isinstance(reviewer, Ignored):
        return reviewer
    kind = "review_requested" if payload["action"] == "review_requested" else "review_request_removed"
    return (_event(kind, payload, delivery, _changed_at(payload), (reviewer,)),)


def _review_submitted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    reviewer = _person(_at(payload, ("review", "user")))
    if isinstance(reviewer, Ignored):
        return reviewer
    # Authors reply to comments on their pull requests, which GitHub reports as a review.
    is_author = _at(_at(payload, ("issue", "user")) or {}, ("id",)) == reviewer
    submitted = _optional_text(payload, "review", "submitted_at")
    kind = "commented" if is_author else "review_submitted"
    return (replace(_event(kind, payload, delivery, submitted, (reviewer,)), actor=reviewer),)


def _created(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    """Read a new branch whose name begins with the number of an issue: ``12-…``, ``fix/12-…``."""
    if _text(payload, "ref_type") != "branch":
        return Ignored("not_a_branch")
    found = _BRANCH.search(_text(payload, "ref"))
    if found is None or not 1 <= int(found[1]) <= MAX_ISSUE_NUMBER:
        return Ignored("no_issue_number")
    # Pass no time: the payload has only times of earlier changes.
    return _by_sender("branch_created", {**payload, "issue": {"number": int(found[1])}}, delivery, None)


# ---------------------------------------------------------------------- repositories and projects


def _repository_event(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...]:
    repository = _parse_issue(payload.get("repository"), 1)
    return (
        RepositoryEvent(
            delivery=delivery.guid,
            kind=payload["action"],
            repo_id=repository.repo_id,
            repo=repository.full_name,
            # Pass no time: the payload may have only the time of an earlier change.
            at_ms=delivery.time_of(None),
            received_ms=delivery.received_ms,
            actor=_actor(payload),
        ),
    )


def _organization_renamed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _owner_renamed(payload, delivery, _at(payload, ("organization",)))


def _installation_target_renamed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _owner_renamed(payload, delivery, _at(payload, ("account",)))


def _owner_renamed(payload: Payload, delivery: _Delivery, owner: Any) -> tuple[QueuedEvent, ...] | Ignored:
    """Read the renaming of a user or organization. An enterprise has a slug and no login."""
    before, after = _at(payload.get("changes") or {}, ("login",)), _at(owner, ("login",))
    former = None if before is None else _optional_text(before, "from")
    if not former or after is None:
        return Ignored("no_login")
    return (
        OwnerRenamed(
            delivery=delivery.guid,
            origin=_login(before, "from"),
            target=_login(owner, "login"),
            owner_id=_number(owner, "id"),
            at_ms=delivery.time_of(None),
        ),
    )


def _membership(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    # The scope is that of the removal: a person who leaves an organization leaves its teams.
    return _lead_team_event(payload["action"], payload, delivery, payload.get("member"))


def _team_edited(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _lead_team_event("edited", payload, delivery)


def _team_deleted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _lead_team_event("deleted", payload, delivery)


def _member_removed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    member = _at(payload, ("membership", "user"))
    return _lead_team_event("removed", payload, delivery, member, is_of_organization=True)


def _lead_team_event(
    change: LeadTeamChange,
    payload: Payload,
    delivery: _Delivery,
    member: Any = None,
    *,
    is_of_organization: bool = False,
) -> tuple[QueuedEvent, ...] | Ignored:
    """Read a change of any team of an organization that has lead teams: it may be the child of one."""
    organization = _login(payload, "organization", "login").lower()
    if not any(team.startswith(f"{organization}/") for team in delivery.triggers.lead_teams):
        return Ignored("no_lead_team")
    event = LeadTeamEvent(
        delivery=delivery.guid,
        organization=organization,
        change=change,
        member=0 if member is None else _number(member, "id"),
        is_of_organization=is_of_organization,
    )
    if not is_of_organization:
        slug = _optional_text(payload, "team", "slug") or ""
        event = replace(event, slug=slug.lower(), team_id=_number(payload, "team", "id"))
    return (event,)


def _card_edited(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    change = _at(payload.get("changes") or {}, ("field_value",))
    if change and _is_estimate(change, delivery.triggers):
        return _card_detailed(payload, delivery)
    if not change or not _may_be_status(change, delivery.triggers):
        return Ignored("other_field")
    is_named = _at(change, ("field_name",)) is not None
    return _card_event(
        "moved",
        payload,
        delivery,
        _optional_text(_card(payload), "updated_at"),
        field=None if is_named else _text(change, "field_node_id"),
        status=_new_status(change),
    )


def _card_detailed(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _card_event("detailed", payload, delivery, _optional_text(_card(payload), "updated_at"))


def _card_archived(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    card = _card(payload)
    happened = _optional_text(card, "archived_at") or _optional_text(card, "updated_at")
    return _card_event("removed", payload, delivery, happened)


def _card_deleted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    # Pass no time: the payload has only the time of the card's last change, which can be long ago.
    return _card_event("removed", payload, delivery, None)


def _card_restored(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _card_event("restored", payload, delivery, _optional_text(_card(payload), "updated_at"))


def _card_converted(payload: Payload, delivery: _Delivery) -> tuple[QueuedEvent, ...] | Ignored:
    return _card_event("converted", payload, delivery, _optional_text(_card(payload), "updated_at"))


def _card_event(
    kind: CardKind,
    payload: Payload,
    delivery: _Delivery,
    happened: str | None,
    *,
    field: str | None = None,
    status: str | None = None,
) -> tuple[QueuedEvent, ...] | Ignored:
    card = _card(payload)
    if _text(card, "content_type") != "Issue":
        return Ignored("not_an_issue")
    content = _text(card, "content_node_id")
    event = CardEvent(
        delivery=delivery.guid,
        owner=_text(payload, "organization", "login"),
        item=_optional_text(card, "node_id") or "",
        content=content,
        at_ms=delivery.time_of(happened),
        field=field,
        status=status,
        kind=kind,
        actor=_actor(payload),
        project=_optional_text(card, "project_node_id") or "",
        changed_ms=delivery.version_of(_optional_text(card, "updated_at")),
    )
    return (event,)


def _card(payload: Payload) -> Any:
    return payload.get("projects_v2_item") or payload.get("project_v2_item")


def _may_be_status(change: Any, triggers: TriggerConfig) -> bool:
    """Whether the changed field may be the status. GitHub's older payloads do not name the field."""
    name, field_id = _at(change, ("field_name",)), _at(change, ("field_node_id",))
    is_single_select = _at(change, ("field_type",)) in (None, "single_select")
    return is_single_select and (field_id is not None if name is None else name == triggers.status_field)


def _is_estimate(change: Any, triggers: TriggerConfig) -> bool:
    return bool(
        _at(change, ("field_type",)) == "number" and _at(change, ("field_name",)) == triggers.estimate_field
    )


def _new_status(change: Any) -> str | None:
    """Return a card's new status: empty if it was removed, None if the payload does not contain it."""
    if "to" not in change:
        return None
    status = change["to"]
    if status is None:
        return ""
    # The value of another kind of field may be a text or a number.
    return _optional_text(status, "name") if isinstance(status, dict) else None


_Reader: TypeAlias = Callable[[Payload, _Delivery], tuple[QueuedEvent, ...] | Ignored]

# The keys consist of the header ``X-GitHub-Event`` and the payload's ``action``.
READERS: dict[str, _Reader] = {
    "issues.assigned": _assigned,
    "issues.unassigned": _unassigned,
    "issues.closed": _closed,
    "issues.deleted": _deleted,
    "issues.reopened": _or_details(_reopened),
    "issues.labeled": _or_details(_labeled),
    "issues.unlabeled": _or_details(_unlabeled),
    "issues.transferred": _transferred,
    "issues.opened": _opened,
    "issues.edited": _only_details,
    "issues.milestoned": _only_details,
    "issues.demilestoned": _only_details,
    "issues.typed": _only_details,
    "issues.untyped": _only_details,
    # The number fields of an organization's issues (in public preview).
    "issues.field_added": _field_changed,
    "issues.field_removed": _field_changed,
    "sub_issues.parent_issue_added": _parent_changed,
    "sub_issues.parent_issue_removed": _parent_changed,
    "issue_comment.created": _commented,
    "pull_request.assigned": _of_pull(_assigned),
    "pull_request.unassigned": _of_pull(_unassigned),
    "pull_request.closed": _of_pull(_closed),
    "pull_request.reopened": _of_pull(_or_details(_reopened)),
    "pull_request.labeled": _of_pull(_or_details(_labeled)),
    "pull_request.unlabeled": _of_pull(_or_details(_unlabeled)),
    "pull_request.opened": _of_pull(_pull_opened),
    "pull_request.edited": _of_pull(_only_details),
    "pull_request.milestoned": _of_pull(_only_details),
    "pull_request.demilestoned": _of_pull(_only_details),
    "pull_request.ready_for_review": _of_pull(_ready_for_review),
    "pull_request.converted_to_draft": _of_pull(_converted_to_draft),
    "pull_request.review_requested": _of_pull(_review_requested),
    "pull_request.review_request_removed": _of_pull(_of_reviewer),
    "pull_request_review.submitted": _of_pull(_review_submitted),
    "create": _created,
    "repository.renamed": _repository_event,
    "repository.transferred": _repository_event,
    "repository.archived": _repository_event,
    "repository.unarchived": _repository_event,
    "repository.deleted": _repository_event,
    "organization.renamed": _organization_renamed,
    "organization.member_removed": _member_removed,
    "membership.added": _membership,
    "membership.removed": _membership,
    "team.created": _team_edited,
    "team.edited": _team_edited,
    "team.deleted": _team_deleted,
    # A GitHub App receives this event if the account of an installation is renamed.
    "installation_target.renamed": _installation_target_renamed,
    "projects_v2_item.created": _card_detailed,
    "projects_v2_item.edited": _card_edited,
    "projects_v2_item.archived": _card_archived,
    "projects_v2_item.deleted": _card_deleted,
    "projects_v2_item.restored": _card_restored,
    "projects_v2_item.converted": _card_converted,
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
    at_ms = delivery.time_of(happened)
    return IssueEvent(
        delivery=delivery.guid,
        kind=kind,
        repo_id=issue.repo_id,
        repo=issue.full_name,
        number=issue.number,
        at_ms=at_ms,
        users=users,
        title=issue.title,
        actor=_actor(payload),
        seen=_seen(payload["issue"], delivery),
    )


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}.{number}"


def _is_closed(payload: Payload) -> bool:
    state = _at(payload, ("issue", "state"))
    return state == "closed" or (state is None and _at(payload, ("issue", "closed_at")) is not None)


def _changed_at(payload: Payload) -> str | None:
    """Return the time of an issue's last change; None if GitHub does not send it."""
    return _optional_text(payload, "issue", "updated_at")


def _label(payload: Payload) -> str | None:
    """Return the name of the added or removed label, in lower case; None if GitHub does not send it."""
    label = payload.get("label")
    return None if label is None else _text(label, "name").lower()


def _labels(payload: Payload) -> set[str] | None:
    """Return the names of an issue's labels, in lower case; None if GitHub does not send them."""
    labels = _optional_list(payload, "issue", "labels")
    return None if labels is None else {_text(label, "name").lower() for label in labels if label}


def _assignees(payload: Payload) -> tuple[int, ...]:
    """Return the ids of an issue's assignees who can be timed."""
    assignees = _optional_list(payload, "issue", "assignees")
    if assignees is None:
        # This older member has only the first assignee.
        assignees = [_at(payload, ("issue", "assignee"))]
    people = [_person(user) for user in assignees if user is not None]
    return tuple(sorted(person for person in people if not isinstance(person, Ignored)))


def _issue(payload: Payload) -> Issue:
    title = _storable(_optional_text(payload, "issue", "title") or "")
    return replace(_issue_at(payload, "repository", "issue"), title=title)


def _issue_at(payload: Any, repository: str, issue: str) -> Issue:
    return _parse_issue(_at(payload, (repository,)), _number(payload, issue, "number"))


def _parse_issue(repository: Any, number: int) -> Issue:
    try:
        return Issue.of(_text(repository, "full_name"), number, repo_id=_number(repository, "id"))
    except InvalidInput as error:
        raise MalformedDelivery(f"Not an issue: {error}") from error


def _person(user: Any) -> int | Ignored:
    """Return the id of a person, or why this account is never timed. GitHub sends null for a deleted account.

    Raises
    ------
    MalformedDelivery
        If the user has no id.
    """
    if user is None:
        return Ignored("ghost")
    user_id = _number(user, "id")
    if user_id < 1:
        raise MalformedDelivery("A user has no id.")
    reason = _why_not_timed(user)
    return user_id if reason is None else Ignored(reason)


def _actor(payload: Payload) -> int:
    """Return the id of the person who caused a delivery; 0 for a bot, or if GitHub names nobody."""
    sender = _person(payload.get("sender"))
    return 0 if isinstance(sender, Ignored) else sender


def _why_not_timed(user: Mapping[str, Any]) -> IgnoredReason | None:
    """Return why an account is never timed; None for a person.

    The type may also be ``Mannequin``, for the author of imported issues, or ``Organization``.
    """
    if user.get("id") == GHOST:
        return "ghost"
    account_type = user.get("type")
    if account_type in (None, "User"):
        return None
    return "bot" if account_type == "Bot" else "not_a_person"


def _login(payload: Any, *path: str) -> str:
    login = _text(payload, *path)
    if not _LOGIN.fullmatch(login):
        raise MalformedDelivery(f"{'.'.join(path)} is not a login.")
    return login


def _text(payload: Any, *path: str) -> str:
    value = _at(payload, path)
    if not isinstance(value, str):
        raise MalformedDelivery(f"{'.'.join(path)} is not a text.")
    return value


def _optional_text(payload: Any, *path: str) -> str | None:
    """Return a text that GitHub's schema lets be null or absent."""
    return None if _at(payload, path) is None else _text(payload, *path)


def _optional_list(payload: Any, *path: str) -> list[Any] | None:
    """Return a list that GitHub's schema lets be null or absent."""
    value = _at(payload, path)
    if value is not None and not isinstance(value, list):
        raise MalformedDelivery(f"{'.'.join(path)} is not a list.")
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
