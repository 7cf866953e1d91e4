"""When GitHub is not to be asked: while a rate limit is reached, and for a moment after it failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timer_core.github.api.errors import QueryFailed, RateLimited, Unavailable

_OUTAGE_S = 10.0
_LONGEST_OUTAGE_S = 60.0
# No login has this character.
_EVERYBODY = "*"


class CircuitBreaker:
    """Remembers Unavailable, for as long as it says.

    A rate limit is that of one account's installation ("Rate limits for the REST API"). That a query failed
    keeps from no other, and everything else is taken for an outage of all of GitHub.

    Parameters
    ----------
    now_s
        The clock, in seconds since the epoch.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._pauses: dict[str, tuple[Unavailable, float]] = {}

    @contextmanager
    def kept(self, account: str) -> Iterator[None]:
        """Run what asks GitHub, unless it is not to be asked; remember if it turns out to be unavailable.

        Parameters
        ----------
        account
            Whose rate limit counts.

        Raises
        ------
        Unavailable
            The same as before, with the time that is left.
        """
        for key in (account, _EVERYBODY):
            if key in self._pauses:
                error, until_s = self._pauses[key]
                if (left_s := until_s - self._now_s()) > 0:
                    raise type(error)(str(error), left_s)
        try:
            yield
        except RateLimited as error:
            self._pauses[account] = (error, self._now_s() + error.retry_after_s)
            raise
        except QueryFailed:
            raise
        except Unavailable as error:
            pause_s = min(error.retry_after_s or _OUTAGE_S, _LONGEST_OUTAGE_S)
            self._pauses[_EVERYBODY] = (error, self._now_s() + pause_s)
            raise
