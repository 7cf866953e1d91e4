"""Deleting the details of time that was confirmed, or frozen by a lock, long ago.

First, `OwnCalendar.details_from_ms` is written. The stored days before it are no longer derived from timers,
and no change of them by hand is accepted. After that, one transaction for each timer replaces it by a reduced
one, in the stored and the confirmed days too. So each transaction leaves all figures as they were, and an
interrupted call is continued by the next one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from timer_core.domain.audit import AuditKind
from timer_core.domain.confirmed import ConfirmedDay
from timer_core.domain.ids import new_ulid
from timer_core.domain.retention import Cell, cells, is_closed, laid_out, reduced
from timer_core.domain.schedule import DAY, Schedule, Span, midnight
from timer_core.domain.timeline import Slice, Timeline
from timer_core.domain.timers import Timer
from timer_core.store.audit import to_entry
from timer_core.store.calendars import Calendars, as_confirmed, set_confirmed, update_calendar
from timer_core.store.confirmed_days import ConfirmedDays, puts
from timer_core.store.derived_days import MOST_WRITES
from timer_core.store.items import (
    AuditItem,
    CalendarItem,
    TimerItem,
    as_read,
    is_tombstone,
    timer_item,
    to_timer,
)
from timer_core.store.keys import (
    RETENTION_SK,
    audit_sks,
    end_keys_of_stopped,
    name_of,
    timer_sk,
    user_pk,
)
from timer_core.store.stored_days import (
    StoredDays,
    StoredState,
    day_items,
    decode_day,
    differences,
    midnight_of,
)
from timer_core.store.table import Table, Write

# The number of dates whose details one call deletes.
_MOST_DATES = 31
# The entries of the audit log that only have sums.
_OF_DAYS = frozenset({AuditKind.CONFIRMED, AuditKind.REOPENED})


class RetentionItem(Model):
    """``user#<id>`` / ``retention``: the progress of deleting the details of a person's time.

    The timers that ended before ``reduced_until_ms`` have lost theirs. ``version`` is the number of
    transactions that deleted some.
    """

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    reduced_until_ms = NumberAttribute(null=True)
    version = NumberAttribute()


@dataclass(slots=True)
class _Days:
    """The days that a call changes, as they are in the table.

    Attributes
    ----------
    contents
        The contents of the items of stored days, by sort key.
    stored
        The stored days, by their beginnings.
    """

    contents: dict[str, bytes]
    stored: dict[int, Timeline]
    confirmed: dict[date, ConfirmedDay]


class Retention:
    """Deletes details in the table."""

    def __init__(self, table: Table, calendars: Calendars) -> None:
        self._table = table
        self._calendars = calendars
        self._days = StoredDays(table)
        self._confirmed = ConfirmedDays(table)

    def reduce(self, user_id: int, *, before_ms: int, now_ms: int) -> bool:
        """Delete the details of a person's next month, and return whether there may be more to delete.

        Parameters
        ----------
        before_ms
            Days that were confirmed or frozen at this time or earlier lose their details, in order of time up
            to the first day that was not.

        Raises
        ------
        TransactionRefused
            If something else changed the person's items. The next call continues.
        """
        state = self._days.state(user_id)
        item = self._table.get(user_pk(user_id), RETENTION_SK) or {}
        schedule = state.own.calendar(self._calendars.organization()).schedule
        reduced_ms = int(item["reduced_until_ms"]["N"]) if "reduced_until_ms" in item else 0
        from_ms = state.own.details_from_ms
        until_ms = _last_date(schedule, from_ms)
        if reduced_ms >= until_ms:
            from_ms = self._next(user_id, state, schedule, before_ms)
            if from_ms <= state.own.details_from_ms:
                return False
            self._table.transact([_stop_deriving(user_id, state, from_ms)])
            until_ms = _last_date(schedule, from_ms)
            if until_ms <= reduced_ms:
                return True
        version = int(item["version"]["N"]) if "version" in item else 0
        window = _Window(self._table, user_id, schedule, Span(reduced_ms, until_ms), version)
        window.reduce(self._days, self._confirmed, now_ms)
        return True

    def _next(self, user_id: int, state: StoredState, schedule: Schedule, before_ms: int) -> int:
        """Return the UTC midnight before which details may be deleted next, about a month later at most.

        The date before it was confirmed or frozen. If there is none, the present midnight is returned.
        """
        from_ms = state.own.details_from_ms
        # The first UTC date begins on a person's date or on the one before.
        first = self._days.first_date(user_id)
        day = schedule.day_of(from_ms) if from_ms else first and first - DAY
        while day is not None:
            last = day + _MOST_DATES * DAY
            span = Span(schedule.starts_at(day), schedule.starts_at(last))
            closed, frozen = self._closed(user_id, state, schedule, span, before_ms)
            if frozen:
                return max(from_ms, midnight(schedule.starts_at(frozen[-1] + DAY)))
            if closed < _MOST_DATES:
                break
            day = last
        return from_ms

    def _closed(
        self, user_id: int, state: StoredState, schedule: Schedule, span: Span, before_ms: int
    ) -> tuple[int, list[date]]:
        """Return how many dates from an instant on are closed, and those of them that are frozen."""
        day, last = schedule.day_of(span.since_ms), schedule.day_of(span.until_ms)
        frozen = {one.date: one.confirmed_ms for one in self._confirmed.of_dates(user_id, day, last)}
        worked = {
            schedule.day_of(at_ms)
            for stored in self._days.between(user_id, *span)
            for piece in stored.slices
            for at_ms in (piece.since_ms, piece.until_ms - 1)
        }
        closed, found = 0, []
        while day < last:
            ends_ms = schedule.starts_at(day + DAY)
            if midnight(ends_ms) > state.valid_until_ms or not is_closed(
                frozen.get(day), ends_ms, worked=day in worked, before_ms=before_ms
            ):
                break
            found += [day] * (day in frozen)
            closed += 1
            day += DAY
        return closed, found


class _Window:
    """The dates of a person whose details are being deleted.

    Parameters
    ----------
    span
        The time in which the timers ended that become reduced.
    version
        That of the `RetentionItem`. Each transaction has the condition that it is the present one, so that
        no other call has changed the days since they were read.
    """

    def __init__(self, table: Table, user_id: int, schedule: Schedule, span: Span, version: int) -> None:
        self._table = table
        self._user_id = user_id
        self._schedule = schedule
        self._span = span
        self._version = version

    def reduce(self, days: StoredDays, confirmed: ConfirmedDays, now_ms: int) -> None:
        """Delete the entries of the audit log, and then reduce the timers."""
        pk, (since_ms, until_ms) = user_pk(self._user_id), self._span
        keys = TimerItem.end_key.between(*end_keys_of_stopped(since_ms, until_ms))
        ended = [item["sk"]["S"] for item in self._table.query_all(pk, keys, index="by-end")]
        items = sorted(self._table.get_many((pk, sk) for sk in ended), key=lambda item: item["sk"]["S"])
        self._delete_entries({name_of(sk) for sk in ended}, now_ms)
        found = [to_timer(item) for item in items if not is_tombstone(item)]
        timers = [timer for timer in found if not timer.is_reduced]
        if timers:
            first_ms = min(timer.reach.since_ms for timer in timers)
            read = self._read(days, confirmed, Span(first_ms, until_ms))
            for timer in timers:
                self._reduce(timer, read)
        # What is left of a deleted timer is its time, from which nothing is derived any more.
        self._transact(
            Write("Delete", pk, item["sk"]["S"], TimerItem.deleted_ms.exists())
            for item in items
            if is_tombstone(item)
        )
        self._table.transact([self._counted(RetentionItem.reduced_until_ms.set(until_ms))])

    def _read(self, days: StoredDays, confirmed: ConfirmedDays, span: Span) -> _Days:
        contents = days.contents(self._user_id, *span)
        stored = {
            midnight_of(day): decode_day(b"".join(contents[sk] for sk in sks))
            for day, sks in groupby(contents, key=lambda sk: sk[: len("day#2026-11-30")])
        }
        first, last = self._schedule.day_of(span.since_ms), self._schedule.day_of(span.until_ms)
        frozen = {one.date: one for one in confirmed.of_dates(self._user_id, first, last)}
        return _Days(contents, stored, frozen)

    def _delete_entries(self, ulids: set[str], now_ms: int) -> None:
        """Delete the entries of changes that were made in the window, or that changed its timers later."""
        keys = AuditItem.sk.between(*audit_sks(self._span.since_ms, now_ms))
        deleted = []
        for item in self._table.query_all(user_pk(self._user_id), keys):
            entry = to_entry(item)
            is_past = entry.at_ms < self._span.until_ms
            if entry.kind not in _OF_DAYS and (
                is_past or any(one.subject in ulids for one in entry.differences)
            ):
                deleted.append(Write("Delete", item["pk"]["S"], item["sk"]["S"]))
        self._transact(deleted)

    def _reduce(self, timer: Timer, days: _Days) -> None:
        """Replace a timer by a reduced one, unless its active time cannot be expressed."""
        borders = [edge for day in days.confirmed.values() for edge in (day.since_ms, day.until_ms)]
        grid = cells(timer.reach, self._schedule, borders)
        own = {timer.ulid, *timer.absorbed}
        known = (piece for day in days.stored.values() for piece in day.slices if piece.timer in own)
        found = reduced(timer, laid_out(known, grid, timer.ulid), grid)
        if found is None:
            return
        # A ULID has the time of the timer's first start. It changes everywhere in the same transaction.
        renamed = replace(found, ulid=new_ulid(found.start_ms))
        pk, unchanged = user_pk(timer.user_id), TimerItem.version == timer.version
        is_new, item = TimerItem.pk.does_not_exist(), timer_item(renamed)
        changes = [
            Write("Delete", pk, timer_sk(timer.ulid), unchanged),
            Write("Put", pk, timer_sk(renamed.ulid), is_new, item=item),
            *self._day_writes(days, own, grid, renamed.ulid),
        ]
        if len(changes) <= MOST_WRITES:
            found = renamed
        else:
            # As long as the timer is not reduced, the next call begins with its days again.
            item = timer_item(replace(found, version=timer.version + 1))
            put = Write("Put", pk, timer_sk(timer.ulid), unchanged, item=item)
            changes = [*self._day_writes(days, own, grid, timer.ulid), put]
        self._transact(changes)
        for at_ms, day in days.stored.items():
            changed = _changed(day, own, grid, found.ulid)
            if changed != day:
                days.stored[at_ms] = changed
                items = day_items(timer.user_id, at_ms, changed)
                days.contents |= {sk: item["content"]["B"] for sk, item in items}
        for one in days.confirmed.values():
            slices = _with_laid_out(one.slices, own, grid, found.ulid)
            days.confirmed[one.date] = replace(one, slices=slices)

    def _day_writes(self, days: _Days, own: set[str], grid: Sequence[Cell], ulid: str) -> Iterator[Write]:
        """Yield the writes of the stored and confirmed days that name a timer."""
        for at_ms, day in days.stored.items():
            changed = _changed(day, own, grid, ulid)
            if changed != day:
                items = dict(day_items(self._user_id, at_ms, changed))
                yield from differences(self._user_id, days.contents, items, at_ms)
        for one in days.confirmed.values():
            slices = _with_laid_out(one.slices, own, grid, ulid)
            if slices != one.slices:
                former = list(puts(self._user_id, one))
                puts_of = list(puts(self._user_id, replace(one, slices=slices)))
                yield from puts_of
                yield from (replace(put, operation="Delete", item={}) for put in former[len(puts_of) :])

    def _transact(self, writes: Iterable[Write]) -> None:
        """Execute writes, as many at a time as fit into a transaction, unless another call has done so."""
        pending = list(writes)
        for first in range(0, len(pending), MOST_WRITES):
            self._table.transact([*pending[first : first + MOST_WRITES], self._counted()])
            self._version += 1

    def _counted(self, *actions: Action) -> Write:
        """Return the update of the progress, which is refused if another call has changed it."""
        unchanged = as_read(RetentionItem.version, self._version or None)
        pk = user_pk(self._user_id)
        counted = [RetentionItem.version.set(self._version + 1), *actions]
        return Write("Update", pk, RETENTION_SK, unchanged, counted)


def _last_date(schedule: Schedule, from_ms: int) -> int:
    """Return the beginning of the date of an instant. The date may have details after the instant."""
    return schedule.starts_at(schedule.day_of(from_ms)) if from_ms else 0


def _stop_deriving(user_id: int, state: StoredState, from_ms: int) -> Write:
    """Return the write after which the days before a midnight are no longer derived from timers.

    It is refused if one of them is no longer valid, or no longer confirmed, and it refuses to store days that
    were derived before.
    """
    unchanged = as_confirmed(state.own) & as_read(CalendarItem.dirty_changes, state.changes or None)
    return update_calendar(user_id, set_confirmed(replace(state.own, details_from_ms=from_ms)), unchanged)


def _changed(day: Timeline, own: set[str], grid: Sequence[Cell], ulid: str) -> Timeline:
    """Return a stored day in which a timer is reduced, and has another ULID."""
    carry = day.carry
    if own & carry.timers.keys():
        carried = {ulid if known in own else known: state for known, state in carry.timers.items()}
        carry = replace(carry, timers=carried)
    derived = None if day.derived is None else _with_laid_out(day.derived, own, grid, ulid)
    return Timeline(_with_laid_out(day.slices, own, grid, ulid), carry, derived)


def _with_laid_out(
    slices: tuple[Slice, ...], own: set[str], grid: Sequence[Cell], ulid: str
) -> tuple[Slice, ...]:
    """Return slices in which those of a timer are laid out."""
    mine = [piece for piece in slices if piece.timer in own]
    if not mine:
        return slices
    others = [piece for piece in slices if piece.timer not in own]
    return tuple(
        sorted([*others, *laid_out(mine, grid, ulid)], key=lambda piece: (piece.since_ms, piece.timer))
    )
