"""The periods that requests name, and the limit of those that read much."""

from timelogs.shared import guard
from timer_core.api.requests import Request
from timer_core.domain.errors import ErrorCode, InvalidInput
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import CLOCK_SKEW_MS, Period

# A request that adds up or counts the timers of a longer period counts as a write, because the request reads
# as much as a page of the export.
_CHEAP_PERIOD_MS = 7 * DAY_MS


def period_between(since_ms: int, until_ms: int) -> Period:
    """Return a requested period.

    Raises
    ------
    InvalidInput
        If the period ends before it begins, or is empty.
    """
    if since_ms >= until_ms:
        raise InvalidInput("since", "Must be before until.", ErrorCode.END_BEFORE_START)
    return Period(since_ms, until_ms)


def elapsed_part(period: Period, now: int) -> Period:
    """Return the part of a period up to the present. It is empty if the period lies in the future."""
    return period._replace(until_ms=min(period.until_ms, now + CLOCK_SKEW_MS))


def limit_long(request: Request, elapsed: Period | None) -> None:
    """Count a request that reads all timers of a long period towards the write limit.

    ``elapsed`` is the elapsed part of the period; None means that the period is not limited.
    """
    if elapsed is None or elapsed.until_ms - elapsed.since_ms > _CHEAP_PERIOD_MS + CLOCK_SKEW_MS:
        guard.count_write(request.caller, now_ms=request.now_ms)
