"""GitHub's events, reduced to what timers need.

To handle another event of an issue: add a reader to `READERS`, and the kind of fact that it
makes to `timer_core.domain.replay.EFFECTS`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.github.commands import parse

# GitHub redelivers what was sent in the past three days ("Redelivering webhooks").
REDELIVERY_WINDOW = timedelta(days=3)
# More commands than this in one comment are nobody's intention.
MAX_COMMANDS = 10
# The kind of an event that is no fact about a timer but time to add.
LOG = "comment.log"

Payload: TypeAlias = Mapping[str, Any]


class MalformedDelivery(ValueError):
    """A payload lacks what GitHub's documentation says is in it."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that changes no timer.

    Attributes
    ----------
    reason
        One of ``not_handled``, ``bot``, ``issue_closed``, ``no_assignees``, ``other_label``,
        ``pull_request``, ``no_command``.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class IssueEvent:
    """What happened to an issue, as it travels through the queue.

    Attributes
    ----------
    delivery
        GitHub's GUID of the delivery.
    kind
        A kind of fact, see `timer_core.domain.replay.EFFECTS`.
    at_ms
        When it counts from (milliseconds since the epoch).
    users
        The ids of the GitHub accounts concerned; None if that is everybody with an open timer.
    duration_ms
        The time to add, if somebody logs some (``comment.log``).
    """

    delivery: str
    kind: str
    repo: str
    number: int
    at_ms: int
    users: tuple[int, ...] | None = None
    duration_ms: int = 0


def to_json(events: Sequence[IssueEvent]) -> str:
    """Return the text that goes into the queue: the events of one delivery."""
    return json.dumps([asdict(event) for event in events], separators=(",", ":"))


