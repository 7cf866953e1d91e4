"""List a webhook's attempts to deliver events, and request redeliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from timer_core.clock import ms_of
from timer_core.github.api.client import GitHub

_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event.

    Attributes
    ----------
    attempt_id
        The id for requesting a redelivery; it increases with time.
    guid
        The delivery's GUID, the same for all attempts.
    is_redelivery
        Whether the attempt is a requested redelivery.
    status
        The HTTP status of our response; 0 if there was none.
    """

    attempt_id: int
    guid: str
    event: str
    at_ms: int
    is_redelivery: bool
    status: int

    @property
    def succeeded(self) -> bool:
        """Whether we accepted the delivery."""
        return 200 <= self.status < 400


class AttemptPage(NamedTuple):
    """A page of attempts, newest first, and the path of the next page (None on the last page)."""

    attempts: Sequence[Attempt]
    next_page: str | None


def list_attempts(github: GitHub, hook: str, owner: str | None, since_ms: int, page: str = "") -> AttemptPage:
    """Return a page of a webhook's attempts since a time.

    GitHub's cursors name attempts, so new attempts do not shift the pages.

    Parameters
    ----------
    hook
        The webhook's path in the REST API, as in `timer_core.github.messages.Hook`.
    owner
        The login of the webhook's owner; None for the App's own webhook.
    page
        The path of the page; empty for the newest page.

    Raises
    ------
    GitHubError
        If GitHub does not respond, or refuses.
    """
    response = github.rest("GET", page or f"{hook}/deliveries?per_page={_PAGE_SIZE}", owner=owner)
    listed = [_attempt(delivery) for delivery in response.data]
    recent = [attempt for attempt in listed if attempt.at_ms >= since_ms]
    return AttemptPage(recent, response.next_page if len(recent) == len(listed) else None)


def request_redelivery(github: GitHub, hook: str, owner: str | None, attempt_id: int) -> None:
    """Have GitHub send a delivery again.

    Raises
    ------
    GitHubError
        If GitHub refuses, for example because the delivery is more than three days old.
    """
    github.rest("POST", f"{hook}/deliveries/{attempt_id}/attempts", owner=owner)


def _attempt(delivery: Mapping[str, Any]) -> Attempt:
    return Attempt(
        attempt_id=int(delivery["id"]),
        guid=delivery["guid"],
        event=delivery["event"],
        at_ms=ms_of(delivery["delivered_at"]),
        is_redelivery=delivery["redelivery"],
        status=int(delivery["status_code"] or 0),
    )
