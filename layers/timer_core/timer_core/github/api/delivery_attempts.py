"""What webhooks tried to deliver, and having it sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from timer_core.clock import ms_of
from timer_core.github.api.client import GitHub

_PAGE = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to deliver something.

    Attributes
    ----------
    attempt_id
        By which it is redelivered; the later, the greater. The GUID is the same for all attempts.
    is_repeated
        Whether it was a redelivery.
    status
        What we answered; 0 if we did not.
    """

    attempt_id: int
    guid: str
    event: str
    at_ms: int
    is_repeated: bool
    status: int

    @property
    def got_through(self) -> bool:
        """Whether it was taken."""
        return 200 <= self.status < 400


class Page(NamedTuple):
    """Some attempts, the newest first, and the path of the page with those before; None if there is none."""

    attempts: Sequence[Attempt]
    next_page: str | None


def attempts(github: GitHub, hook: str, owner: str | None, since_ms: int, page: str = "") -> Page:
    """Return what a webhook tried to deliver since a time, a page of it.

    GitHub's cursors name attempts, so that a page stays what it is while there are new ones.

    Parameters
    ----------
    hook
        The webhook's path in the REST API, as in `timer_core.github.messages.Hook`.
    owner
        Who owns it; None for the App's own.
    page
        The path of the page; empty for the newest.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    answer = github.rest("GET", page or f"{hook}/deliveries?per_page={_PAGE}", owner=owner)
    listed = [_attempt(delivery) for delivery in answer.data]
    recent = [attempt for attempt in listed if attempt.at_ms >= since_ms]
    return Page(recent, answer.next_page if len(recent) == len(listed) else None)


def _attempt(delivery: Mapping[str, Any]) -> Attempt:
    return Attempt(
        attempt_id=int(delivery["id"]),
        guid=delivery["guid"],
        event=delivery["event"],
        at_ms=ms_of(delivery["delivered_at"]),
        is_repeated=delivery["redelivery"],
        status=int(delivery["status_code"] or 0),
    )


def redeliver(github: GitHub, hook: str, owner: str | None, attempt_id: int) -> None:
    """Have a delivery sent again.

    Raises
    ------
    GitHubError
        If GitHub does not, for example because it is more than three days old.
    """
    github.rest("POST", f"{hook}/deliveries/{attempt_id}/attempts", owner=owner)
