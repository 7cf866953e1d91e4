"""Opaque cursors: where a page begins, in the list of the person who asks.

A cursor says nothing about whose list it is, so that a forged one only moves its maker about in
their own list; there is nothing to sign.
"""

import base64
import binascii
import re

from timer_core.domain.errors import InvalidInput
from timer_core.store.queries import OpenTimersCursor, Position

_CURSOR = re.compile(r"([np])([0-9]{1,15})\.([0-7][0-9A-HJKMNP-TV-Z]{25})")
_PLACE = re.compile(r"([0-9]{1,2})(?: (user#[0-9]{1,19}) (timer#[0-9A-HJKMNP-TV-Z]{26}) ([0-9]{1,15}))?")


def encode_cursor(position: Position) -> str:
    """Return the cursor of a position."""
    direction = "p" if position.backwards else "n"
    return _encode(f"{direction}{position.start_ms}.{position.ulid}")


def decode_cursor(cursor: str) -> Position:
    """Return the position of a cursor.

    Raises
    ------
    InvalidInput
        If it was not made by `encode_cursor`.
    """
    match = _decode(cursor, _CURSOR)
    return Position(int(match[2]), match[3], match[1] == "p")


def encode_open_timers_cursor(place: OpenTimersCursor) -> str:
    """Return the cursor of a place in the list of all open timers."""
    shard, key = place
    if key is None:
        return _encode(str(shard))
    return _encode(f"{shard} {key['pk']['S']} {key['sk']['S']} {key['open_since_ms']['N']}")


def decode_open_timers_cursor(cursor: str) -> OpenTimersCursor:
    """Return the place of a cursor.

    Raises
    ------
    InvalidInput
        If it was not made by `encode_open_timers_cursor`.
    """
    match = _decode(cursor, _PLACE)
    shard = int(match[1])
    if match[2] is None:
        return shard, None
    key = {
        "open_shard": {"S": f"open#{shard}"},
        "open_since_ms": {"N": match[4]},
        "pk": {"S": match[2]},
        "sk": {"S": match[3]},
    }
    return shard, key


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, form: re.Pattern[str]) -> re.Match[str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = form.fullmatch(text)
    if match is None:
        raise InvalidInput("cursor", "Is not one that a list gave.")
    return match
