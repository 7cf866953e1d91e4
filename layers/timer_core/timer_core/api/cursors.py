"""Opaque cursors: where a page begins, in the list of the person who asks.

A cursor says nothing about whose list it is, so that a forged one only moves its maker about in
their own list; there is nothing to sign.
"""

import base64
import binascii
import re

from timer_core.domain.errors import InvalidInput
from timer_core.store.timers import Position

_CURSOR = re.compile(r"([np])([0-9]{1,15})\.([0-7][0-9A-HJKMNP-TV-Z]{25})")


def encode_cursor(position: Position) -> str:
    """Return the cursor of a position."""
    direction = "p" if position.backwards else "n"
    text = f"{direction}{position.start_ms}.{position.ulid}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Position:
    """Return the position of a cursor.

    Raises
    ------
    InvalidInput
        If it was not made by `encode_cursor`.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise InvalidInput("cursor", "Is not one that a list gave.")
    return Position(int(match[2]), match[3], match[1] == "p")
