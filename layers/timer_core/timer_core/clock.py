"""The current time, which only handlers read, and the conversion of ISO 8601 times."""

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def ms_of(text: str) -> int:
    """Convert an ISO 8601 time to milliseconds since the epoch; a time without an offset is in UTC.

    Raises
    ------
    ValueError, OverflowError
        If the text is not an ISO 8601 time.
    """
    parsed = datetime.fromisoformat(text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def iso(ms: int) -> str:
    """Format a time (milliseconds since the epoch) as GitHub does: in UTC, with whole seconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
