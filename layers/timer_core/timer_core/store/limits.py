"""The limit of each person's changes per minute."""

from dataclasses import dataclass

from timer_core.domain.errors import TooManyRequests
from timer_core.store.items import WritesItem, expiry
from timer_core.store.keys import user_pk, writes_sk
from timer_core.store.table import ConditionFailed, Table, Write

MINUTE_MS = 60_000
# The number of steps in which all changes up to the limit are counted.
_STEPS = 24
_CACHED_PEOPLE = 1000


@dataclass(slots=True)
class _Count:
    """The changes of a person in a minute.

    Attributes
    ----------
    counted
        The changes through all functions, as of the last step that this instance has counted.
    uncounted
        The changes through this instance since then.
    """

    minute: int
    counted: int = 0
    uncounted: int = 0


class WriteLimit:
    """Counts each person's changes, across all functions.

    An instance of a function counts in memory, and adds its changes to the common counter in steps, so that
    ordinary use writes nothing. A step is added before the last of its changes is made. So the instances
    together admit at most the limit and, for each instance, one change less than a step. Nobody is refused
    before the limit, unless the response to an addition was lost, whose repetition adds the step again.

    Parameters
    ----------
    per_minute
        The maximum number of changes by one person per minute.
    """

    def __init__(self, table: Table, per_minute: int) -> None:
        self._table = table
        self._per_minute = per_minute
        self.step = max(1, per_minute // _STEPS)
        self._counts: dict[int, _Count] = {}

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
        count.uncounted += 1
        if count.uncounted < self.step and count.counted + self.step <= self._per_minute:
            return
        if count.counted < self._per_minute and self._add(user_id, count):
            return
        raise TooManyRequests(max(1, -(-((minute + 1) * MINUTE_MS - now_ms) // 1000)))

    def _add(self, user_id: int, count: _Count) -> bool:
        """Add a step to the common counter; return whether the counter had not reached the limit."""
        actions = [
            WritesItem.changes.add(count.uncounted),
            WritesItem.expires_at.set(expiry(count.minute * MINUTE_MS, 1 / 24)),
        ]
        below = WritesItem.changes.does_not_exist() | (WritesItem.changes < self._per_minute)
        write = Write("Update", user_pk(user_id), writes_sk(count.minute), below, actions)
        try:
            item = self._table.write(write)
        except ConditionFailed:
            count.counted = self._per_minute
            return False
        except Exception:
            # The database fails. Whether the change can be made is for its own writes to decide.
            return True
        count.counted, count.uncounted = int(item["changes"]["N"]), 0
        return True
