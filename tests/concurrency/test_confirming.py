"""A confirmed day contains each change by hand that succeeded, however they race."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from tests.concurrency.test_races import ISSUE, OTHER, race
from timer_core.domain.errors import DayConfirmed, DayLocked, IssueTimerError, NotFound, TooMuchContention
from timer_core.domain.events import Event
from timer_core.domain.ids import new_ulid
from timer_core.domain.schedule import DAY_MS, local_date, midnight
from timer_core.domain.sheets import Sheet
from timer_core.domain.timeline import timeline
from timer_core.domain.timers import Period, Timer, finished
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import Calendars
from timer_core.store.confirmed_days import ConfirmedDays
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets
from timer_core.store.writes import Patch

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
# This day is far in the future, so that no back end's TTL deletes the tests' items.
FIRST = midnight(4_000_000_000_000)
DAY = local_date("UTC", FIRST)


def anything(sheet: Sheet) -> None:
    """Confirm whatever the sheet contains."""


class Racing:
    """A person with entries on a day, and the acts of the racers; the day is yesterday or a week ago."""

    def __init__(self, table: Table, user_id: int, days_ago: int) -> None:
        self.table = table
        self.user_id = user_id
        self.store = TimerStore(table)
        self.timesheets = Timesheets(table, self.store, Calendars(table))
        self.now_ms = FIRST + days_ago * DAY_MS + HOUR_MS
        self.entries = [
            self.store.add(self.entry(9, 60)),
            self.store.add(self.entry(11, 60)),
            self.store.add(self.entry(13, 60)),
        ]
        self.running, _ = self.store.start(
            user_id=user_id, now_ms=FIRST + 20 * HOUR_MS, issue=ISSUE if user_id % 2 else OTHER
        )
        self.timesheets.refresh(user_id, now_ms=self.now_ms)

    def entry(self, hour: int, minutes: int) -> Timer:
        start_ms = FIRST + hour * HOUR_MS
        return finished(
            user_id=self.user_id,
            ulid=new_ulid(start_ms),
            start_ms=start_ms,
            end_ms=start_ms + minutes * MINUTE_MS,
            now_ms=self.now_ms,
        )

    def confirm(self) -> Sheet:
        return self.timesheets.confirm(self.user_id, DAY, anything, now_ms=self.now_ms)

    def reopen(self) -> Sheet:
        return self.timesheets.reopen(self.user_id, DAY, anything, now_ms=self.now_ms)

    def refresh(self) -> bool:
        return self.timesheets.refresh(self.user_id, now_ms=self.now_ms)

    def add(self, minutes: int) -> Timer:
        return self.store.add(self.entry(15, minutes))

    def shorten(self, number: int, minutes: int) -> Timer:
        timer = self.entries[number]
        patch = Patch(end_ms=timer.start_ms + minutes * MINUTE_MS)
        return self.store.patch(self.user_id, timer.ulid, patch, now_ms=self.now_ms)

    def delete(self, number: int) -> None:
        self.store.delete(self.user_id, self.entries[number].ulid, now_ms=self.now_ms)

    def pause(self, number: int) -> Timer:
        at_ms = FIRST + 21 * HOUR_MS + number
        return self.store.pause(
            self.user_id, self.running.ulid, now_ms=self.now_ms, by="manual", cause=str(number), at_ms=at_ms
        )

    def close(self) -> list[Timer]:
        assert self.running.issue is not None
        event = Event(f"closed {self.user_id}", "closed", FIRST + 22 * HOUR_MS)
        return IssueTimers(self.table, self.store).apply(event, self.running.issue, now_ms=self.now_ms)

    def sheet(self) -> Sheet:
        (sheet,) = self.timesheets.days(self.user_id, [DAY], now_ms=self.now_ms)
        return sheet

    def check(self) -> Sheet:
        """Compare the sheet with the stored confirmed day, and with what follows from the timers."""
        sheet = self.sheet()
        timers = self.store.overlapping(self.user_id, Period(0, self.now_ms))
        pure = timeline(timers, Calendars(self.table).of(self.user_id), self.now_ms)
        derived = [piece for piece in pure.slices if FIRST <= piece.since_ms < FIRST + DAY_MS]
        assert list(sheet.slices if sheet.derived is None else sheet.derived) == derived
        stored = ConfirmedDays(self.table).between(self.user_id, FIRST, FIRST + DAY_MS)
        assert [day.slices for day in stored] == ([sheet.slices] if sheet.confirmed_ms else [])
        return sheet


def unexpected(results: Sequence[object]) -> list[object]:
    expected = DayConfirmed, NotFound, TooMuchContention
    return [one for one in results if isinstance(one, IssueTimerError) and not isinstance(one, expected)]


@pytest.mark.parametrize("days_ago", [1, 7])
def test_a_confirmed_day_contains_each_change_by_hand_that_succeeded(
    table: Table, threads: ThreadPoolExecutor, days_ago: int
) -> None:
    people = [Racing(table, 1000 + number, days_ago) for number in range(10)]
    racers: list[Callable[[], object]] = [
        racer
        for one in people
        for racer in (
            one.confirm,
            lambda one=one: one.add(10),
            lambda one=one: one.shorten(0, 30),
            lambda one=one: one.delete(1),
            lambda one=one: one.pause(1),
        )
    ]
    results = race(threads, racers)
    assert unexpected(results) == []
    for number, one in enumerate(people):
        sheet = one.check()
        # Nothing has changed since: the changes that lost against the confirmation were refused.
        assert (sheet.confirmed_ms is not None, sheet.derived) == (
            not isinstance(results[number * 5], IssueTimerError),
            None,
        )
        one.refresh()
        one.check()


@pytest.mark.parametrize("days_ago", [1, 7])
def test_an_event_is_in_the_confirmed_day_or_shows_as_a_change_since(
    table: Table, threads: ThreadPoolExecutor, days_ago: int
) -> None:
    people = [Racing(table, 2000 + number, days_ago) for number in range(16)]
    racers: list[Callable[[], object]] = [
        racer for one in people for racer in (one.confirm, one.close, one.refresh)
    ]
    results = race(threads, racers)
    assert unexpected(results) == []
    for one in people:
        sheet = one.check()
        assert sheet.confirmed_ms
        hours = sum(piece.working_ms for piece in sheet.slices) / HOUR_MS
        assert (hours, sheet.derived is None) in {(5, True), (7, False)}
        one.refresh()
        one.check()


def test_confirming_reopening_correcting_and_storing_leave_consistent_days(
    table: Table, threads: ThreadPoolExecutor
) -> None:
    people = [Racing(table, 3000 + number, 7) for number in range(5)]
    racers: list[Callable[[], object]] = [
        racer
        for one in people
        for racer in (
            one.confirm,
            one.confirm,
            one.reopen,
            one.reopen,
            one.refresh,
            one.close,
            lambda one=one: one.add(10),
            lambda one=one: one.shorten(0, 30),
            lambda one=one: one.shorten(2, 20),
            lambda one=one: one.delete(1),
        )
    ]
    for _ in range(2):
        assert unexpected(race(threads, racers)) == []
        for one in people:
            one.check()
            one.refresh()
            one.check()


def test_days_that_are_confirmed_at_once_are_all_confirmed(table: Table, threads: ThreadPoolExecutor) -> None:
    one = Racing(table, 4000, 7)
    days: list[date] = [DAY + timedelta(days=number) for number in range(6)]

    def confirm(day: date) -> Sheet:
        return one.timesheets.confirm(one.user_id, day, anything, now_ms=one.now_ms)

    results = race(threads, [lambda day=day: confirm(day) for day in days])
    assert unexpected(results) == []
    own = Calendars(table).own(one.user_id)
    assert [(found.first, found.last) for found in own.confirmed] == [(days[0], days[-1])]
    stored = ConfirmedDays(table).between(one.user_id, FIRST, one.now_ms)
    assert [day.date for day in stored] == days


@pytest.mark.parametrize("days_ago", [2, 7])
def test_a_locked_day_contains_each_change_by_hand_that_succeeded(
    table: Table, threads: ThreadPoolExecutor, days_ago: int
) -> None:
    people = [Racing(table, 5000 + number, days_ago) for number in range(9)]
    locking = Calendars(table)
    changes: list[Callable[[], object]] = [
        change
        for one in people
        for change in (
            lambda one=one: one.add(10),
            lambda one=one: one.shorten(0, 30),
            lambda one=one: one.delete(1),
            lambda one=one: one.pause(1),
            one.confirm,
        )
    ]
    locked = list[list[Sheet]]()

    def lock() -> None:
        locking.lock(DAY, by=1, reason="", now_ms=people[0].now_ms)
        # From here on, no change of the day may succeed.
        locked.append([one.sheet() for one in people])

    try:
        assert unexpected(race(threads, [lock, *changes])) == []
        for one, sheet in zip(people, locked[0], strict=True):
            assert one.sheet().slices == sheet.slices
            one.timesheets.apply_lock(one.user_id, now_ms=one.now_ms)
            stored = ConfirmedDays(table).between(one.user_id, FIRST, FIRST + DAY_MS)
            assert [day.slices for day in stored] == [sheet.slices]
        again = race(threads, changes)
        assert all(isinstance(result, DayLocked) for result in [*again[::5], *again[4::5]])
        assert [one.sheet().slices for one in people] == [sheet.slices for sheet in locked[0]]
    finally:
        locking.lock(None, by=1, reason="", now_ms=people[0].now_ms)


def test_a_lock_between_the_check_and_the_write_of_a_change_refuses_the_change(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Racing(table, 5100, 7)
    changes, locking = one.store.changes, Calendars(table)
    check = changes._check

    def lock_after_check(*arguments: Any) -> None:
        check(*arguments)
        locking.lock(DAY, by=1, reason="", now_ms=one.now_ms)
        # Another thread reads the lock again.
        changes._calendars.forget_organization()

    monkeypatch.setattr(changes, "_check", lock_after_check)
    try:
        with pytest.raises(DayLocked):
            one.add(10)
    finally:
        locking.lock(None, by=1, reason="", now_ms=one.now_ms)


@pytest.mark.parametrize("is_confirmed", [False, True])
def test_a_lock_between_the_check_and_the_write_of_a_confirmation_refuses_it(
    table: Table, *, is_confirmed: bool
) -> None:
    one = Racing(table, 5200 + is_confirmed, 7)
    if is_confirmed:
        one.confirm()
    locking = Calendars(table)

    def lock(_: Sheet) -> None:
        locking.lock(DAY, by=1, reason="", now_ms=one.now_ms)
        one.timesheets._calendars.forget_organization()

    act = one.timesheets.reopen if is_confirmed else one.timesheets.confirm
    try:
        with pytest.raises(DayLocked):
            act(one.user_id, DAY, lock, now_ms=one.now_ms)
    finally:
        locking.lock(None, by=1, reason="", now_ms=one.now_ms)
