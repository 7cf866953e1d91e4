"""API tokens: their attributes, and the form of their texts.

The text of a token has 190 random bits, so a slow hash is unnecessary. The text ends in a checksum, so that a
text that is not a token is rejected without a read of the database.
"""

import secrets
import string
from dataclasses import dataclass
from typing import Literal, TypeAlias
from zlib import crc32

from timer_core.domain.errors import ErrorCode, InvalidInput

# Secret scanners recognize a token by its pattern: itt_ and 38 letters or digits.
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
        The time at which the token expires (seconds since the epoch); None if the token does not expire.
    scope
        ``read`` or ``write``. The scope ``write`` includes ``read``.
    used_ms
        The time at which the token was last used, accurate to one day; None if the token was never used.
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
    """Return a new token and its text, without storing them.

    Raises
    ------
    InvalidInput
        If ``expires_at`` is not in the future.
    """
    if expires_at is not None and expires_at * 1000 <= now_ms:
        raise InvalidInput("expires", "Must be in the future.", ErrorCode.IN_THE_PAST)
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
