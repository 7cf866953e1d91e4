"""Cursors lead back to where they were made, and nothing else is one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.api.cursors import decode_cursor, encode_cursor
from timer_core.domain.errors import InvalidInput
from timer_core.domain.ids import new_ulid
from timer_core.store.queries import Position

POSITION = Position(1_763_900_000_000, "01JD3K5W9GZ8Q4T1M6V7X0Y2BC", backwards=False)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(st.integers(0, 2**48 - 1), st.booleans())
def test_a_cursor_gives_its_position_back(start_ms: int, backwards: bool) -> None:
    position = Position(start_ms, new_ulid(start_ms), backwards)
    assert decode_cursor(encode_cursor(position)) == position


def test_a_cursor_needs_no_escaping_in_an_address() -> None:
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
def test_what_no_list_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(cursor)
    assert refused.value.field == "cursor"


@given(st.text())
def test_no_arbitrary_text_breaks_the_decoder(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text)
