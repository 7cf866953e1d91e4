"""Opaque cursors: the positions where pages of lists begin, as clients pass them on.

They are not signed, because a forged cursor shows nothing that its maker may not see (see
`timer_core.store.positions`).
"""

import base64
from collections.abc import Callable
from typing import TypeVar

from timer_core.domain.errors import InvalidInput

_Position = TypeVar("_Position")


def encode_cursor(position: object) -> str:
    """Return the cursor of a position, from its text."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parse: Callable[[str], _Position]) -> _Position:
    """Return the position of a cursor.

    Parameters
    ----------
    parse
        Reads the position's text, and raises ValueError if it is not one.

    Raises
    ------
    InvalidInput
        If the cursor was not made by `encode_cursor` from such a position.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        # What is not base64 or UTF-8 is a ValueError, too.
        return parse(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except ValueError:
        raise InvalidInput("cursor", "Is not the cursor of a page of this list.") from None
