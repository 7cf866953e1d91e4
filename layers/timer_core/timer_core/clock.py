"""The present, read by handlers and passed on from there, and the times that GitHub tells."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def ms_of(text: str) -> int:
    """Return the milliseconds since the epoch of a time in ISO 8601, in UTC if it does not say.

    Raises
    ------
    ValueError, OverflowError
        If the text is no time.
    """
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def iso(ms: int) -> str:
    """Return the whole second of a time (milliseconds since the epoch) as GitHub writes it."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
