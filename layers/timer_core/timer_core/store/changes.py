"""The execution of changes of timers: marking stored days as outdated, sparing confirmed and locked days."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from timer_core.domain.confirmed import OVER_AFTER_MS, first_confirmed, first_locked, without_lifted
from timer_core.domain.errors import DayConfirmed, DetailsDeleted
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Schedule, Span
from timer_core.domain.timers import LATEST_MS, without
from timer_core.store.calendars import Calendars, guarded, lock_unchanged, update_calendar
from timer_core.store.items import CalendarItem
from timer_core.store.stored_days import outdated
from timer_core.store.table import ConditionFailed, RawItem, Table, TransactionRefused, Write, retry

# The time that a change by an event or the sweeper touches. Confirmed days never refuse such a change.
NOT_BY_HAND: Sequence[Span] = ()
# Younger time is on no confirmed day, and on none that can be confirmed while the change is written. The
# other half of the minute is for clocks that differ, and for the write.
_RECENT_MS = OVER_AFTER_MS // 2


@dataclass(frozen=True, slots=True)
class TimerChange:
    """The writes of a change of a person's timers.

    Attributes
    ----------
    reaches_ms
        The earliest instant whose working time may change; `LATEST_MS` if none does.
    touched
        For a change by hand, the time that it changes; a confirmed day refuses it. `NOT_BY_HAND` for a
        change by an event or the sweeper.
    moved
        For a change by hand that takes all time from a timer, or from its issue, this time. A lock refuses
        it, except on days that are frozen: on those, ``touched`` has what counts.
    """

    user_id: int
    writes: Sequence[Write]
    reaches_ms: int
    now_ms: int
    touched: Sequence[Span]
    moved: Sequence[Span] = ()


class Changes:
    """Executes changes of timers in the table.

    Parameters
    ----------
    table
        The table.
    calendars
        The calendars in the same table.
    """

    def __init__(self, table: Table, calendars: Calendars) -> None:
        self._table = table
        self._calendars = calendars

    def execute(self, change: TimerChange) -> RawItem | None:
        """Execute all writes of a change or none. Several writes are executed as one transaction.

        If the change reaches into stored days, it also marks them as outdated.

        Returns
        -------
        RawItem or None
            The result of a single write, see `Table.write`; None after a transaction.

        Raises
        ------
        DayConfirmed
            If a change by hand concerns a confirmed day.
        TransactionRefused
            If a condition did not hold.
        """

        def attempt() -> RawItem | None:
            marks = _with_moved_starts(change, self._marks(change))
            writes = [*change.writes, *marks]
            try:
                if len(writes) == 1:
                    return self._table.write(writes[0])
                self._table.transact(writes)
            except ConditionFailed as failed:
                raise TransactionRefused({0: failed.item}) from None
            except TransactionRefused as refused:
                others = {i: item for i, item in refused.failed.items() if i < len(change.writes)}
                if others:
                    raise TransactionRefused(others) from None
                # The lock may have changed, too.
                self._calendars.forget_organization()
                raise _DaysConfirmed from None
            return None

        return retry(attempt, _DaysConfirmed, "Other requests kept confirming days; nothing was changed.")

    def refusal(self, user_id: int, spans: Sequence[Span], *, now_ms: int) -> DayConfirmed | None:
        """Return the error of a change by hand of a person's time; None if it would not be refused."""
        if min(span.since_ms for span in spans) >= now_ms - OVER_AFTER_MS:
            return None
        try:
            self._check(self._calendars.own(user_id), self._calendars.locked_until(), spans, ())
        except DayConfirmed as error:
            return error
        return None

    def _check(
        self, own: OwnCalendar, locked_until: date | None, touched: Sequence[Span], moved: Sequence[Span]
    ) -> None:
        """Refuse a change by hand of confirmed or locked days.

        Raises
        ------
        DayConfirmed
            If the change concerns a confirmed day.
        DayLocked
            If it concerns a locked day.
        DetailsDeleted
            If it concerns a day whose details are deleted.
        """
        schedule = self._schedule(own)
        first_ms = min((span.since_ms for span in (*touched, *moved)), default=LATEST_MS)
        if first_ms < own.details_from_ms:
            raise DetailsDeleted(schedule.day_of(first_ms))
        frozen = (one.span for one in own.confirmed)
        locked = first_locked(locked_until, [*touched, *without(moved, frozen)], schedule)
        if locked is not None:
            self._calendars.refuse_locked(locked)
            # The lock was another one. The write of the change is refused, and the change is checked again.
            locked_until = self._calendars.locked_until()
        ranges = without_lifted(own.confirmed, locked_until)
        day = first_confirmed(ranges, touched, schedule)
        if day is not None:
            raise DayConfirmed(day)

    def _schedule(self, own: OwnCalendar) -> Schedule:
        return own.calendar(self._calendars.organization()).schedule

    def _marks(self, change: TimerChange) -> list[Write]:
        """Return the writes that mark stored days as outdated, or prevent a concurrent confirmation.

        Raises
        ------
        DayConfirmed
            If a change by hand concerns a confirmed or a locked day.
        """
        marks = outdated(change.user_id, change.reaches_ms, now_ms=change.now_ms)
        touched_ms = min((span.since_ms for span in (*change.touched, *change.moved)), default=LATEST_MS)
        if touched_ms >= change.now_ms - _RECENT_MS:
            return marks
        own = self._calendars.own(change.user_id)
        # The lock is read once, so that the write is refused if it is not the one that was checked.
        locked_until = self._calendars.locked_until()
        self._check(own, locked_until, change.touched, change.moved)
        schedule = self._schedule(own)
        # Yesterday may be confirmed or locked while the change is being written.
        if touched_ms >= schedule.starts_at(schedule.day_of(change.now_ms)):
            return marks
        guard = guarded(change.user_id, own, change.reaches_ms if marks else None)
        return [guard, lock_unchanged(locked_until)]


def _with_moved_starts(change: TimerChange, marks: Sequence[Write]) -> Sequence[Write]:
    """Return the writes of a person's calendar, which also note that the person has a moved start.

    Lists without one need not read the index of these timers.
    """
    if not any("start_key" in write.item for write in change.writes):
        return marks
    mark, *checks = marks or [update_calendar(change.user_id, [])]
    return [replace(mark, actions=[*(mark.actions or ()), CalendarItem.has_moved_starts.set(True)]), *checks]


class _DaysConfirmed(Exception):
    """A day was confirmed, reopened, locked or opened since the calendar and the lock were read."""
