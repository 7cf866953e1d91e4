"""Block requests to GitHub while a rate limit applies, and for a short time after an outage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timer_core.github.api.errors import QueryFailed, RateLimited, Unavailable

_OUTAGE_S = 10.0
_MAX_OUTAGE_S = 60.0
# The key for an outage, which affects all accounts. No login contains this character.
_ALL = "*"


class CircuitBreaker:
    """Blocks requests after an error. Every request raises the error again until the error's retry time.

    A rate limit belongs to one account's installation ("Rate limits for the REST API"). A failed query blocks
    no other request. Every other error counts as an outage of all of GitHub.

    Parameters
    ----------
    now_s
        The clock, in seconds since the epoch.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        # For each account: the last error, and the time when the block ends (seconds since the epoch).
        self._open: dict[str, tuple[Unavailable, float]] = {}

    @contextmanager
    def guard(self, account: str) -> Iterator[None]:
        """Run a ``with`` block that sends requests, or raise the last error if requests are blocked.

        Parameters
        ----------
        account
            The account whose rate limit the requests count against.

        Raises
        ------
        Unavailable
            The last error, with the remaining time.
        """
        for key in (account, _ALL):
            if key in self._open:
                error, until_s = self._open[key]
                if (remaining_s := until_s - self._now_s()) > 0:
                    raise type(error)(str(error), remaining_s)
        try:
            yield
        except RateLimited as error:
            self._open[account] = (error, self._now_s() + error.retry_after_s)
            raise
        except QueryFailed:
            raise
        except Unavailable as error:
            outage_s = min(error.retry_after_s or _OUTAGE_S, _MAX_OUTAGE_S)
            self._open[_ALL] = (error, self._now_s() + outage_s)
            raise
