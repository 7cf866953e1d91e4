"""What a run of the sweeper had no time for, so that the next one goes on from there."""

from dataclasses import dataclass

from pynamodb.expressions.update import Action as UpdateAction

from timer_core.store.items import ProgressItem
from timer_core.store.keys import SWEEPER_PK, SWEEPER_PROGRESS_SK
from timer_core.store.table import Table, Write


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the sweeper came.

    Attributes
    ----------
    compared_ms
        The open timers that started before this are compared with their issues, the others not yet. None
        if no comparison is unfinished.
    stale_left
        Whether there were more stale timers than there was time for; they are still in the index.
    """

    compared_ms: int | None = None
    stale_left: bool = False


class ProgressStore:
    """The sweeper's progress in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self) -> Progress:
        """Return what the last run left."""
        item = self._table.get(SWEEPER_PK, SWEEPER_PROGRESS_SK)
        if item is None:
            return Progress()
        row = ProgressItem.from_raw_data(item)
        compared_ms = None if row.compared_ms is None else int(row.compared_ms)
        return Progress(compared_ms, bool(row.stale_left))

    def note_compared(self, compared_ms: int | None) -> None:
        """Note up to when open timers are compared; None when all of them are."""
        item = ProgressItem.compared_ms
        self._update(item.remove() if compared_ms is None else item.set(compared_ms))

    def note_stale(self, *, left: bool) -> None:
        """Note whether stale timers are left."""
        self._update(ProgressItem.stale_left.set(left))

    def _update(self, action: UpdateAction) -> None:
        self._table.write(Write("Update", SWEEPER_PK, SWEEPER_PROGRESS_SK, actions=[action]))
