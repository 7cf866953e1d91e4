"""Opaque cursors. A cursor encodes the position at which a page of a list begins.

Cursors are not signed, because a forged cursor gives access to no other data (see
`timer_core.store.positions`).
"""

import base64
from collections.abc import Callable
from typing import TypeVar

from timer_core.domain.errors import ErrorCode, InvalidInput

_Position = TypeVar("_Position")


def encode_cursor(position: object) -> str:
    """Return the cursor that encodes ``str(position)``."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parse: Callable[[str], _Position]) -> _Position:
    """Return the position of a cursor.

    Parameters
    ----------
    parse
        Parses the text of a position; raises ValueError if it is not valid.

    Raises
    ------
    InvalidInput
        If the cursor does not encode a position of this kind.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        # Invalid base64 and invalid UTF-8 raise ValueError, too.
        return parse(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except ValueError:
        raise InvalidInput("cursor", "Is not a cursor of this list.", ErrorCode.INVALID_CURSOR) from None
