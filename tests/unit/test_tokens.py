"""The form and the checksum of a token's text."""

import string
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.tokens import TOKEN_PREFIX, is_token

DIGITS = string.digits + string.ascii_letters


def token_of(body: str) -> str:
    """Return a token that consists of 32 characters, followed by their CRC-32 as six base-62 digits."""
    checksum = crc32(body.encode())
    return TOKEN_PREFIX + body + "".join(DIGITS[checksum // 62**place % 62] for place in range(5, -1, -1))


TOKEN = token_of("Zk3v9QmB7xT1yLd0RnW5sHc2FjG8pU4e")


@given(st.text(DIGITS, min_size=32, max_size=32))
def test_any_letters_and_digits_with_their_checksum_are_a_token(body: str) -> None:
    assert is_token(token_of(body))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        TOKEN_PREFIX,
        TOKEN[:-1],
        TOKEN[:20],
        TOKEN + "0",
        TOKEN + " ",
        TOKEN + "\n",
        TOKEN.removeprefix(TOKEN_PREFIX),
        TOKEN.upper(),
        "ghp_" + TOKEN.removeprefix(TOKEN_PREFIX),
        TOKEN_PREFIX + "é" * 38,
        TOKEN_PREFIX + "0" * 38,
        TOKEN_PREFIX * 20,
    ],
)
def test_truncated_and_invented_texts_are_not_tokens(text: str) -> None:
    assert not is_token(text)


@given(st.integers(len(TOKEN_PREFIX), len(TOKEN) - 1), st.characters(codec="ascii"))
def test_a_mistyped_character_is_detected(position: int, character: str) -> None:
    mistyped = TOKEN[:position] + character + TOKEN[position + 1 :]
    assert is_token(mistyped) == (mistyped == TOKEN)


@given(st.text())
def test_arbitrary_text_is_not_a_token(text: str) -> None:
    assert not is_token(text)
    assert not is_token(TOKEN_PREFIX + text)
