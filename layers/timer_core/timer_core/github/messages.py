"""The messages in the queue. A message has the events of a delivery, without data that timers do not need."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

CardKind: TypeAlias = Literal["moved", "removed", "restored", "converted", "detailed"]
LeadTeamChange: TypeAlias = Literal["added", "removed", "edited", "deleted"]
RepositoryKind: TypeAlias = Literal["renamed", "transferred", "archived", "unarchived", "deleted"]

# What a delivery shows of an issue: the name of each detail, with the time at which GitHub had it and its
# content (`timer_core.domain.issue_details.Register`).
Seen: TypeAlias = dict[str, list[Any]]

# The kind of event that adds a stopped timer instead of changing a timer.
LOG = "comment.log"
# The kind of event in which a person states the estimate of an issue.
ESTIMATE = "comment.estimate"
# The path of a GitHub App's own webhook.
APP_HOOK = "/app/hook"


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """An event of an issue.

    Attributes
    ----------
    delivery
        Identifies the event, so that a repeated delivery counts once. It is GitHub's GUID of the delivery,
        the comment's id for a command, or the node id in the timeline for a backfilled event.
    kind
        A kind of event, see `timer_core.domain.events.EFFECTS`, or `LOG` or `ESTIMATE`.
    at_ms
        The time of the event (milliseconds since the epoch).
    users
        The ids of the GitHub users that the event concerns; None for everybody with an open timer.
    except_users
        The ids of the users that the event does not concern; only if `users` is None.
    duration_ms, commented_ms
        The duration to log, and the time of the comment; only for `LOG`. The duration of `ESTIMATE` is the
        estimate, 0 if it is taken back.
    title
        The issue's title; empty if the delivery does not contain it.
    fetched_ms
        When the event was backfilled from GitHub's timeline; 0 if a webhook delivered it.
    order
        The order of a backfilled event, see `timer_core.domain.events.Event`.
    repo_id
        The id of the repository, which never changes.
    card
        The node id of the card that caused the event; empty for other events, or if unknown.
    actor
        The id of the person who caused the event; 0 for a bot, or if unknown.
    seen
        The details of the issue, as far as the delivery contains them.
    """

    delivery: str
    kind: str
    repo_id: int
    repo: str
    number: int
    at_ms: int
    users: tuple[int, ...] | None = None
    duration_ms: int = 0
    commented_ms: int = 0
    title: str = ""
    fetched_ms: int = 0
    order: int | None = None
    except_users: tuple[int, ...] = ()
    card: str = ""
    actor: int = 0
    seen: Seen = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetailsEvent:
    """Details of an issue, in a delivery that changes no timer.

    Attributes
    ----------
    seen
        The details.
    reason
        Why the delivery changes no timer.
    """

    delivery: str
    repo_id: int
    repo: str
    number: int
    seen: Seen
    reason: str


@dataclass(frozen=True, slots=True)
class CardEvent:
    """A card of a project was changed; its issue has to be fetched from GitHub's API.

    Attributes
    ----------
    owner
        The login of the organization that owns the project.
    item, content
        The node ids of the card (empty if the delivery does not contain it) and of its issue.
    field
        The node id of the field that a move changed; None if the delivery gives the name of the field, which
        is then the status field.
    status
        The name of the new status, empty if it was removed; None if the delivery does not contain it.
    kind
        ``moved`` to another status, ``removed`` from the project (archived or deleted), ``restored`` from the
        archive, or ``converted`` from a draft to an issue. ``detailed`` if only details of its issue changed:
        it was added to the project, or its estimate was changed.
    actor
        The id of the person who changed the card; 0 for a bot, or if unknown.
    project
        The node id of the project; empty if the delivery does not contain it.
    changed_ms
        The time of the card's last change that GitHub gives.
    """

    delivery: str
    owner: str
    item: str
    content: str
    at_ms: int
    field: str | None = None
    status: str | None = None
    kind: CardKind = "moved"
    actor: int = 0
    project: str = ""
    changed_ms: int = 0


@dataclass(frozen=True, slots=True)
class MoveEvent:
    """An issue was transferred to another repository.

    Attributes
    ----------
    origin, target
        The full names of the repositories.
    numbers, repo_ids
        The issue's number and the repository's id before and after the transfer.
    seen
        The details of the issue after the transfer.
    """

    delivery: str
    origin: str
    target: str
    at_ms: int
    numbers: tuple[int, int]
    repo_ids: tuple[int, int]
    seen: Seen = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RepositoryEvent:
    """An event of a repository, which concerns all of its issues.

    Attributes
    ----------
    kind
        ``renamed``, ``transferred``, ``archived``, ``unarchived`` or ``deleted``.
    repo
        The full name of the repository after the event.
    received_ms
        When the delivery was received.
    actor
        The id of the person who caused the event; 0 for a bot, or if unknown.
    """

    delivery: str
    kind: RepositoryKind
    repo_id: int
    repo: str
    at_ms: int
    received_ms: int
    actor: int = 0


@dataclass(frozen=True, slots=True)
class OwnerRenamed:
    """A user or an organization got another login, which is part of the names of all their repositories.

    Attributes
    ----------
    origin, target
        The login before (empty if unknown) and after the event.
    owner_id
        The id of the user or organization, which never changes.
    """

    delivery: str
    origin: str
    target: str
    owner_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class CommentEvent:
    """A comment with commands, to reply to.

    Attributes
    ----------
    mistakes
        Sentences about lines that begin like a command and are not carried out.
    """

    delivery: str
    repo_id: int
    repo: str
    number: int
    at_ms: int
    comment: int
    author: int
    mistakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """The reply to a comment with commands, ready to be sent to GitHub.

    Attributes
    ----------
    reaction
        The ``content`` of the reaction in GitHub's REST API.
    text
        The comment to add; empty if the reaction suffices.
    """

    delivery: str
    repo: str
    number: int
    at_ms: int
    comment: int
    reaction: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class LeadTeamEvent:
    """The members of an organization's lead teams may have changed.

    Attributes
    ----------
    organization
        The login of the organization, in lower case.
    change
        ``added`` or ``removed``: a member; ``edited`` or ``deleted``: the team.
    slug, team_id
        The team, which need not be a lead team, but may be the child of one. The slug is empty if the
        delivery does not contain it. Both are empty if the member was removed from the organization.
    member
        The id of the person; 0 if the event is not about a person.
    is_of_organization
        Whether the person was removed from the organization, and so from all of its teams.
    """

    delivery: str
    organization: str
    change: LeadTeamChange
    slug: str = ""
    team_id: int = 0
    member: int = 0
    is_of_organization: bool = False


QueuedEvent: TypeAlias = (
    IssueEvent
    | DetailsEvent
    | CardEvent
    | MoveEvent
    | RepositoryEvent
    | OwnerRenamed
    | CommentEvent
    | ReplyEvent
    | LeadTeamEvent
)

_TYPES: dict[str, type[QueuedEvent]] = {
    "issue": IssueEvent,
    "details": DetailsEvent,
    "card": CardEvent,
    "move": MoveEvent,
    "repository": RepositoryEvent,
    "owner_renamed": OwnerRenamed,
    "comment": CommentEvent,
    "reply": ReplyEvent,
    "lead_team": LeadTeamEvent,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def group_of(event: QueuedEvent) -> str:
    """Return the message group of an event; events of one group are processed one after the other."""
    match event:
        case CardEvent():
            return event.content
        case MoveEvent():
            return f"{event.repo_ids[0]}#{event.numbers[0]}"
        case RepositoryEvent():
            return f"repository-{event.repo_id}"
        case OwnerRenamed():
            return f"owner-{event.owner_id}"
        case ReplyEvent():
            return f"comment-{event.comment}"
        case LeadTeamEvent():
            # In the order of receipt, which is the only order that these deliveries have.
            return f"lead-teams-{event.organization}"
        case IssueEvent() | DetailsEvent() | CommentEvent():
            return f"{event.repo_id}#{event.number}"


@dataclass(frozen=True, slots=True)
class Hook:
    """The webhook that a delivery came from.

    Attributes
    ----------
    path
        The path of the webhook in GitHub's REST API, such as ``/repos/octocat/hello-world/hooks/1``, or
        `APP_HOOK`.
    """

    path: str


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """A delivery as admins see it.

    Attributes
    ----------
    received_ms
        When the delivery was received (milliseconds since the epoch).
    event
        The event and its action, such as ``issues.assigned``, or ``ping``; empty if it is unknown.
    source
        The full name of the repository, or the login of the organization; empty if there is neither.
    ignored
        Why the receiver ignored the delivery; empty if it did not.
    is_refused
        Whether the signature was wrong. Nothing else is known then.
    """

    received_ms: int
    event: str = ""
    source: str = ""
    ignored: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the events of a delivery in order.

    Attributes
    ----------
    hook
        The webhook, if GitHub named it.
    summary
        The delivery for admins; None for a reply, which is no delivery.
    """

    events: tuple[QueuedEvent, ...]
    hook: Hook | None = None
    summary: DeliverySummary | None = None

    @property
    def delivery(self) -> str:
        """GitHub's GUID of the delivery; empty for a ping."""
        # Commands have the id of the comment; only the last event, which requests the reply, has the GUID of
        # the delivery.
        return self.events[-1].delivery if self.events else ""


def to_json(
    events: Sequence[QueuedEvent], hook: Hook | None = None, summary: DeliverySummary | None = None
) -> str:
    """Return the body of a message."""
    message = {
        "events": [{"type": _NAMES[type(event)], **asdict(event)} for event in events],
        "hook": hook and hook.path,
        "summary": summary and {name: value for name, value in asdict(summary).items() if value},
    }
    return json.dumps(message, separators=(",", ":"))


def from_json(text: str) -> Message:
    """Parse the body of a message.

    Raises
    ------
    ValueError, TypeError, KeyError
        If `to_json` did not create the text.
    """
    loaded = json.loads(text)
    hook, summary = loaded["hook"], loaded["summary"]
    return Message(
        tuple(map(_event, loaded["events"])),
        None if hook is None else Hook(hook),
        None if summary is None else DeliverySummary(**summary),
    )


def _event(fields: dict[str, Any]) -> QueuedEvent:
    kind = _TYPES[fields.pop("type")]
    tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return kind(**fields | tuples)
