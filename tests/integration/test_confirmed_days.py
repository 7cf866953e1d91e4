"""Confirmed days: frozen slices, refused changes by hand, and the derivation after reopening."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from tests.integration.test_timesheets import FIRST, FixedPolicies, Owner
from timer_core.domain.calendar import HOUR_MS
from timer_core.domain.errors import DayConfirmed
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.sheets import Sheet
from timer_core.domain.timers import Period, finished
from timer_core.store.people import Person
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

MONDAY = date(2026, 3, 2)
DAY = timedelta(days=1)


def anything(sheet: Sheet) -> None:
    """Confirm whatever the sheet contains."""


@pytest.fixture
def calendars(shared_table: Table) -> FixedPolicies:
    return FixedPolicies(shared_table)


@pytest.fixture
def owner(shared_table: Table, calendars: FixedPolicies, new_person: Callable[[], Person]) -> Owner:
    return Owner(new_person().user_id, shared_table, calendars)


@pytest.fixture
def store(shared_table: Table, calendars: FixedPolicies) -> TimerStore:
    return TimerStore(shared_table, calendars)


@pytest.mark.parametrize("days_later", [1, 5])
def test_an_event_does_not_change_a_confirmed_day(owner: Owner, days_later: int) -> None:
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    owner.write(owner.timers[ulid].stop(FIRST + 12 * HOUR_MS, "closed"), now_ms=FIRST + 12 * HOUR_MS)
    now_ms = FIRST + days_later * DAY_MS + HOUR_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    sheet = owner.timesheets.confirm(owner.user_id, MONDAY, anything, now_ms=now_ms)
    assert sum(piece.working_ms for piece in sheet.slices) == 3 * HOUR_MS
    assert sheet.confirmed_ms == now_ms
    timer = owner.queries.get(owner.user_id, ulid)
    assert timer.confirmed == (FIRST + 9 * HOUR_MS, FIRST + 12 * HOUR_MS)
    earlier = owner.timers[ulid].history[0]
    stopped = timer.__class__.start(
        user_id=owner.user_id, ulid=ulid, at_ms=earlier.at_ms, now_ms=earlier.at_ms, by="assigned"
    ).stop(FIRST + 10 * HOUR_MS, "closed")
    from dataclasses import replace

    owner.write(replace(stopped, version=timer.version + 1, confirmed=timer.confirmed), now_ms=now_ms)
    for _ in range(2):
        (sheet,) = owner.timesheets.days(owner.user_id, [MONDAY], now_ms=now_ms)
        assert sum(piece.working_ms for piece in sheet.slices) == 3 * HOUR_MS
        assert sheet.derived is not None
        assert sum(piece.working_ms for piece in sheet.derived) == HOUR_MS
        working = owner.timesheets.working_ms(
            owner.user_id, [owner.queries.get(owner.user_id, ulid)], now_ms=now_ms
        )
        assert working == {ulid: 3 * HOUR_MS}
        owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    sheet = owner.timesheets.reopen(owner.user_id, MONDAY, anything, now_ms=now_ms)
    assert (sheet.confirmed_ms, sheet.derived) == (None, None)
    assert sum(piece.working_ms for piece in sheet.slices) == HOUR_MS
    owner.timesheets.refresh(owner.user_id, now_ms=now_ms)
    owner.check(Period(FIRST, now_ms), now_ms=now_ms)


def test_an_entry_cannot_be_added_to_a_confirmed_day(owner: Owner, store: TimerStore) -> None:
    now_ms = FIRST + DAY_MS + HOUR_MS
    owner.timesheets.confirm(owner.user_id, MONDAY, anything, now_ms=now_ms)
    entry = finished(
        user_id=owner.user_id, ulid="01", start_ms=FIRST - HOUR_MS, end_ms=FIRST + HOUR_MS, now_ms=now_ms
    )
    with pytest.raises(DayConfirmed) as refused:
        store.add(entry)
    assert refused.value.date == MONDAY
