"""Cursors encode positions; any other text is refused."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.domain.errors import InvalidInput
from timer_core.domain.ids import new_ulid
from timer_core.store.positions import ExportPosition, OpenTimerKey, OpenTimersCursor, Position

POSITION = Position(1_763_900_000_000, "01JD3K5W9GZ8Q4T1M6V7X0Y2BC", backwards=False)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(st.integers(0, 2**48 - 1), st.booleans())
def test_decoding_a_cursor_returns_its_position(start_ms: int, backwards: bool) -> None:
    position = Position(start_ms, new_ulid(start_ms), backwards)
    assert decode_cursor(encode_cursor(position), Position.parse) == position


@given(st.integers(0, 7), st.integers(0, 2**48 - 1), st.integers(1, 2**63 - 1))
def test_decoding_a_cursor_of_all_open_timers_returns_its_position(
    shard: int, since_ms: int, user_id: int
) -> None:
    for position in (
        OpenTimersCursor(shard),
        OpenTimersCursor(shard, OpenTimerKey(since_ms, user_id, new_ulid(since_ms))),
    ):
        cursor = encode_cursor(position)
        assert len(cursor) < 200
        assert decode_cursor(cursor, OpenTimersCursor.parse) == position


@pytest.mark.parametrize(
    "sk",
    [
        "profile",
        "timer#01JD3K5W9GZ8Q4T1M6V7X0Y2BC",
        f"key#{'0f' * 16}",
        "writes#29000000",
        "day#2026-11-30",
        "confirmed#2026-11-30#1",
    ],
)
def test_decoding_a_cursor_of_an_export_returns_its_position(sk: str) -> None:
    assert decode_cursor(encode_cursor(ExportPosition(sk)), ExportPosition.parse) == ExportPosition(sk)


@pytest.mark.parametrize("parse", [OpenTimersCursor.parse, ExportPosition.parse])
@pytest.mark.parametrize(
    "cursor",
    [
        encoded("7 1 x 01JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        encoded("777"),
        encoded("timer#01JD3K5W9GZ8Q4T1M6V7X0Y2BC#2"),
        encoded("TIMER#1"),
        encode_cursor(POSITION),
        "timer#1",
    ],
)
def test_a_cursor_of_another_list_is_refused(cursor: str, parse: Callable[[str], object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(cursor, parse)
    assert refused.value.field == "cursor"


def test_a_cursor_needs_no_escaping_in_a_url() -> None:
    cursor = encode_cursor(POSITION)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert len(cursor) < 100


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "=",
        "null",
        "é",
        "\0",
        "n1763900000000.01JD3K5W9GZ8Q4T1M6V7X0Y2BC",
        encode_cursor(POSITION)[:-4],
        encode_cursor(POSITION) + "AAAA",
        encode_cursor(POSITION) + "!",
        encode_cursor(POSITION)[:10] + "\n" + encode_cursor(POSITION)[10:],
        encoded("n-1.01JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        encoded("n.01JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        encoded("x1763900000000.01JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        encoded("n1763900000000.../profile"),
        encoded("n1763900000000.01JD3K5W9GZ8Q4T1M6V7X0Y2BC#x"),
        encoded("n1763900000000.81JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        encoded(f"n{10**15}.01JD3K5W9GZ8Q4T1M6V7X0Y2BC"),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_every_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(cursor, Position.parse)
    assert refused.value.field == "cursor"


@given(st.text())
def test_decoding_any_text_raises_no_other_error(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text, Position.parse)
