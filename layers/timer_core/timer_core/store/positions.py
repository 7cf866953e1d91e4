"""Positions in lists. A page of a list begins at a position. Each kind of position has a text form.

The API encodes the text as an opaque cursor. A position in a person's list does not contain the person's id,
so a forged position only selects another page of the forger's list.
"""

import re
from typing import NamedTuple, Self

_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_POSITION = re.compile(rf"([np])([0-9]{{1,15}})\.({_ULID})")
_OPEN_TIMERS = re.compile(rf"([0-9]{{1,2}})(?: ([0-9]{{1,15}}) ([0-9]{{1,19}}) ({_ULID}))?")
_AUDIT = re.compile(_ULID)
_EXPORT = re.compile(r"[a-z-]+(?:#[0-9A-Za-z]+|#\d{4}-\d\d-\d\d(?:#\d+)?)?")


class Position(NamedTuple):
    """The position of a page of a person's timers: after this timer, or before it if ``backwards``."""

    start_ms: int
    ulid: str
    backwards: bool

    def __str__(self) -> str:
        return f"{'p' if self.backwards else 'n'}{self.start_ms}.{self.ulid}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a position.

        Raises
        ------
        ValueError
            If the text is not a position of this kind. The other classes raise this error too.
        """
        direction, start_ms, ulid = _parts(_POSITION, text)
        return cls(int(start_ms), ulid, direction == "p")


class OpenTimerKey(NamedTuple):
    """An open timer in the index of open timers."""

    since_ms: int
    user_id: int
    ulid: str


class OpenTimersCursor(NamedTuple):
    """The position of a page of all open timers: in a shard, after a timer.

    If ``after`` is None, the page begins at the start of the shard.
    """

    shard: int
    after: OpenTimerKey | None = None

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.shard, *(self.after or ())))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a position."""
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
        """Parse the text of a position."""
        _parts(_EXPORT, text)
        return cls(text)


class AuditPosition(NamedTuple):
    """The position of a page of an audit log: before the entry with this ULID."""

    ulid: str

    def __str__(self) -> str:
        return self.ulid

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a position."""
        _parts(_AUDIT, text)
        return cls(text)


def _parts(form: re.Pattern[str], text: str) -> "tuple[str, ...]":
    match = form.fullmatch(text)
    if match is None:
        raise ValueError("Not the text of a position.")
    return match.groups()
