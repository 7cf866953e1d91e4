"""The limit of each person's changes per minute."""

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from timer_core.domain.errors import TooManyRequests
from timer_core.store.items import WritesItem, expiry
from timer_core.store.keys import user_pk, writes_sk
from timer_core.store.table import ConditionFailed, Table, Write

MINUTE_MS = 60_000
# If the number of changes has reached this share of the limit, each change is counted before it is made.
_CLOSE = 0.8
_CACHED_PEOPLE = 1000


@dataclass(slots=True)
class _Count:
    minute: int
    changes: int = 0
    pending: "Future[int] | None" = None


class WriteLimit:
    """Counts each person's changes, across all functions.

    A change is usually counted concurrently, so that the response does not wait for the count. Close to the
    limit, a change is counted before it is made. `finish_writes` waits for a pending count.

    Parameters
    ----------
    per_minute
        The maximum number of changes by one person per minute.
    """

    def __init__(self, table: Table, per_minute: int) -> None:
        self._table = table
        self._per_minute = per_minute
        self._counts: dict[int, _Count] = {}
        self._pool = ThreadPoolExecutor(1)

    def count(self, user_id: int, *, now_ms: int) -> None:
        """Count a change.

        Raises
        ------
        TooManyRequests
            If the person has reached the limit in this minute.
        """
        minute = now_ms // MINUTE_MS
        count = self._counts.get(user_id)
        if count is None or count.minute != minute:
            if len(self._counts) >= _CACHED_PEOPLE:
                self._counts.clear()
            count = self._counts[user_id] = _Count(minute)
        if count.changes >= _CLOSE * self._per_minute:
            count.changes = self._count(user_id, minute)
            if count.changes > self._per_minute:
                raise TooManyRequests(max(1, -(-((minute + 1) * MINUTE_MS - now_ms) // 1000)))
        else:
            count.pending = self._pool.submit(self._count, user_id, minute)

    def finish_writes(self, user_id: int) -> None:
        """Wait until the change is counted, because Lambda freezes a function after its response."""
        count = self._counts.get(user_id)
        if count is not None and count.pending is not None:
            pending, count.pending = count.pending, None
            # Ignore errors, because the change has already been made.
            with contextlib.suppress(Exception):
                count.changes = pending.result()

    def _count(self, user_id: int, minute: int) -> int:
        """Count a change and return the number of changes in the minute.

        If the number had already reached the limit, the change is not counted, and the limit plus one is
        returned.
        """
        actions = [WritesItem.changes.add(1), WritesItem.expires_at.set(expiry(minute * MINUTE_MS, 1 / 24))]
        below = WritesItem.changes.does_not_exist() | (WritesItem.changes < self._per_minute)
        try:
            item = self._table.write(Write("Update", user_pk(user_id), writes_sk(minute), below, actions))
        except ConditionFailed:
            return self._per_minute + 1
        return int(item["changes"]["N"])
