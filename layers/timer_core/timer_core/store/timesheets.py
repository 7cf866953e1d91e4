"""People's working time: derived from their timers, and read from stored days where these are valid.

Timers and calendars are the truth, and the stored days are a read model of them. Yesterday and today (UTC)
are always derived on reading, so a transition of the present changes no stored day. A change that reaches
further back marks the stored days in the same transaction (`timer_core.store.calendars.lower_dirty`). Readers
derive these days until `Timesheets.refresh` has stored them again.

On days that the person has confirmed, the slices are frozen (`timer_core.domain.confirmed`). Stored days
contain the frozen slices.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date

from timer_core.domain.audit import AuditEntry, AuditKind
from timer_core.domain.calendar import Calendar
from timer_core.domain.confirmed import (
    OVER_AFTER_MS,
    ConfirmedDay,
    ConfirmedRange,
    are_same,
    confirmed_timeline,
    is_confirmed,
    overlaps,
    without_range,
)
from timer_core.domain.errors import DetailsDeleted, ErrorCode, InvalidInput, NotFound
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import DAY, Span, midnight
from timer_core.domain.sheets import Label, Sheet, sheets
from timer_core.domain.state import SWEEPER
from timer_core.domain.timeline import Carry, Slice, clipped, timeline
from timer_core.domain.timers import CLOCK_SKEW_MS, LATEST_MS, Period, Timer
from timer_core.store.audit import put_entry
from timer_core.store.calendars import Calendars, as_confirmed, lower_dirty, set_confirmed, update_calendar
from timer_core.store.confirmed_days import MOST_DAYS, ConfirmedDays, confirmation, note_confirmed, puts
from timer_core.store.derived_days import MOST_WRITES, advance, chunks_of, derived_days, stored_until
from timer_core.store.items import EVENT_DAYS, LOCKED_AFTER_MS
from timer_core.store.keys import PEOPLE_PK, user_id_of
from timer_core.store.queries import TimerQueries, overlapping
from timer_core.store.stored_days import StoredDays, StoredState, date_of, to_state
from timer_core.store.table import Conflict, RawItem, Table, Write, retry_on_conflict

# The number of people whose stored days an instance remembers.
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Worked:
    """A person's working time in a period.

    Attributes
    ----------
    slices
        The time that counted, clipped to the period and to the present, sorted by beginning and timer.
    timers
        The timers from which days were derived. There are none for days that were read.
    state
        The state of the timeline at the end of the period, or at the present if that is earlier; None if the
        period ended before the days that are derived.
    days
        Which days are stored.
    derived
        The slices without confirmed days; the same ones if they are not different.
    confirmed
        The confirmed days that overlap the days that are derived.
    """

    slices: tuple[Slice, ...]
    timers: tuple[Timer, ...]
    calendar: Calendar
    state: Carry | None
    days: StoredState
    derived: tuple[Slice, ...]
    confirmed: tuple[ConfirmedDay, ...] = ()

    def revision(self, *, now_ms: int) -> tuple[object, ...]:
        """Return what differs after a change of the person's timers, working hours or confirmed days.

        The present is derived from all timers since yesterday (UTC). Changes of earlier days are counted, but
        other descriptions and issues there make no difference.
        """
        since_ms = stored_until(now_ms)
        timers = [(one.ulid, one.version) for one in self.timers if one.reach.until_ms >= since_ms]
        return self.days.own.version, self.days.changes, timers

    @property
    def only_confirmed(self) -> Set[str]:
        """The timers that only have time on confirmed days, because events have moved them since."""
        return {piece.timer for piece in self.slices} - {piece.timer for piece in self.derived}

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


# Raises an error if a sheet is not the one that the caller has seen.
Expected = Callable[[Sheet], None]


class Timesheets:
    """Derives working time, stores days, and confirms them."""

    def __init__(self, table: Table, timers: TimerQueries, calendars: Calendars) -> None:
        self._table = table
        self._timers = timers
        self._calendars = calendars
        self._days = StoredDays(table)
        self._confirmed = ConfirmedDays(table)
        # A hint where the next read of a person's present begins.
        self._valid_until_ms: dict[int, int] = {}

    # ------------------------------------------------------------------ reading

    def state(self, user_id: int, *, now_ms: int) -> StoredState:
        """Return which days are stored, without those that a fast machine has stored too early."""
        return self._days.state(user_id).valid_until(midnight(now_ms))

    def worked(
        self, user_id: int, period: Period, *, now_ms: int, state: StoredState | None = None
    ) -> Worked:
        """Return a person's working time in a period, up to the present.

        Parameters
        ----------
        state
            As the method `state` returns it, if it was read already.
        """
        return self._worked(user_id, state or self.state(user_id, now_ms=now_ms), period, now_ms)

    def present(self, user_id: int, *, now_ms: int) -> Worked:
        """Return a person's working time since the beginning of the present day in their time zone.

        The carry has the state of all of the person's open timers. The machine that made the last transition
        may be ahead by up to a minute; then the present is the time of this transition.
        """
        items, state = self._read_present(user_id, now_ms)
        schedule = self._calendar(state).schedule
        today = Period(schedule.starts_at(schedule.day_of(now_ms)), now_ms + CLOCK_SKEW_MS)
        return self._worked(user_id, state, today, now_ms, ahead_ms=CLOCK_SKEW_MS, items=items)

    def working_ms(
        self, user_id: int, timers: Sequence[Timer], *, now_ms: int, present: Worked | None = None
    ) -> dict[str, int]:
        """Return the working time of a person's timers up to the present, by ULID.

        Parameters
        ----------
        present
            The person's working time in a period up to the present, if it has been derived already.
        """
        ends = {timer.ulid: timer.reach.until_ms for timer in timers}
        if present is None:
            items, state = self._read_present(user_id, now_ms)
            if all(end_ms < state.valid_until_ms for end_ms in ends.values()):
                return self._stored_ms(user_id, ends)
            present = self._worked(user_id, state, Period(now_ms, now_ms), now_ms, items=items)
        stored = {ulid: end_ms for ulid, end_ms in ends.items() if end_ms < present.days.valid_until_ms}
        carries = present.carry.timers
        derived = {ulid: carries[ulid].working_ms for ulid in ends if ulid in carries}
        return derived | self._stored_ms(user_id, stored)

    def _stored_ms(self, user_id: int, ends: Mapping[str, int]) -> dict[str, int]:
        """Return the working time of timers that ended on days that are stored.

        Earlier days have the state of the timer at their end.

        Parameters
        ----------
        ends
            The ends of the timers' reaches, by ULID.
        """
        dates = {ulid: date_of(end_ms) for ulid, end_ms in ends.items()}
        carries = self._days.carries(user_id, dates.values())
        on_last_day = ((ulid, carries[day].timers.get(ulid)) for ulid, day in dates.items() if day in carries)
        return {ulid: carry.working_ms for ulid, carry in on_last_day if carry}

    def not_stale(self, user_id: int, *, now_ms: int) -> list[Timer]:
        """Return the timers that the sweeper has stopped at an instant at which they did not become stale.

        Events on other issues, and other working hours, may have become known since. Timers that events can
        no longer change are not checked.
        """
        unlocked_ms = now_ms - LOCKED_AFTER_MS
        expired = {
            timer.ulid: timer
            for timer in self._timers.overlapping(user_id, Period(unlocked_ms, now_ms))
            if timer.stopped_by == SWEEPER and timer.locked_until_ms is None
        }
        if not expired:
            return []
        state = self.state(user_id, now_ms=now_ms)
        since_ms, carry = state.valid_until_ms, self._carry(user_id, state)
        signed_ms = min(timer.last_sign_until(timer.changed_ms) for timer in expired.values())
        if signed_ms < since_ms:
            since_ms = max(midnight(signed_ms), state.own.details_from_ms)
            carry = self._carry_at(user_id, since_ms)
        timers = [
            timer.unexpired() if timer.ulid in expired else timer
            for timer in self._timers.overlapping(user_id, Period(since_ms, now_ms))
        ]
        calendar = self._calendar(state)

        def is_stale_at(ulid: str, at_ms: int) -> bool:
            return timeline(timers, calendar, at_ms + 1, carry).carry.timers[ulid].stale_ms == at_ms

        return [timer for ulid, timer in expired.items() if not is_stale_at(ulid, timer.changed_ms)]

    def under(self, user_id: int, own: OwnCalendar, period: Period, *, now_ms: int) -> tuple[Slice, ...]:
        """Return what would count in a period, up to the present, if a person had another calendar.

        Before the period, the calendar has to have the same working hours as the stored one.
        """
        state = self.state(user_id, now_ms=now_ms)
        # No calendar changes what is left of deleted details.
        first_ms = max(midnight(period.since_ms), state.own.details_from_ms)
        since_ms = min(first_ms, state.valid_until_ms)
        until_ms = min(period.until_ms, now_ms)
        stored = self._days.between(user_id, period.since_ms, min(since_ms, until_ms))
        slices = [piece for day in stored for piece in day.slices]
        if since_ms == state.valid_until_ms:
            carry = self._carry(user_id, state)
        else:
            carry = self._carry_at(user_id, since_ms)
        timers, confirmed = self._read(user_id, state, Period(since_ms, until_ms))
        calendar = own.calendar(self._calendars.organization())
        derived = confirmed_timeline(timers, calendar, until_ms, carry, confirmed)
        return clipped([*slices, *derived.slices], period.since_ms, until_ms)

    def _read_present(self, user_id: int, now_ms: int) -> tuple[list[RawItem], StoredState]:
        """Return the items of the timers that reach into the days that are not stored, and which are stored.

        One query reads both, from the time up to which days were valid when they were last read. The query
        is repeated if fewer days are valid now.
        """
        since_ms = self._valid_until_ms.get(user_id, stored_until(now_ms))
        while True:
            items, calendar = self._timers.with_calendar(user_id, since_ms)
            state = to_state(calendar).valid_until(midnight(now_ms))
            if state.valid_until_ms >= since_ms:
                break
            since_ms = state.valid_until_ms
        if len(self._valid_until_ms) >= _MOST_KNOWN:
            self._valid_until_ms.clear()
        self._valid_until_ms[user_id] = state.valid_until_ms
        return items, state

    def _worked(
        self,
        user_id: int,
        state: StoredState,
        period: Period,
        now_ms: int,
        *,
        ahead_ms: int = 0,
        items: Sequence[RawItem] | None = None,
    ) -> Worked:
        calendar = self._calendar(state)
        valid_ms, until_ms = state.valid_until_ms, min(period.until_ms, now_ms)
        days = list(self._days.between(user_id, period.since_ms, min(until_ms, valid_ms)))
        slices = [piece for day in days for piece in day.slices]
        derived = [piece for day in days for piece in day.unconfirmed]
        timers: Sequence[Timer] = ()
        confirmed: Sequence[ConfirmedDay] = ()
        carry = None
        if until_ms >= valid_ms:
            timers, confirmed = self._read(user_id, state, Period(valid_ms, until_ms + ahead_ms), items)
            changes = (timer.changed_ms for timer in timers if timer.is_open)
            until_ms = max([until_ms, *(ms for ms in changes if ms <= until_ms + ahead_ms)])
            found = confirmed_timeline(timers, calendar, until_ms, self._carry(user_id, state), confirmed)
            slices += found.slices
            derived += found.unconfirmed
            carry = found.carry
        since_ms = period.since_ms
        return Worked(
            clipped(slices, since_ms, until_ms),
            tuple(timers),
            calendar,
            carry,
            state,
            clipped(derived, since_ms, until_ms),
            tuple(confirmed),
        )

    def _read(
        self, user_id: int, state: StoredState, period: Period, items: Sequence[RawItem] | None = None
    ) -> tuple[list[Timer], Sequence[ConfirmedDay]]:
        """Return the timers and the confirmed days from which a period is derived.

        Parameters
        ----------
        items
            The items of all timers whose reach ends in the period or later, if they have been read already.
        """
        has_confirmed = overlaps(state.own.confirmed, *period)
        if items is not None:
            confirmed = self._confirmed.between(user_id, *period) if has_confirmed else ()
            return overlapping(items, period), confirmed
        if not has_confirmed:
            return self._timers.overlapping(user_id, period), ()
        with ThreadPoolExecutor(1) as pool:
            read = pool.submit(self._confirmed.between, user_id, *period)
            return self._timers.overlapping(user_id, period), read.result()

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

    # ------------------------------------------------------------------ confirming

    def days(self, user_id: int, dates: Sequence[date], *, now_ms: int) -> list[Sheet]:
        """Return a person's sheets of adjacent dates."""
        return self._sheets(user_id, self.state(user_id, now_ms=now_ms), dates, now_ms)[0]

    def confirm(self, user_id: int, day: date, expected: Expected, *, now_ms: int, reason: str = "") -> Sheet:
        """Freeze a day that is over, and return its sheet. A confirmed day stays as it is.

        A concurrent change by hand of the day makes this method read the day again. An event that arrives
        at the same time may not be in the sheet; then `Sheet.derived` has it.

        Parameters
        ----------
        expected
            A function that raises an error if the sheet is not the one that the person has seen.
        reason
            The reason, for the audit log.

        Raises
        ------
        InvalidInput
            If the day is not over for a minute, or the date does not exist in its time zone.
        DetailsDeleted
            If the details of the day are deleted.
        TooMuchContention
            If other requests kept changing the day. Nothing was written.
        """

        def attempt() -> Sheet:
            # The lock is read before the sheet, so that the write is refused if it has changed since.
            locked_until = self._calendars.locked_until()
            state = self.state(user_id, now_ms=now_ms)
            (sheet,), worked = self._sheets(user_id, state, [day], now_ms)
            if sheet.since_ms == sheet.until_ms:
                raise InvalidInput(
                    "date", "This date does not exist in your time zone.", ErrorCode.INVALID_DATE
                )
            if sheet.until_ms > now_ms - OVER_AFTER_MS:
                raise InvalidInput("date", "The day is not over yet.", ErrorCode.DAY_NOT_OVER)
            self._refuse_locked(sheet)
            expected(sheet)
            if sheet.confirmed_ms is not None:
                return sheet
            _refuse_deleted(sheet, state.own)
            if self._lift(user_id, state):
                raise Conflict
            confirmed = ConfirmedDay(day, sheet.since_ms, sheet.until_ms, now_ms, sheet.slices)
            marks = self._timer_writes(user_id, [confirmed], worked.timers)
            while len(marks) > MOST_WRITES:
                # An interval of confirmed time that is too long does no harm.
                self._table.transact(marks[:MOST_WRITES])
                marks = marks[MOST_WRITES:]
            entry = AuditEntry.of_day(
                AuditKind.CONFIRMED, day, sheet.working_ms, by=user_id, now_ms=now_ms, reason=reason
            )
            frozen = [confirmation(user_id, state, confirmed.range), *puts(user_id, confirmed)]
            writes = [*frozen, *marks, *put_entry(user_id, entry)]
            self._calendars.transact(writes, locked_until)
            return replace(sheet, confirmed_ms=now_ms)

        return retry_on_conflict(attempt, "The day could not be confirmed: other requests kept changing it.")

    def reopen(self, user_id: int, day: date, expected: Expected, *, now_ms: int, reason: str = "") -> Sheet:
        """Derive a confirmed day from the timers again, and return its sheet.

        Parameters
        ----------
        expected, reason
            As in `confirm`.

        Raises
        ------
        NotFound
            If the day is not confirmed.
        DetailsDeleted
            If the details of the day are deleted.
        TooMuchContention
            If other requests kept changing the confirmed days. Nothing was written.
        """

        def attempt() -> None:
            locked_until = self._calendars.locked_until()
            state = self.state(user_id, now_ms=now_ms)
            (sheet,), _ = self._sheets(user_id, state, [day], now_ms)
            self._refuse_locked(sheet)
            if sheet.confirmed_ms is None:
                raise NotFound(f"{day.isoformat()} is not confirmed.")
            _refuse_deleted(sheet, state.own)
            expected(sheet)
            removed = ConfirmedRange(day, day, sheet.since_ms, sheet.until_ms)
            remaining = replace(state.own, confirmed=without_range(state.own.confirmed, removed))
            actions = set_confirmed(remaining, reopened_ms=sheet.since_ms)
            update = update_calendar(user_id, actions, as_confirmed(state.own))
            entry = AuditEntry.of_day(
                AuditKind.REOPENED, day, sheet.working_ms, by=user_id, now_ms=now_ms, reason=reason
            )
            deletes = self._confirmed.deletes(user_id, day)
            writes = [update, *deletes, *put_entry(user_id, entry)]
            self._calendars.transact(writes, locked_until)

        retry_on_conflict(attempt, "The day could not be reopened: other requests kept changing it.")
        return self.days(user_id, [day], now_ms=now_ms)[0]

    def _refuse_locked(self, sheet: Sheet) -> None:
        """Refuse to confirm or to reopen a locked day.

        Raises
        ------
        DayLocked
            If the day is locked.
        """
        if sheet.locked:
            self._calendars.refuse_locked(sheet.date)
            raise Conflict

    # ------------------------------------------------------------------ locks

    def apply_lock(self, user_id: int, *, now_ms: int) -> None:
        """Freeze a person's days that are locked, and derive those again that no longer are.

        Days that the person has confirmed stay as they are. An interrupted call is continued by the next one.

        Raises
        ------
        TooMuchContention
            If other requests kept changing the days.
        """

        def attempt() -> bool:
            state = self.state(user_id, now_ms=now_ms)
            if self._lift(user_id, state):
                return True
            locked_until = self._calendars.locked_until()
            dates = [] if locked_until is None else self._not_frozen(user_id, state.own, locked_until)
            if not dates:
                return False
            self._freeze(user_id, state, dates, locked_until, now_ms)
            return True

        message = "The days could not be frozen: other requests kept changing them."
        while retry_on_conflict(attempt, message):
            pass

    def _lift(self, user_id: int, state: StoredState) -> bool:
        """Derive days again that a former lock has frozen, and return whether there were any."""
        locked_until = self._calendars.locked_until()
        lifting = self._confirmed.lifting(user_id, state.own, locked_until)
        if lifting:
            self._calendars.transact(lifting, locked_until)
        return bool(lifting)

    def _not_frozen(self, user_id: int, own: OwnCalendar, locked_until: date) -> list[date]:
        """Return the next adjacent locked dates that are not frozen, as many as one transaction freezes."""
        frozen = [one.last for one in own.confirmed if one.locked]
        if frozen:
            day = frozen[-1] + DAY
        else:
            # A late event may change time before the first stored day.
            stored = self._days.first_date(user_id)
            day = min(stored or locked_until, locked_until - EVENT_DAYS * DAY) - DAY
        # Nothing can change an earlier day.
        day = max(day, date.fromisoformat(date_of(own.details_from_ms)))
        dates: list[date] = []
        while day <= locked_until and len(dates) < MOST_DAYS:
            if not is_confirmed(own.confirmed, day):
                dates.append(day)
            elif dates:
                break
            day += DAY
        return dates

    def _freeze(
        self, user_id: int, state: StoredState, dates: Sequence[date], locked_until: date | None, now_ms: int
    ) -> None:
        """Freeze the time of adjacent dates, because they are locked."""
        sheets, worked = self._sheets(user_id, state, dates, now_ms)
        days = [
            ConfirmedDay(sheet.date, sheet.since_ms, sheet.until_ms, now_ms, sheet.slices, locked=True)
            for sheet in sheets
        ]
        marks = self._timer_writes(user_id, days, worked.timers)
        for first in range(0, len(marks), MOST_WRITES):
            # An interval of confirmed time that is too long does no harm.
            self._table.transact(marks[first : first + MOST_WRITES])
        added = ConfirmedRange(dates[0], dates[-1], days[0].since_ms, days[-1].until_ms, locked=True)
        frozen = [write for day in days for write in puts(user_id, day)]
        self._calendars.transact([confirmation(user_id, state, added), *frozen], locked_until)

    def _sheets(
        self, user_id: int, state: StoredState, dates: Sequence[date], now_ms: int
    ) -> tuple[list[Sheet], Worked]:
        schedule = self._calendar(state).schedule
        period = Period(schedule.starts_at(dates[0]), schedule.starts_at(dates[-1] + DAY))
        worked = self._worked(user_id, state, period, now_ms)
        confirmed = self._confirmed_on(user_id, state, period, worked)
        labels = self._labels(user_id, worked, period)
        borders = {day: Span(one.since_ms, one.until_ms) for day, one in confirmed.items()}
        shown, derived = (
            sheets(slices, schedule, dates, now_ms=now_ms, confirmed_spans=borders)
            for slices in (worked.slices, worked.derived if confirmed else ())
        )
        found, locked_until = [], self._calendars.locked_until()
        for sheet, without in zip(shown, derived, strict=True):
            labelled = replace(sheet, labels=labels)
            if day := confirmed.get(sheet.date):
                changed = None if are_same(sheet.slices, without.slices) else without.slices
                confirmed_ms = None if day.locked else day.confirmed_ms
                labelled = replace(labelled, confirmed_ms=confirmed_ms, derived=changed)
            is_locked = locked_until is not None and sheet.date <= locked_until
            has_details = sheet.since_ms >= state.own.details_from_ms
            found.append(replace(labelled, locked=is_locked, has_details=has_details))
        return found, worked

    def _confirmed_on(
        self, user_id: int, state: StoredState, period: Period, worked: Worked
    ) -> Mapping[date, ConfirmedDay]:
        """Return the confirmed days of a period by date. Those of the derived part were read with it."""
        stored = Period(period.since_ms, min(period.until_ms, worked.days.valid_until_ms))
        found = list(worked.confirmed)
        if overlaps(state.own.confirmed, *stored):
            found += self._confirmed.between(user_id, *stored)
        # A day may have been confirmed after the state was read.
        return {day.date: day for day in found if is_confirmed(state.own.confirmed, day.date)}

    def _labels(self, user_id: int, worked: Worked, period: Period) -> dict[str, Label]:
        """Return the labels of the timers that counted in a period."""
        derived = {timer.ulid: Label.of(timer) for timer in worked.timers}
        others = {piece.timer for piece in worked.slices} - derived.keys()
        ended = Period(period.since_ms, min(period.until_ms, worked.days.valid_until_ms))
        return derived | self._timers.labels(user_id, others, ended)

    def _timer_writes(
        self, user_id: int, days: Sequence[ConfirmedDay], timers: Sequence[Timer]
    ) -> list[Write]:
        """Return the writes that note the slices of confirmed days at their timers."""
        reached: dict[str, Span] = {}
        for piece in (piece for day in days for piece in day.slices):
            known = reached.get(piece.timer, Span(piece.since_ms, piece.until_ms))
            reached[piece.timer] = Span(
                min(known.since_ms, piece.since_ms), max(known.until_ms, piece.until_ms)
            )
        known_timers = {timer.ulid: timer for timer in timers}
        others = self._timers.get_all(user_id, reached.keys() - known_timers.keys())
        known_timers |= {timer.ulid: timer for timer in others}
        return [
            note_confirmed(known_timers[ulid], span)
            for ulid, span in sorted(reached.items())
            if ulid in known_timers
        ]

    # ------------------------------------------------------------------ storing

    def refresh(
        self, user_id: int, *, now_ms: int, changed_ms: int = LATEST_MS, state: StoredState | None = None
    ) -> bool:
        """Store the days of a person that are over and not stored, or not valid.

        Each transaction has the condition that no change has made stored days invalid since the timers were
        read. So concurrent refreshes and changes never leave a wrong day that is valid. An interrupted
        refresh is continued by the next one.

        Parameters
        ----------
        changed_ms
            The instant from which a change may have made days invalid, even if its write did not mark them.
        state
            Which days are stored, if it was read after the change.

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
            nonlocal state
            known, state = state or self._days.state(user_id), None
            return self._refresh(user_id, known.valid_until(changed_ms), now_ms)

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
        timers, confirmed = self._read(user_id, state, Period(since_ms, until_ms - 1))
        existing, last = self._days.contents_and_last(user_id, since_ms, until_ms)
        if not timers and not existing and state.is_valid:
            return False
        carry = state.carry or replace(last.carry if last else Carry(), at_ms=since_ms)
        days = derived_days(timers, confirmed, self._calendar(state), carry, since_ms, until_ms)
        for chunk in chunks_of(user_id, {day.since_ms: day for day in days}, existing, carry, until_ms):
            self._table.transact([*advance(user_id, state, chunk), *chunk.writes])
            state = replace(state, stored_until_ms=chunk.until_ms)
        return True


def _refuse_deleted(sheet: Sheet, own: OwnCalendar) -> None:
    """Refuse to confirm or to reopen a day whose details are deleted.

    Raises
    ------
    DetailsDeleted
        If the details of the day, or of a part of it, are deleted.
    """
    if sheet.since_ms < own.details_from_ms:
        raise DetailsDeleted(sheet.date)
