"""What travels through the queue: the events of a delivery, reduced to what timers need."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

# The kind of an event that is no event about a timer but time to add.
LOG = "comment.log"
# The path of the webhook that a GitHub App has.
APP_HOOK = "/app/hook"


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """What happened to an issue.

    Attributes
    ----------
    delivery
        What the same event has in common when it is told again: GitHub's GUID of the delivery; for
        a command, the comment.
    kind
        A kind of event, see `timer_core.domain.events.EFFECTS`, or `LOG`.
    at_ms
        When it counts from (milliseconds since the epoch).
    users
        The ids of the GitHub accounts concerned; None if that is everybody with an open timer.
    duration_ms, commented_ms
        The time to add, if somebody logs some, and when GitHub says that they did.
    title
        The issue's title; empty if the delivery does not say.
    fetched_ms
        When GitHub's timeline was read that told of it, because no delivery had; 0 if one did.
    order
        Of an event read from the timeline, as in `timer_core.domain.events.Event`.
    """

    delivery: str
    kind: str
    repo: str
    number: int
    at_ms: int
    users: tuple[int, ...] | None = None
    duration_ms: int = 0
    commented_ms: int = 0
    title: str = ""
    fetched_ms: int = 0
    order: int | None = None


@dataclass(frozen=True, slots=True)
class CardEvent:
    """A project's card of an issue was moved; which issue that is, only GitHub's API tells.

    Attributes
    ----------
    owner
        The login of the organization that owns the project.
    item, content
        The node ids of the card and of its issue.
    field
        The node id of the field that was changed, if the delivery does not say that it is the status.
    status
        The name of the new status, empty if it was taken away; None if the delivery does not say.
    """

    delivery: str
    owner: str
    item: str
    content: str
    at_ms: int
    field: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class MoveEvent:
    """An issue was transferred, or a repository renamed or transferred with all of its issues.

    Attributes
    ----------
    origin, target
        The repositories' full names before and after.
    numbers
        The issue's number before and after; None if all issues of the repository keep theirs.
    received_ms
        When the delivery was received.
    """

    delivery: str
    origin: str
    target: str
    at_ms: int
    received_ms: int
    numbers: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class CommentEvent:
    """Somebody gave commands in a comment, and is to be answered.

    Attributes
    ----------
    mistakes
        A sentence for each line that was meant as a command and is none.
    """

    delivery: str
    repo: str
    number: int
    at_ms: int
    comment: int
    author: int
    mistakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """The answer to a comment with commands, ready to be sent to GitHub.

    Attributes
    ----------
    reaction
        A reaction's ``content`` as in GitHub's REST API.
    text
        What to comment; empty if the reaction says it all.
    """

    delivery: str
    repo: str
    number: int
    at_ms: int
    comment: int
    reaction: str
    text: str = ""


QueuedEvent: TypeAlias = IssueEvent | CardEvent | MoveEvent | CommentEvent | ReplyEvent

_TYPES: dict[str, type[QueuedEvent]] = {
    "issue": IssueEvent,
    "card": CardEvent,
    "move": MoveEvent,
    "comment": CommentEvent,
    "answer": ReplyEvent,
}
_NAMES = {kind: name for name, kind in _TYPES.items()}


def group_of(event: QueuedEvent) -> str:
    """Return what the events have in common that are processed one after the other."""
    match event:
        case CardEvent():
            return event.content
        case MoveEvent():
            return f"{event.origin}#{event.numbers[0] if event.numbers else ''}".lower()
        case ReplyEvent():
            return f"comment-{event.comment}"
        case IssueEvent() | CommentEvent():
            return f"{event.repo}#{event.number}".lower()


@dataclass(frozen=True, slots=True)
class Hook:
    """The webhook that a delivery came from.

    Attributes
    ----------
    path
        Where it is in GitHub's REST API, as in ``/repos/octocat/hello-world/hooks/1``, or `APP_HOOK`.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery in the queue: its events in their order, and the webhook if GitHub named one."""

    events: tuple[QueuedEvent, ...]
    hook: Hook | None = None

    @property
    def delivery(self) -> str:
        """GitHub's GUID of the delivery; empty for a ping."""
        # Commands are named for their comment, and what comes after them, to answer it, for the delivery.
        return self.events[-1].delivery if self.events else ""


def to_json(events: Sequence[QueuedEvent], hook: Hook | None = None) -> str:
    """Return the text that goes into the queue."""
    message = {
        "events": [{"type": _NAMES[type(event)], **asdict(event)} for event in events],
        "hook": hook and hook.path,
    }
    return json.dumps(message, separators=(",", ":"))


def from_json(text: str) -> Message:
    """Read the text that `to_json` wrote.

    Raises
    ------
    ValueError, TypeError, KeyError
        If it is something else.
    """
    loaded = json.loads(text)
    hook = loaded["hook"]
    return Message(tuple(map(_event, loaded["events"])), None if hook is None else Hook(hook))


def _event(fields: dict[str, Any]) -> QueuedEvent:
    kind = _TYPES[fields.pop("type")]
    tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
    return kind(**fields | tuples)