def from_json(text: str) -> list[IssueEvent]:
    """Read the text that `to_json` wrote.

    Raises
    ------
    ValueError, TypeError
        If it is something else.
    """
    loaded = json.loads(text)
    if not isinstance(loaded, list) or not loaded:
        raise ValueError("Not a list of events.")
    events = []
    for fields in loaded:
        users = fields.pop("users")
        events.append(IssueEvent(**fields, users=None if users is None else tuple(users)))
    return events


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a deployment gives to things.

    Attributes
    ----------
    start_labels
        Labels that start a timer, in lower case: GitHub ignores the case of labels.
    command_prefix
        What a command in a comment begins with.
    """

    start_labels: frozenset[str] = frozenset()
    command_prefix: str = "/timer"


def read(
    name: str,
    payload: Payload,
    *,
    delivery: str,
    received_ms: int,
    vocabulary: Vocabulary,
) -> tuple[IssueEvent, ...] | Ignored:
    """Reduce a delivery to the events in it, in their order: a comment may hold several commands.

    Parameters
    ----------
    name
        The header ``X-GitHub-Event``.
    payload
        The parsed body.
    delivery
        The header ``X-GitHub-Delivery``.
    received_ms
        When it came (milliseconds since the epoch).

    Raises
    ------
    MalformedDelivery
        If something is missing, or not what GitHub sends.
    """
    event = f"{name}.{payload.get('action')}"
    reader = READERS.get(event)
    if reader is None:
        return Ignored("not_handled")
    what = reader(payload, vocabulary)
    if isinstance(what, Ignored):
        return what
    issue = _issue(payload)
    at_ms = counts_from(what.happened, received_ms)
    return tuple(
        IssueEvent(
            delivery=delivery if number == 0 else f"{delivery}.{number}",
            kind=kind,
            repo=issue.full_name,
            number=issue.number,
            # One after the other, though GitHub knows one time for the whole.
            at_ms=at_ms + number,
            users=what.users,
            duration_ms=duration_ms,
        )
        for number, (kind, duration_ms) in enumerate(what.kinds)
    )


def counts_from(happened: str | None, received_ms: int) -> int:
    """Return the time from which an event counts (milliseconds since the epoch).

    That is when it happened, unless GitHub could not have sent it that late (or that early).

    Raises
    ------
    MalformedDelivery
        If the time is not one.
    """
    if happened is None:
        return received_ms
    try:
        parsed = datetime.fromisoformat(happened)
        happened_ms = int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise MalformedDelivery(f"Not a time: {happened!r}.") from error
    window_ms = REDELIVERY_WINDOW // timedelta(milliseconds=1)
    return happened_ms if received_ms - window_ms <= happened_ms <= received_ms else received_ms


@dataclass(frozen=True, slots=True)
class _Happening:
    """What happened, when (None if the payload does not say), and whom it concerns.

    ``kinds`` has the kinds of fact, each with the time to log (milliseconds).
    """

    kinds: Sequence[tuple[str, int]]
    happened: str | None
    users: tuple[int, ...] | None = None


def _assigned(payload: Payload, _: Vocabulary) -> _Happening | Ignored:
    if _is_closed(payload):
        return Ignored("issue_closed")
    return _to_assignee("assigned", payload)


def _unassigned(payload: Payload, _: Vocabulary) -> _Happening | Ignored:
    return _to_assignee("unassigned", payload)


def _to_assignee(kind: str, payload: Payload) -> _Happening | Ignored:
    assignee = _user(payload.get("assignee"))
    if assignee is None:
        return Ignored("bot")
    return _Happening([(kind, 0)], _text(payload, "issue", "updated_at"), (assignee,))


def _closed(payload: Payload, _: Vocabulary) -> _Happening:
    closed_at = _at(payload, ("issue", "closed_at"))
    return _Happening([("closed", 0)], _text(payload, "issue", "closed_at" if closed_at else "updated_at"))


def _deleted(_payload: Payload, _: Vocabulary) -> _Happening:
    # A deleted issue keeps the time of its last change, which can be long ago.
    return _Happening([("deleted", 0)], None)


def _reopened(payload: Payload, _: Vocabulary) -> _Happening | Ignored:
    return _to_assignees("reopened", payload)


def _labeled(payload: Payload, vocabulary: Vocabulary) -> _Happening | Ignored:
    if not _is_start_label(payload, vocabulary):
        return Ignored("other_label")
    if _is_closed(payload):
        return Ignored("issue_closed")
    return _to_assignees("labeled", payload)


def _unlabeled(payload: Payload, vocabulary: Vocabulary) -> _Happening | Ignored:
    if not _is_start_label(payload, vocabulary):
        return Ignored("other_label")
    return _to_assignees("unlabeled", payload)


def _to_assignees(kind: str, payload: Payload) -> _Happening | Ignored:
    assignees = _at(payload, ("issue", "assignees")) or []
    if not isinstance(assignees, list):
        raise MalformedDelivery("issue.assignees is not a list.")
    users = [user for user in map(_user, assignees) if user is not None]
    if not users:
        return Ignored("no_assignees")
    return _Happening([(kind, 0)], _text(payload, "issue", "updated_at"), tuple(sorted(users)))


def _commented(payload: Payload, vocabulary: Vocabulary) -> _Happening | Ignored:
    if _at(payload, ("issue", "pull_request")):
        return Ignored("pull_request")
    author = _user(_at(payload, ("comment", "user")))
    if author is None:
        return Ignored("bot")
    commands, _ = parse(_text(payload, "comment", "body"), vocabulary.command_prefix)
    if not commands:
        return Ignored("no_command")
    kinds = [(f"comment.{command.action}", command.duration_ms) for command in commands[:MAX_COMMANDS]]
    return _Happening(kinds, _text(payload, "comment", "created_at"), (author,))


_Reader: TypeAlias = Callable[[Payload, Vocabulary], _Happening | Ignored]

READERS: dict[str, _Reader] = {
    "issues.assigned": _assigned,
    "issues.unassigned": _unassigned,
    "issues.closed": _closed,
    "issues.deleted": _deleted,
    "issues.reopened": _reopened,
    "issues.labeled": _labeled,
    "issues.unlabeled": _unlabeled,
    "issue_comment.created": _commented,
}


def _is_closed(payload: Payload) -> bool:
    return bool(_at(payload, ("issue", "state")) == "closed")


def _is_start_label(payload: Payload, vocabulary: Vocabulary) -> bool:
    return _text(payload, "label", "name").lower() in vocabulary.start_labels


def _issue(payload: Payload) -> Issue:
    try:
        return Issue.of(_text(payload, "repository", "full_name"), _number(payload, "issue", "number"))
    except InvalidInput as error:
        raise MalformedDelivery(f"Not an issue: {error}") from error


def _user(user: Any) -> int | None:
    """Return the id of an account, or None if it is a bot's."""
    if not isinstance(user, dict):
        raise MalformedDelivery("A user is missing.")
    user_id = user.get("id")
    if not isinstance(user_id, int) or isinstance(user_id, bool) or user_id < 1:
        raise MalformedDelivery("A user has no id.")
    return None if user.get("type") == "Bot" else user_id


def _text(payload: Payload, *path: str) -> str:
    value = _at(payload, path)
    if not isinstance(value, str):
        raise MalformedDelivery(f"{'.'.join(path)} is not a text.")
    return value


def _number(payload: Payload, *path: str) -> int:
    value = _at(payload, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedDelivery(f"{'.'.join(path)} is not a number.")
    return value


def _at(payload: Payload, path: tuple[str, ...]) -> Any:
    value: Any = payload
    for name in path:
        if not isinstance(value, dict):
            raise MalformedDelivery(f"{'.'.join(path)} is missing.")
        value = value.get(name)
    return value
