"""People's working time: derived from their timers, and read from stored days where these are valid.

Timers and calendars are the truth, and the stored days are a read model of them. Yesterday and today (UTC)
are always derived on reading, so a transition of the present changes no stored day. A change that reaches
further back marks the stored days in the same transaction (`timer_core.store.calendars.lower_dirty`). Readers
derive these days until `Timesheets.refresh` has stored them again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from timer_core.domain.calendar import Calendar
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import DAY, DAY_MS, midnight
from timer_core.domain.sheets import Label, Sheet, sheets
from timer_core.domain.timeline import Carry, Slice, clipped, timeline
from timer_core.domain.timers import LATEST_MS, Period, Timer
from timer_core.store.calendars import Calendars, lower_dirty
from timer_core.store.items import CalendarItem, PersonItem, as_read, raw
from timer_core.store.keys import CALENDAR_SK, PEOPLE_PK, user_id_of, user_pk
from timer_core.store.queries import TimerQueries
from timer_core.store.stored_days import (
    StoredDay,
    StoredDays,
    StoredState,
    date_of,
    day_items,
    differences,
    encode_day,
    midnight_of,
)
from timer_core.store.table import Table, Write, retry_on_conflict
from timer_core.store.writes import set_or_remove

# A writer does not mark days that are not stored yet. Its clock may differ, and its write may take a while,
# so a day is stored an hour later than writers assume.
_MARGIN_MS = 3_600_000
# The machine that made a transition may be ahead of the one that reads it by less than this.
_AHEAD_MS = 60_000
# The state of people with very many open timers does not fit into the item of the calendar.
_MOST_CARRY_BYTES = 40_000
# A transaction has at most 100 writes and 4 MB (AWS, "DynamoDB quotas").
_MOST_WRITES = 90
_MOST_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Worked:
    """A person's working time in a period.

    Attributes
    ----------
    slices
        What counted, clipped to the period and to the present, sorted by beginning and timer.
    timers
        The timers from which days were derived. There are none for days that were read.
    state
        The state of the timeline at the end of the period, or at the present if that is earlier; None if the
        period ended before the days that are derived.
    derived_from_ms
        The UTC midnight up to which the stored days were valid.
    """

    slices: tuple[Slice, ...]
    timers: tuple[Timer, ...]
    calendar: Calendar
    state: Carry | None
    derived_from_ms: int

    @property
    def carry(self) -> Carry:
        """The state of the timeline at the end of a period that reaches into yesterday or today (UTC).

        Raises
        ------
        LookupError
            If the period ended earlier.
        """
        if self.state is None:
            raise LookupError("The state at the end of a past period is not stored.")
        return self.state


class Timesheets:
    """Derives working time, and stores days."""

    def __init__(self, table: Table, timers: TimerQueries, calendars: Calendars) -> None:
        self._table = table
        self._timers = timers
        self._calendars = calendars
        self._days = StoredDays(table)

    # ------------------------------------------------------------------ reading

    def worked(self, user_id: int, period: Period, *, now_ms: int) -> Worked:
        """Return a person's working time in a period, up to the present."""
        return self._worked(user_id, self._state(user_id, now_ms), period, now_ms)

    def present(self, user_id: int, *, now_ms: int) -> Worked:
        """Return a person's working time since the beginning of the present day in their time zone.

        The carry has the state of all of the person's open timers. The machine that made the last transition
        may be ahead by up to a minute; then the present is the time of this transition.
        """
        state = self._state(user_id, now_ms)
        schedule = self._calendar(state).schedule
        today = Period(schedule.starts_at(schedule.day_of(now_ms)), now_ms + _AHEAD_MS)
        return self._worked(user_id, state, today, now_ms, ahead_ms=_AHEAD_MS)

    def days(self, user_id: int, first: date, last: date, *, now_ms: int) -> list[Sheet]:
        """Return a person's timesheets of the dates from the first to the last one."""
        state = self._state(user_id, now_ms)
        schedule = self._calendar(state).schedule
        period = Period(schedule.starts_at(first), schedule.starts_at(last + DAY))
        worked = self._worked(user_id, state, period, now_ms)
        labels = self._labels(user_id, worked, period)
        found = sheets(worked.slices, schedule, first, last, now_ms=now_ms)
        return [replace(sheet, labels=labels) for sheet in found]

    def _labels(self, user_id: int, worked: Worked, period: Period) -> dict[str, Label]:
        """Return the labels of the timers that counted in a period."""
        derived = {timer.ulid: Label.of(timer) for timer in worked.timers}
        others = {piece.timer for piece in worked.slices} - derived.keys()
        ended = Period(period.since_ms, min(period.until_ms, worked.derived_from_ms))
        return derived | self._timers.labels(user_id, others, ended)

    def working_ms(
        self, user_id: int, timers: Sequence[Timer], *, now_ms: int, present: Worked | None = None
    ) -> dict[str, int]:
        """Return the working time of a person's timers up to the present, by ULID.

        Parameters
        ----------
        present
            The person's working time in a period up to the present, if it has been derived already.
        """
        if present is None:
            state = self._state(user_id, now_ms)
            if all(timer.reach.until_ms < state.valid_until_ms for timer in timers):
                return self._stored_ms(user_id, timers)
            present = self._worked(user_id, state, Period(now_ms, now_ms), now_ms)
        stored = [timer for timer in timers if timer.reach.until_ms < present.derived_from_ms]
        carries = present.carry.timers
        derived = {timer.ulid: carries[timer.ulid].working_ms for timer in timers if timer.ulid in carries}
        return derived | self._stored_ms(user_id, stored)

    def _stored_ms(self, user_id: int, timers: Sequence[Timer]) -> dict[str, int]:
        """Return the working time of timers that ended on days that are stored.

        Earlier days have the state of the timer at their end.
        """
        if not timers:
            return {}
        days = self._days.on(user_id, (timer.reach.until_ms for timer in timers))
        on_last_day = (
            (timer.ulid, day.carry.timers.get(timer.ulid))
            for timer in timers
            if (day := days.get(date_of(timer.reach.until_ms)))
        )
        return {ulid: carry.working_ms for ulid, carry in on_last_day if carry}

    def under(self, user_id: int, own: OwnCalendar, period: Period, *, now_ms: int) -> tuple[Slice, ...]:
        """Return what would count in a period, up to the present, if a person had another calendar.

        Before the period, the calendar has to have the same working hours as the stored one.
        """
        state = self._state(user_id, now_ms)
        since_ms = min(midnight(period.since_ms), state.valid_until_ms)
        until_ms = min(period.until_ms, now_ms)
        if since_ms == state.valid_until_ms:
            carry = self._carry(user_id, state)
        else:
            carry = self._carry_at(user_id, since_ms)
        timers = self._timers.overlapping(user_id, Period(since_ms, until_ms))
        derived = timeline(timers, own.calendar(self._calendars.organization()), until_ms, carry)
        return clipped(derived.slices, period.since_ms, until_ms)

    def _state(self, user_id: int, now_ms: int) -> StoredState:
        """Return which days are stored, without those that a fast machine has stored too early."""
        return self._days.state(user_id).valid_until(midnight(now_ms))

    def _worked(
        self, user_id: int, state: StoredState, period: Period, now_ms: int, *, ahead_ms: int = 0
    ) -> Worked:
        calendar = self._calendar(state)
        valid_ms, until_ms = state.valid_until_ms, min(period.until_ms, now_ms)
        days = self._days.between(user_id, period.since_ms, min(until_ms, valid_ms))
        slices = [piece for day in days for piece in day.slices]
        timers: list[Timer] = []
        carry = None
        if until_ms >= valid_ms:
            timers = self._timers.overlapping(user_id, Period(valid_ms, until_ms + ahead_ms))
            changes = (timer.changed_ms for timer in timers if timer.is_open)
            until_ms = max([until_ms, *(ms for ms in changes if ms <= until_ms + ahead_ms)])
            derived = timeline(timers, calendar, until_ms, self._carry(user_id, state))
            slices += derived.slices
            carry = derived.carry
        found = clipped(slices, period.since_ms, until_ms)
        return Worked(found, tuple(timers), calendar, carry, valid_ms)

    def _calendar(self, state: StoredState) -> Calendar:
        return state.own.calendar(self._calendars.organization())

    def _carry(self, user_id: int, state: StoredState) -> Carry | None:
        """Return the state of the timeline up to which days are valid; None if none are stored."""
        if state.carry is not None or state.valid_until_ms == 0:
            return state.carry
        return self._carry_at(user_id, state.valid_until_ms)

    def _carry_at(self, user_id: int, midnight_ms: int) -> Carry:
        """Return the state of the timeline at a midnight before which all days are valid."""
        last = self._days.last_before(user_id, midnight_ms)
        return replace(last.carry if last else Carry(), at_ms=midnight_ms)

    # ------------------------------------------------------------------ storing

    def refresh(self, user_id: int, *, now_ms: int, changed_ms: int = LATEST_MS) -> bool:
        """Store the days of a person that are over and not stored, or not valid.

        Each transaction has the condition that no change has made stored days invalid since the timers were
        read. So concurrent refreshes and changes never leave a wrong day that is valid. An interrupted
        refresh is continued by the next one.

        Parameters
        ----------
        changed_ms
            The instant from which a change may have made days invalid, even if its write did not mark them.

        Returns
        -------
        bool
            Whether something was written.

        Raises
        ------
        TooMuchContention
            If the person's timers kept changing.
        """

        def attempt() -> bool:
            return self._refresh(user_id, self._days.state(user_id).valid_until(changed_ms), now_ms)

        return retry_on_conflict(attempt, "The days could not be stored: others kept changing the timers.")

    def rebuild(self, user_id: int, *, now_ms: int) -> None:
        """Derive and store all days of a person anew.

        Raises
        ------
        TooMuchContention
            As `refresh`.
        """
        self._table.write(lower_dirty(user_id, 0))
        self.refresh(user_id, now_ms=now_ms)

    def people(self) -> Iterator[int]:
        """Yield the people who have stored days."""
        for item in self._table.query_all(PEOPLE_PK):
            yield user_id_of(item["sk"]["S"])

    def _refresh(self, user_id: int, state: StoredState, now_ms: int) -> bool:
        since_ms, until_ms = state.valid_until_ms, stored_until(now_ms)
        if since_ms >= until_ms:
            return False
        timers = self._timers.overlapping(user_id, Period(since_ms, until_ms - 1))
        existing = self._days.contents(user_id, since_ms, until_ms)
        if not timers and not existing and state.is_valid:
            return False
        carry = self._carry(user_id, state) or Carry()
        days = _days(timers, self._calendar(state), carry, since_ms, until_ms)
        for chunk in _chunks(user_id, {day.since_ms: day for day in days}, existing, carry, until_ms):
            self._table.transact([*self._advance(user_id, state, chunk), *chunk.writes])
            state = replace(state, stored_until_ms=chunk.until_ms)
        return True

    def _advance(self, user_id: int, state: StoredState, chunk: "_Chunk") -> Iterator[Write]:
        """Yield the writes that make the days of a chunk valid."""
        carry = encode_day(StoredDay((), chunk.carry))
        yield Write(
            "Update",
            user_pk(user_id),
            CALENDAR_SK,
            as_read(CalendarItem.dirty_changes, state.changes or None),
            [
                CalendarItem.stored_until_ms.set(chunk.until_ms),
                set_or_remove(CalendarItem.carry, carry if len(carry) <= _MOST_CARRY_BYTES else None),
                CalendarItem.dirty_days.remove(),
            ],
        )
        if state.stored_until_ms == 0:
            person = PersonItem(pk=PEOPLE_PK, sk=user_pk(user_id))
            yield Write("Put", person.pk, person.sk, item=raw(person))


