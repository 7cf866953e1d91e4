"""Times in bodies."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from timer_core.api.times import format_ms

_LAST_MS = 253_402_300_799_999


@given(st.integers(0, _LAST_MS))
def test_a_time_is_utc_with_milliseconds(ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    assert format_ms(ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
