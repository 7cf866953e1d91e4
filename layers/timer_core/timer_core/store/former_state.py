"""What a correction has changed, which is stored with its response, so that it can be undone exactly."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from timer_core.domain.schedule import Span
from timer_core.domain.timers import Timer
from timer_core.store.items import TimerItem, timer_item, to_timer
from timer_core.store.keys import timer_sk, user_pk
from timer_core.store.table import RawItem, Write


@dataclass(frozen=True, slots=True)
class FormerState:
    """The timers that a correction has written, as they were before it.

    Attributes
    ----------
    timers
        The timers by ULID; None for a timer that the correction has created.
    results
        The digests of the items that the correction has written, by ULID (`digest_of`).
    reaches_ms, touched, moved
        As in `timer_core.store.changes.TimerChange`. Undoing the correction changes the same time.
    """

    timers: Mapping[str, Timer | None]
    results: Mapping[str, str]
    reaches_ms: int
    touched: Sequence[Span]
    moved: Sequence[Span] = ()

    def encoded(self) -> bytes:
        """Return the stored form."""
        items = {ulid: timer and timer_item(timer) for ulid, timer in self.timers.items()}
        content = [items, self.results, self.reaches_ms, self.touched, self.moved]
        return zlib.compress(json.dumps(content).encode())

    @classmethod
    def decoded(cls, content: bytes) -> "FormerState":
        """Return a former state, given its stored form."""
        items, results, reaches_ms, touched, moved = json.loads(zlib.decompress(content))
        timers = {ulid: item and to_timer(item) for ulid, item in items.items()}
        spans = ([Span(*span) for span in found] for found in (touched, moved))
        return cls(timers, results, reaches_ms, *spans)

    def restoration(self, user_id: int, ulid: str, item: RawItem) -> Write:
        """Return the write that restores a timer, given its present item."""
        pk, sk, former = user_pk(user_id), timer_sk(ulid), self.timers[ulid]
        version = int(item["version"]["N"]) if "version" in item else 0
        unchanged = TimerItem.version == version if version else TimerItem.deleted_ms.exists()
        if former is None:
            return Write("Delete", pk, sk, unchanged)
        # A process that has read the corrected timer must not overwrite the restored one.
        restored = replace(former, version=max(version, former.version + 1) + 1)
        return Write("Put", pk, sk, unchanged, item=timer_item(restored))


def former_timers(response: RawItem) -> list[Timer]:
    """Return the timers as they were before a correction, given the item of its response."""
    if "former_state" not in response:
        return []
    former = FormerState.decoded(response["former_state"]["B"])
    return [timer for timer in former.timers.values() if timer is not None]


def digest_of(item: RawItem) -> str:
    """Return a digest of a timer's item or tombstone, which is the same for all of its versions."""
    content = {name: value for name, value in item.items() if name != "version"}
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
