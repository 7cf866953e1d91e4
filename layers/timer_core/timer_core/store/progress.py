"""The progress of a sweep that ran out of time, so that the next sweep can continue."""

import contextlib
from dataclasses import dataclass
from datetime import date

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action as UpdateAction

from timer_core.store.items import ProgressItem
from timer_core.store.keys import SWEEPER_PK, SWEEPER_PROGRESS_SK
from timer_core.store.table import ConditionFailed, Table, Write
from timer_core.store.writes import set_or_remove


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an unfinished sweep.

    Attributes
    ----------
    compared_ms
        The open timers that started before this time were compared with their issues; None if the last sweep
        compared all open timers.
    stale_after
        The person after whom the search for stale timers continues; None if everybody was checked.
    stale_found
        The stale timers that the search has found up to this person.
    locked_until
        The last locked date when the days of everybody were frozen last; None if none was locked.
    """

    compared_ms: int | None = None
    stale_after: int | None = None
    stale_found: int = 0
    locked_until: date | None = None


class ProgressStore:
    """The sweeper's progress in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self) -> Progress:
        """Return the progress of the last sweep."""
        item = self._table.get(SWEEPER_PK, SWEEPER_PROGRESS_SK)
        if item is None:
            return Progress()
        row = ProgressItem.from_raw_data(item)
        compared_ms = None if row.compared_ms is None else int(row.compared_ms)
        stale_after = None if row.stale_after is None else int(row.stale_after)
        found = 0 if stale_after is None else int(row.stale_found or 0)
        locked_until = None if row.locked_until is None else date.fromisoformat(row.locked_until)
        return Progress(compared_ms, stale_after, found, locked_until)

    def note_compared(self, compared_ms: int | None) -> None:
        """Store the start time before which open timers were compared; None if all were compared."""
        self._update(set_or_remove(ProgressItem.compared_ms, compared_ms))

    def note_stale(self, found: int, *, after: int | None) -> None:
        """Store how many stale timers a search has found, and the person after whom it continues."""
        self._table.write(
            Write(
                "Update",
                SWEEPER_PK,
                SWEEPER_PROGRESS_SK,
                actions=[
                    ProgressItem.stale_found.set(found),
                    set_or_remove(ProgressItem.stale_after, after),
                ],
            )
        )

    def note_locked(self, locked_until: date | None) -> None:
        """Store the last locked date up to which the days of everybody are frozen; None if none is locked."""
        self._update(set_or_remove(ProgressItem.locked_until, locked_until and locked_until.isoformat()))

    def lease(self, until_ms: int, *, now_ms: int) -> bool:
        """Reserve the comparison for one run until a time; return False if another run has reserved it.

        If the other run was killed, its reservation ends at its time.
        """
        free = ProgressItem.leased_until_ms.does_not_exist() | (ProgressItem.leased_until_ms <= now_ms)
        try:
            self._update(ProgressItem.leased_until_ms.set(until_ms), free)
        except ConditionFailed:
            return False
        return True

    def release(self, until_ms: int) -> None:
        """End the reservation of a run, unless another run has reserved the comparison since."""
        with contextlib.suppress(ConditionFailed):
            self._update(ProgressItem.leased_until_ms.remove(), ProgressItem.leased_until_ms == until_ms)

    def _update(self, action: UpdateAction, condition: Condition | None = None) -> None:
        self._table.write(Write("Update", SWEEPER_PK, SWEEPER_PROGRESS_SK, condition, [action]))