@dataclass(frozen=True, slots=True)
class _Day:
    """A UTC day that timers reach into.

    Attributes
    ----------
    content
        What is stored about the day; None if it has nothing that the day stored before it has not.
    carry
        The state of the timers that reach beyond the day.
    """

    since_ms: int
    content: StoredDay | None
    carry: Carry


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The writes of adjacent days, their end, and the state of the timeline at their end."""

    writes: list[Write]
    until_ms: int
    carry: Carry


def stored_until(now_ms: int) -> int:
    """Return the UTC midnight before which days are over for good: all but yesterday and today."""
    return midnight(now_ms - DAY_MS - _MARGIN_MS)


def _days(
    timers: Sequence[Timer], calendar: Calendar, carry: Carry, since_ms: int, until_ms: int
) -> Iterator[_Day]:
    """Derive the UTC days between two midnights that timers reach into."""
    waiting = sorted(timers, key=lambda timer: timer.reach.since_ms, reverse=True)
    present: list[Timer] = []
    # The state of the timers in the day that was stored last.
    stored = carry.timers
    while present or waiting:
        if not present:
            since_ms = max(since_ms, midnight(waiting[-1].reach.since_ms))
        if since_ms >= until_ms:
            return
        end_ms = since_ms + DAY_MS
        while waiting and waiting[-1].reach.since_ms < end_ms:
            present.append(waiting.pop())
        derived = timeline(present, calendar, end_ms, replace(carry, at_ms=since_ms))
        remaining = [timer for timer in present if timer.reach.until_ms >= end_ms]
        has_changed = derived.carry.break_ms != carry.break_ms or any(
            stored.get(ulid) != state for ulid, state in derived.carry.timers.items()
        )
        content = None
        if derived.slices or has_changed or len(remaining) < len(present):
            content, stored = StoredDay(derived.slices, derived.carry), derived.carry.timers
        carry = replace(
            derived.carry, timers={timer.ulid: derived.carry.timers[timer.ulid] for timer in remaining}
        )
        yield _Day(since_ms, content, carry)
        since_ms, present = end_ms, remaining


def _chunks(
    user_id: int, days: Mapping[int, _Day], existing: Mapping[str, bytes], carry: Carry, until_ms: int
) -> Iterator[_Chunk]:
    """Yield the writes of days, as many at a time as fit into a transaction.

    Parameters
    ----------
    days
        The new days, by their beginnings.
    existing
        The existing items of the time in which the days lie, by sort key.
    carry
        The state of the timeline at the beginning of this time.
    until_ms
        The end of this time.
    """
    writes: list[Write] = []
    size = 0
    outdated = {midnight_of(sk) for sk in existing}
    for since_ms in sorted(days.keys() | outdated):
        day = days.get(since_ms)
        items = dict(day_items(user_id, since_ms, day.content)) if day and day.content else {}
        writes += differences(user_id, existing, items, since_ms)
        size += sum(len(item["content"]["B"]) for item in items.values())
        if day:
            carry = day.carry
        if len(writes) >= _MOST_WRITES or size >= _MOST_BYTES:
            end_ms = since_ms + DAY_MS
            yield _Chunk(writes, end_ms, replace(carry, at_ms=end_ms))
            writes, size = [], 0
    yield _Chunk(writes, until_ms, replace(carry, at_ms=until_ms))
