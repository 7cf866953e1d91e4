"""Positions in lists. A position is where a page begins; each kind of position has a text form.

The API encodes the text as an opaque cursor. Positions hold no user id: a forged one only selects another
page of the forger's own list.
"""

import re
from typing import NamedTuple, Self

_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_POSITION = re.compile(rf"([np])([0-9]{{1,15}})\.({_ULID})")
_OPEN_TIMERS = re.compile(rf"([0-9]{{1,2}})(?: ([0-9]{{1,15}}) ([0-9]{{1,19}}) ({_ULID}))?")
_EXPORT = re.compile(r"[a-z-]+(?:#[0-9A-Za-z]+)?")


class Position(NamedTuple):
    """The position of a page of a person's timers: next to this timer, in one of two directions."""

    start_ms: int
    ulid: str
    backwards: bool

    def __str__(self) -> str:
        return f"{'p' if self.backwards else 'n'}{self.start_ms}.{self.ulid}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position of a text.

        Raises
        ------
        ValueError
            If the text is not such a position. The other classes raise this error too.
        """
        direction, start_ms, ulid = _parts(_POSITION, text)
        return cls(int(start_ms), ulid, direction == "p")


class OpenTimerKey(NamedTuple):
    """An open timer in the index of open timers."""

    since_ms: int
    user_id: int
    ulid: str


class OpenTimersCursor(NamedTuple):
    """The position of a page of all open timers: in a shard, after a timer or (None) at its start."""

    shard: int
    after: OpenTimerKey | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.shard, *(self.after or ())))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position of a text."""
        shard, since_ms, user_id, ulid = _parts(_OPEN_TIMERS, text)
        if ulid is None:
            return cls(int(shard))
        return cls(int(shard), OpenTimerKey(int(since_ms), int(user_id), ulid))


class ExportPosition(NamedTuple):
    """The position of a page of an export: after the item with this sort key."""

    sk: str

    def __str__(self) -> str:
        return self.sk

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position of a text."""
        _parts(_EXPORT, text)
        return cls(text)


def _parts(form: re.Pattern[str], text: str) -> "tuple[str, ...]":
    match = form.fullmatch(text)
    if match is None:
        raise ValueError("Not the text of a position.")
    return match.groups()
