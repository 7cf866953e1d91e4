"""The organization's settings and people's calendars in the table."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

import pytest

from tests.support.calendars import put_assignment_starts, put_exceptions, put_version
from tests.support.handlers import Clock
from timer_core.domain.calendar import HOUR_MS, AssignmentStarts, ConcurrentTimers, Policy
from timer_core.domain.errors import InvalidInput
from timer_core.domain.own_calendar import MAX_EXCEPTIONS, MAX_VERSIONS, OwnCalendar
from timer_core.domain.schedule import ALL_DAY, DayException, Interval, ScheduleVersion, Week, instant
from timer_core.store.calendars import SETTINGS_KEY, Calendars, Dirty, dirty_of, lower_dirty
from timer_core.store.keys import CALENDAR_SK, user_pk
from timer_core.store.people import Person
from timer_core.store.table import Table, Write

DAY_MS = 86_400_000
NOW = instant("UTC", date(2026, 11, 30), 9 * 60)
MORNINGS = Week("Europe/Berlin", (*[(Interval(540, 750),)] * 5, (), ()))
NIGHTS = Week("Asia/Kathmandu", (*[(Interval(0, 360), Interval(1320, 1440))] * 7,))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def calendars(shared_table: Table, clock: Clock) -> Iterator[Calendars]:
    yield Calendars(shared_table, now_s=lambda: clock() / 1000)
    shared_table.write(Write("Delete", *SETTINGS_KEY))


@pytest.fixture
def user_id(new_person: Callable[[], Person]) -> int:
    return new_person().user_id


def dirty(table: Table, user_id: int) -> Dirty:
    return dirty_of(table.get(user_pk(user_id), CALENDAR_SK))


def utc_day(day: date) -> int:
    return instant("UTC", day, 0)


# ---------------------------------------------------------------------- a person's calendar


def test_a_person_without_a_calendar_has_the_defaults(calendars: Calendars, user_id: int) -> None:
    calendar = calendars.of(user_id)
    assert (calendar.policies, calendar.versions, calendar.exceptions) == ((Policy(),), (), {})
    assert not calendars.own(user_id).chosen


def test_a_calendar_is_read_as_it_was_written(calendars: Calendars, user_id: int) -> None:
    versions = [
        ScheduleVersion(date(2026, 12, 1), MORNINGS),
        ScheduleVersion(date(2027, 1, 1), NIGHTS),
        ScheduleVersion(date(2027, 2, 1), Week("America/Havana")),
    ]
    for version in reversed(versions):
        put_version(calendars, user_id, version, now_ms=NOW)
    exceptions = {
        date(2026, 12, 24): DayException((), "Heiligabend – frei, ab 0 Uhr"),
        date(2026, 12, 31): DayException((Interval(540, 720),)),
        date(2027, 1, 2): DayException(ALL_DAY, "on call"),
    }
    put_exceptions(calendars, user_id, exceptions, now_ms=NOW)
    put_assignment_starts(calendars, user_id, AssignmentStarts.SELF, now_ms=NOW)
    put_assignment_starts(calendars, user_id, None, now_ms=NOW + 5)
    own = calendars.own(user_id)
    assert list(own.versions) == versions
    assert own.exceptions == exceptions
    assert own.assignment_starts == ((NOW, AssignmentStarts.SELF), (NOW + 5, None))
    assert own.chosen
    assert own.version == 6


def test_a_version_with_the_same_date_is_replaced(calendars: Calendars, user_id: int) -> None:
    for week in (MORNINGS, NIGHTS):
        put_version(calendars, user_id, ScheduleVersion(date(2026, 12, 1), week), now_ms=NOW)
    assert calendars.own(user_id).versions == (ScheduleVersion(date(2026, 12, 1), NIGHTS),)


def test_a_change_that_changes_nothing_is_not_written(calendars: Calendars, user_id: int) -> None:
    version = ScheduleVersion(date(2026, 12, 1), MORNINGS)
    assert put_version(calendars, user_id, version, now_ms=NOW).version == 1
    assert put_version(calendars, user_id, version, now_ms=NOW).version == 1
    assert (
        calendars.change(user_id, lambda own: own.without_version(date(2026, 12, 2)), now_ms=NOW).version == 1
    )


def test_concurrent_changes_are_all_kept(calendars: Calendars, user_id: int) -> None:
    days = [date(2027, 1, day) for day in range(1, 17)]

    def put(day: date) -> None:
        put_exceptions(calendars, user_id, {day: DayException()}, now_ms=NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, days))
    own = calendars.own(user_id)
    assert list(own.exceptions) == days
    assert own.version == len(days)


def test_more_versions_than_the_limit_are_refused(calendars: Calendars, user_id: int) -> None:
    def fill(own: OwnCalendar) -> OwnCalendar:
        first = date(2026, 12, 1).toordinal()
        for number in range(MAX_VERSIONS):
            own = own.with_version(ScheduleVersion(date.fromordinal(first + number), MORNINGS))
        return own

    calendars.change(user_id, fill, now_ms=NOW)
    with pytest.raises(InvalidInput, match="200 versions"):
        put_version(calendars, user_id, ScheduleVersion(date(2028, 1, 1), MORNINGS), now_ms=NOW)
    # Replacing one is possible.
    put_version(calendars, user_id, ScheduleVersion(date(2026, 12, 1), NIGHTS), now_ms=NOW)


def test_the_largest_calendar_can_be_stored_and_a_larger_one_is_refused(
    calendars: Calendars, user_id: int
) -> None:
    first = date(2026, 12, 1).toordinal()
    days = [date.fromordinal(first + number) for number in range(MAX_EXCEPTIONS)]
    put_exceptions(calendars, user_id, dict.fromkeys(days, DayException((), "e" * 100)), now_ms=NOW)
    with pytest.raises(InvalidInput, match="1000 exceptions"):
        put_exceptions(calendars, user_id, {date(2035, 1, 1): DayException()}, now_ms=NOW)
    with pytest.raises(InvalidInput, match="too large"):
        put_exceptions(calendars, user_id, dict.fromkeys(days, DayException((), "é" * 100)), now_ms=NOW)


def test_choices_that_concern_only_locked_events_are_forgotten(calendars: Calendars, user_id: int) -> None:
    for day, choice in enumerate([AssignmentStarts.SELF, AssignmentStarts.NEVER, None]):
        put_assignment_starts(calendars, user_id, choice, now_ms=NOW + day * 20 * DAY_MS)
    starts = [(NOW + 20 * DAY_MS, AssignmentStarts.NEVER), (NOW + 40 * DAY_MS, None)]
    # The second choice holds until the third; the first one held until 20 days ago.
    put_assignment_starts(calendars, user_id, AssignmentStarts.SELF, now_ms=NOW + 60 * DAY_MS)
    later = (NOW + 60 * DAY_MS, AssignmentStarts.SELF)
    assert calendars.own(user_id).assignment_starts == (*starts, later)


# ---------------------------------------------------------------------- outdated days


def test_a_change_of_the_past_marks_the_days_from_its_first_instant(
    calendars: Calendars, user_id: int, shared_table: Table
) -> None:
    put_version(calendars, user_id, ScheduleVersion(date(2026, 11, 2), MORNINGS), now_ms=NOW)
    # In Berlin, 2 November begins on 1 November at 23:00 UTC.
    assert dirty(shared_table, user_id) == Dirty(utc_day(date(2026, 11, 1)), 1)
    put_version(calendars, user_id, ScheduleVersion(date(2026, 11, 20), NIGHTS), now_ms=NOW)
    assert dirty(shared_table, user_id) == Dirty(utc_day(date(2026, 11, 1)), 2)
    put_exceptions(calendars, user_id, {date(2026, 10, 5): DayException()}, now_ms=NOW)
    assert dirty(shared_table, user_id) == Dirty(utc_day(date(2026, 10, 4)), 3)


def test_a_change_of_the_future_and_a_new_reason_mark_no_day(
    calendars: Calendars, user_id: int, shared_table: Table
) -> None:
    put_version(calendars, user_id, ScheduleVersion(date(2026, 12, 5), MORNINGS), now_ms=NOW)
    put_exceptions(calendars, user_id, {date(2026, 12, 24): DayException()}, now_ms=NOW)
    put_assignment_starts(calendars, user_id, AssignmentStarts.SELF, now_ms=NOW)
    assert dirty(shared_table, user_id) == Dirty()
    past = date(2026, 11, 2)
    put_exceptions(calendars, user_id, {past: DayException((), "sick")}, now_ms=NOW)
    marked = dirty(shared_table, user_id)
    put_exceptions(calendars, user_id, {past: DayException((), "vacation")}, now_ms=NOW)
    assert dirty(shared_table, user_id) == marked


def test_marks_keep_the_earliest_day_and_are_counted(
    calendars: Calendars, user_id: int, shared_table: Table
) -> None:
    shared_table.write(lower_dirty(user_id, NOW))
    assert dirty(shared_table, user_id) == Dirty(utc_day(date(2026, 11, 30)), 1)
    shared_table.transact([lower_dirty(user_id, NOW - 3 * DAY_MS)])
    shared_table.transact([lower_dirty(user_id, NOW)])
    assert dirty(shared_table, user_id) == Dirty(utc_day(date(2026, 11, 27)), 3)
    assert calendars.own(user_id).version == 0


# ---------------------------------------------------------------------- the organization


def test_a_change_of_the_settings_counts_from_its_moment(calendars: Calendars, user_id: int) -> None:
    calendars.put_policy(lambda policy: replace(policy, working_hours=MORNINGS), now_ms=NOW)
    shared = ConcurrentTimers.SHARED
    calendars.put_policy(lambda policy: replace(policy, concurrent_timers=shared), now_ms=NOW + 10)
    calendar = calendars.of(user_id)
    assert calendar.policies == (
        Policy(),
        Policy(NOW, MORNINGS),
        Policy(NOW + 10, MORNINGS, shared),
    )
    assert calendar.policy_at(NOW - 1) == Policy()
    assert calendar.policy_at(NOW + 10).concurrent_timers == shared


def test_unchanged_settings_are_not_stored_again(calendars: Calendars) -> None:
    assert calendars.put_policy(lambda policy: policy, now_ms=NOW) == (Policy(),)
    assert calendars.put_policy(lambda policy: replace(policy, from_ms=5), now_ms=NOW) == (Policy(),)


def test_concurrent_changes_of_different_settings_are_all_kept(calendars: Calendars) -> None:
    changes = [
        lambda policy: replace(policy, overtime_ms=HOUR_MS),
        lambda policy: replace(policy, stale_after_ms=8 * HOUR_MS),
        lambda policy: replace(policy, assignment_starts=AssignmentStarts.SELF),
        lambda policy: replace(policy, concurrent_timers=ConcurrentTimers.PARALLEL),
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda change: calendars.put_policy(change, now_ms=NOW), changes))
    policies = calendars.organization()
    assert len(policies) == 5
    parallel = ConcurrentTimers.PARALLEL
    assert replace(policies[-1], from_ms=0) == Policy(
        0, Policy().working_hours, parallel, HOUR_MS, AssignmentStarts.SELF, 8 * HOUR_MS
    )


def test_settings_are_cached_for_a_minute_and_only_for_earlier_events(
    calendars: Calendars, shared_table: Table, clock: Clock
) -> None:
    assert calendars.organization() == (Policy(),)
    clock.advance(30)
    other_process = Calendars(shared_table, now_s=lambda: clock() / 1000)
    other_process.put_policy(lambda policy: replace(policy, overtime_ms=0), now_ms=clock())
    assert calendars.organization() == (Policy(),)
    assert calendars.organization(not_before_ms=NOW - 60_000) == (Policy(),)
    assert len(calendars.organization(not_before_ms=clock())) == 2
    clock.advance(61)
    other_process.put_policy(lambda policy: replace(policy, overtime_ms=1), now_ms=clock())
    assert len(calendars.organization()) == 3
