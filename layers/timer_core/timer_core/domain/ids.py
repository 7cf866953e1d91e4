"""Ids of timers. An id has the form ``<user id>-<ULID>``, so that it names the owner and sorts by time.

ULIDs are specified at https://github.com/ulid/spec.
"""

import re
from hashlib import sha256

from ulid import ULID

# A ULID has 26 characters of Crockford's base 32, and the first character has only 3 bits. GitHub's user ids
# fit in 63 bits.
_TIMER_ID = re.compile(r"([1-9][0-9]{0,18})-([0-7][0-9A-HJKMNP-TV-Z]{25})")
# From Crockford's digits to those that `int` reads.
_TO_BASE_32 = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUV")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TIME_DIGITS = 10
_LATEST_MS = (1 << 48) - 1


def new_ulid(at_ms: int) -> str:
    """Return a ULID of the given time (milliseconds since the epoch) and 80 random bits."""
    return str(ULID.from_timestamp(at_ms))


def derived_ulid(at_ms: int, *names: str) -> str:
    """Return a ULID of the given time (milliseconds since the epoch) and a hash of the names."""
    digest = sha256("\0".join(names).encode()).digest()
    return str(ULID.from_bytes(at_ms.to_bytes(6, "big") + digest[:10]))


def ulid_ms(ulid: str) -> int:
    """Return the time in a ULID (milliseconds since the epoch)."""
    return int(ulid[:_TIME_DIGITS].translate(_TO_BASE_32), 32)


def ulid_at(at_ms: int, ulid: str) -> str:
    """Return a ULID with another time (milliseconds since the epoch), which sorts by this time."""
    rest = min(max(at_ms, 0), _LATEST_MS)
    return "".join(_CROCKFORD[rest >> shift & 31] for shift in range(45, -1, -5)) + ulid[_TIME_DIGITS:]


def order_at(at_ms: int, ulid: str) -> tuple[int, str]:
    """Return a key that sorts as `ulid_at` does, and is faster."""
    return at_ms, ulid[_TIME_DIGITS:]


def timer_id(user_id: int, ulid: str) -> str:
    """Return the public id of a timer."""
    return f"{user_id}-{ulid}"


def parse_timer_id(value: str) -> tuple[int, str] | None:
    """Return the owner's user id and the ULID, or None if no timer can have this id."""
    match = _TIMER_ID.fullmatch(value)
    return (int(match[1]), match[2]) if match else None
