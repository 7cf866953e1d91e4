"""API tokens: their attributes, and the form of their texts.

A text has 190 random bits, which makes a slow hash unnecessary, and a checksum, by which other texts are
rejected without a read of the database.
"""

import secrets
import string
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zlib import crc32

from timer_core.domain.errors import InvalidInput

# The pattern of secret scanners: itt_ and 38 letters and digits.
TOKEN_PREFIX = "itt_"  # noqa: S105
_ALPHABET = string.digits + string.ascii_letters
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6

Scope: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Token:
    """An API token without its text, which is shown only once.

    Attributes
    ----------
    expires_at
        When it expires (seconds since the epoch); None if it does not.
    scope
        ``read`` or ``write``; ``write`` includes reading.
    used_ms
        When it was last used, to within a day; None if it never was.
    """

    token_id: str
    name: str
    created_ms: int
    expires_at: int | None
    scope: Scope = "write"
    used_ms: int | None = None


def new_token(
    *, name: str, now_ms: int, expires_at: int | None = None, scope: Scope = "write"
) -> tuple[Token, str]:
    """Return a new token and its text; neither is stored yet.

    Raises
    ------
    InvalidInput
        If it would have expired already.
    """
    if expires_at is not None and expires_at * 1000 <= now_ms:
        raise InvalidInput("expires", "Must be in the future.")
    return Token(secrets.token_hex(6), name, now_ms, expires_at, scope), _new_text()


def is_token(text: str) -> bool:
    """Whether a text has the form and the checksum of a token."""
    body = text.removeprefix(TOKEN_PREFIX)
    if len(body) != _RANDOM_LENGTH + _CHECKSUM_LENGTH or body == text or not body.isascii():
        return False
    return _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


def _new_text() -> str:
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return TOKEN_PREFIX + body + _checksum(body)


def _checksum(body: str) -> str:
    value = crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
