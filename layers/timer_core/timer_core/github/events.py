"""GitHub's events, reduced to what timers need.

To handle another event of an issue: add a reader to `READERS`, and the kind of fact that it
makes to `timer_core.domain.replay.EFFECTS`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeAlias

from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue

# GitHub redelivers what was sent in the past three days ("Redelivering webhooks").
REDELIVERY_WINDOW = timedelta(days=3)

Payload: TypeAlias = Mapping[str, Any]


class MalformedDelivery(ValueError):
    """A payload lacks what GitHub's documentation says is in it."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery that changes no timer.

    Attributes
    ----------
    reason
        One of ``not_handled``, ``bot``, ``issue_closed``, ``no_assignees``.
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
    """

    delivery: str
    kind: str
    repo: str
    number: int
    at_ms: int
    users: tuple[int, ...] | None = None

    def to_json(self) -> str:
        """Return the text that goes into the queue."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text that `to_json` wrote."""
        fields = json.loads(text)
        users = fields.pop("users")
        return cls(**fields, users=None if users is None else tuple(users))


def read(name: str, payload: Payload, *, delivery: str, received_ms: int) -> IssueEvent | Ignored:
    """Reduce a delivery.

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
    action = payload.get("action")
    reader = READERS.get(f"{name}.{action}")
    if reader is None:
        return Ignored("not_handled")
    what = reader(payload)
    if isinstance(what, Ignored):
        return what
    issue = _issue(payload)
    return IssueEvent(
        delivery=delivery,
        kind=str(action),
        repo=issue.full_name,
        number=issue.number,
        at_ms=counts_from(what.happened, received_ms),
        users=what.users,
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
    """When something happened (None if the payload does not say) and whom it concerns."""

    happened: str | None
    users: tuple[int, ...] | None = None


def _assigned(payload: Payload) -> _Happening | Ignored:
    if _at(payload, ("issue", "state")) == "closed":
        return Ignored("issue_closed")
    return _unassigned(payload)


def _unassigned(payload: Payload) -> _Happening | Ignored:
    assignee = _user(payload.get("assignee"))
    if assignee is None:
        return Ignored("bot")
    return _Happening(_text(payload, "issue", "updated_at"), (assignee,))


def _closed(payload: Payload) -> _Happening:
    closed_at = _at(payload, ("issue", "closed_at"))
    return _Happening(_text(payload, "issue", "closed_at" if closed_at else "updated_at"))


def _deleted(_: Payload) -> _Happening:
    # A deleted issue keeps the time of its last change, which can be long ago.
    return _Happening(None)


def _reopened(payload: Payload) -> _Happening | Ignored:
    assignees = _at(payload, ("issue", "assignees")) or []
    if not isinstance(assignees, list):
        raise MalformedDelivery("issue.assignees is not a list.")
    users = [user for user in map(_user, assignees) if user is not None]
    if not users:
        return Ignored("no_assignees")
    return _Happening(_text(payload, "issue", "updated_at"), tuple(sorted(users)))


READERS: dict[str, Callable[[Payload], _Happening | Ignored]] = {
    "issues.assigned": _assigned,
    "issues.unassigned": _unassigned,
    "issues.closed": _closed,
    "issues.deleted": _deleted,
    "issues.reopened": _reopened,
}


def _issue(payload: Payload) -> Issue:
    try:
        return Issue.of(_text(payload, "repository", "full_name"), _number(payload, "issue", "number"))
    except InvalidInput as error:
        raise MalformedDelivery(f"Not an issue: {error}") from error


def _user(user: Any) -> int | None:
    """Return the id of an account, or None if it is a bot's."""
    if not isinstance(user, dict):
        raise MalformedDelivery("An assignee is missing.")
    user_id = user.get("id")
    if not isinstance(user_id, int) or isinstance(user_id, bool) or user_id < 1:
        raise MalformedDelivery("An assignee has no id.")
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
