"""What webhooks tried to deliver, and having it sent again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from timer_core.clock import ms_of
from timer_core.github.client import GitHub

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


def attempts(
    github: GitHub, hook: str, owner: str | None, since_ms: int, has_time: Callable[[], bool]
) -> Iterator[Attempt]:
    """Yield what a webhook tried to deliver since a time, the newest first, as long as there is time.

    Parameters
    ----------
    hook
        The webhook's path in the REST API, as in `timer_core.github.messages.Hook`.
    owner
        Who owns it; None for the App's own.

    Raises
    ------
    GitHubError
        If GitHub does not answer.
    """
    path: str | None = f"{hook}/deliveries?per_page={_PAGE}"
    while path is not None and has_time():
        answer = github.rest("GET", path, owner=owner)
        for attempt in answer.data:
            at_ms = ms_of(attempt["delivered_at"])
            if at_ms < since_ms:
                return
            yield Attempt(
                attempt_id=int(attempt["id"]),
                guid=attempt["guid"],
                event=attempt["event"],
                at_ms=at_ms,
                is_repeated=attempt["redelivery"],
                status=int(attempt["status_code"] or 0),
            )
        path = answer.next_page


def redeliver(github: GitHub, hook: str, owner: str | None, attempt_id: int) -> None:
    """Have a delivery sent again.

    Raises
    ------
    GitHubError
        If GitHub does not, for example because it is more than three days old.
    """
    github.rest("POST", f"{hook}/deliveries/{attempt_id}/attempts", owner=owner)
