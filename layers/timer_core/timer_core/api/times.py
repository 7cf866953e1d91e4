"""Times and dates in bodies: UTC, ISO 8601, with milliseconds."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from timer_core.domain.errors import ErrorCode, InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
_MILLISECOND = timedelta(milliseconds=1)
_MINUTE_MS = 60_000
# The arithmetic of local dates needs some years before and after the dates.
_YEARS = range(1970, 2200)


def to_ms(moment: datetime) -> int:
    """Return the milliseconds since the epoch."""
    return (moment - EPOCH) // _MILLISECOND


def to_time(ms: int) -> datetime:
    """Return the UTC time of milliseconds since the epoch."""
    return EPOCH + ms * _MILLISECOND


def format_ms(ms: int) -> str:
    """Return ISO 8601 with milliseconds and ``Z`` of milliseconds since the epoch."""
    minute, ms_of_minute = divmod(ms, _MINUTE_MS)
    return "%s:%02d.%03dZ" % (_format_minute(minute), *divmod(ms_of_minute, 1000))  # noqa: UP031 - faster


# Most of a timer's times are in the same few minutes.
@lru_cache(maxsize=1000)
def _format_minute(minute: int) -> str:
    return (_NAIVE_EPOCH + timedelta(minutes=minute)).isoformat(timespec="minutes")


def format_time(moment: datetime) -> str:
    """Return ISO 8601 with milliseconds and ``Z``."""
    return format_ms(to_ms(moment))


def parse_date(text: object, field: str = "date") -> date:
    """Return a date written as ``2026-12-24``.

    Raises
    ------
    InvalidInput
        If the text is not a date, or the date is not between 1970 and 2199.
    """
    try:
        # Python also parses 20261224 and 2026-W52-4.
        day = date.fromisoformat(text) if isinstance(text, str) and len(text) == 10 else None
    except ValueError:
        day = None
    if day is None or day.isoformat() != text or day.year not in _YEARS:
        message = "Must be a date between 1970 and 2199, such as 2026-12-24."
        raise InvalidInput(field, message, ErrorCode.INVALID_DATE)
    return day
