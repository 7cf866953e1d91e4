"""Confirmed days: their ranges, the timeline with frozen days, and the time that a change touches."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_timeline import DAY, OFFICE, at, calendar, timer, weekdays
from timer_core.domain.calendar import HOUR_MS, ConcurrentTimers
from timer_core.domain.changes import touched_spans
from timer_core.domain.confirmed import (
    ConfirmedDay,
    ConfirmedRange,
    altered_days,
    are_same,
    confirmed_timeline,
    first_confirmed,
    is_confirmed,
    overlaps,
    with_range,
    without_range,
)
from timer_core.domain.corrections import with_pause, with_times, without_pause
from timer_core.domain.own_calendar import OwnCalendar, confirmed_conflicts
from timer_core.domain.schedule import DayException, ScheduleVersion, Span, Week
from timer_core.domain.timeline import Slice, clipped, timeline
from timer_core.domain.timers import Timer, finished

MONDAY = date(2026, 11, 2)
ONE = timedelta(days=1)
SCHEDULE = OFFICE.schedule


def range_of(first: int, last: int | None = None) -> ConfirmedRange:
    """Return a range of days, as numbers from Monday, 2 November 2026, on (Berlin)."""
    days = MONDAY + first * ONE, MONDAY + (first if last is None else last) * ONE
    return ConfirmedRange(*days, SCHEDULE.starts_at(days[0]), SCHEDULE.starts_at(days[1] + ONE))


def confirmed(slices: Iterable[Slice], first: int) -> ConfirmedDay:
    day = range_of(first)
    frozen = clipped(slices, day.since_ms, day.until_ms)
    return ConfirmedDay(day.first, day.since_ms, day.until_ms, day.until_ms + DAY, frozen)


def hours(slices: Iterable[Slice]) -> dict[str, float]:
    sums = Counter[str]()
    for piece in slices:
        sums[piece.timer] += piece.working_ms
    return {ulid: ms / HOUR_MS for ulid, ms in sorted(sums.items())}


class TestRanges:
    def test_adjacent_days_are_one_range(self) -> None:
        ranges: tuple[ConfirmedRange, ...] = ()
        for day in (3, 1, 5, 2):
            ranges = with_range(ranges, range_of(day))
        assert ranges == (range_of(1, 3), range_of(5))

    def test_a_day_is_in_one_range_however_often_it_is_added(self) -> None:
        empty = range_of(2)._replace(until_ms=range_of(2).since_ms)
        assert with_range(with_range([range_of(1)], empty), empty) == with_range([range_of(1)], empty)

    def test_days_with_a_gap_between_their_instants_are_two_ranges(self) -> None:
        moved = range_of(2)._replace(since_ms=range_of(2).since_ms + HOUR_MS)
        assert with_range([range_of(1)], moved) == (range_of(1), moved)

    @pytest.mark.parametrize(
        ("day", "left"),
        [
            (1, [range_of(2, 4)]),
            (2, [range_of(1), range_of(3, 4)]),
            (4, [range_of(1, 3)]),
            (6, [range_of(1, 4)]),
        ],
    )
    def test_a_day_is_removed(self, day: int, left: list[ConfirmedRange]) -> None:
        assert without_range([range_of(1, 4)], range_of(day)) == tuple(left)

    @given(st.lists(st.integers(0, 20), unique=True), st.data())
    def test_ranges_contain_the_days_that_were_added_and_not_removed(
        self, days: list[int], data: st.DataObject
    ) -> None:
        ranges: tuple[ConfirmedRange, ...] = ()
        for day in days:
            ranges = with_range(ranges, range_of(day))
        removed = data.draw(st.lists(st.sampled_from(days), unique=True)) if days else []
        for day in removed:
            ranges = without_range(ranges, range_of(day))
        left = set(days) - set(removed)
        assert {day for day in range(21) if is_confirmed(ranges, MONDAY + day * ONE)} == left
        assert list(ranges) == sorted(ranges)
        assert all(one.last + ONE < other.first for one, other in pairwise(ranges))
        for day in range(21):
            assert overlaps(ranges, *range_of(day).span) is (day in left)

    def test_the_first_confirmed_day_of_some_spans(self) -> None:
        ranges = (range_of(1, 3), range_of(5))
        spans = [Span(at("2026-11-07 10:00"), at("2026-11-07 11:00"))]
        assert first_confirmed(ranges, spans, SCHEDULE) == date(2026, 11, 7)
        spans.append(Span(at("2026-11-04 23:00"), at("2026-11-05 01:00")))
        assert first_confirmed(ranges, spans, SCHEDULE) == date(2026, 11, 4)
        border = [Span(at("2026-11-06 00:00"), at("2026-11-07 00:00"))]
        assert first_confirmed(ranges, border, SCHEDULE) is None


class TestTimeline:
    def test_a_late_event_changes_the_timers_and_not_the_confirmed_day(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start by lead"))
        until = at("2026-11-04 12:00")
        frozen = confirmed(timeline([one], OFFICE, until).slices, 0)
        late = replace(one.stop(at("2026-11-02 10:00"), "closed"), confirmed_span=range_of(0).span)
        found = confirmed_timeline([late], OFFICE, until, days=[frozen])
        assert (hours(found.slices), hours(found.derived or ())) == ({"A": 8}, {"A": 1})
        assert found.carry.timers["A"].working_ms == 8 * HOUR_MS

    def test_without_a_difference_the_timeline_is_the_derived_one(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start by lead"))
        until = at("2026-11-04 12:00")
        derived = timeline([one], OFFICE, until)
        assert confirmed_timeline([one], OFFICE, until, days=[confirmed(derived.slices, 0)]) == derived

    def test_a_timer_that_only_waited_there_is_no_difference(self) -> None:
        one = timer("A", ("2026-11-02 09:00", "start"))
        until = at("2026-11-03 00:00")
        frozen = confirmed(timeline([one], OFFICE, until).slices, 0)
        other = timer("B", ("2026-11-02 10:00", "start by lead"))
        found = confirmed_timeline([one, other], OFFICE, until, days=[frozen])
        assert (hours(found.slices), found.derived) == ({"A": 8}, None)

    def test_time_that_became_known_later_does_not_count(self) -> None:
        until = at("2026-11-04 00:00")
        late = timer("A", ("2026-11-02 09:00", "start by lead"), ("2026-11-03 10:00", "stop by closed"))
        found = confirmed_timeline([late], OFFICE, until, days=[confirmed((), 0)])
        assert (hours(found.slices), hours(found.derived or ())) == ({"A": 1}, {"A": 9})
        assert found.carry.timers["A"].working_ms == HOUR_MS

    def test_the_state_of_the_timers_is_as_derived(self) -> None:
        """A break that began on a confirmed day, and staleness, follow from the timers."""
        one = timer("A", ("2026-11-02 09:00", "start"), ("2026-11-02 17:00", "pause"))
        until = at("2026-11-03 00:00")
        derived = timeline([one], OFFICE, until)
        found = confirmed_timeline([one], OFFICE, until, days=[confirmed((), 0)])
        assert found.slices == ()
        assert found.carry.break_ms == derived.carry.break_ms == at("2026-11-02 17:00")
        assert found.carry.timers["A"].unsigned_ms == derived.carry.timers["A"].unsigned_ms

    @pytest.mark.parametrize("cut", ["2026-11-02 01:00", "2026-11-02 10:07", "2026-11-03 00:30"])
    def test_shared_milliseconds_add_up_wherever_the_timeline_is_cut(self, cut: str) -> None:
        shared = calendar(concurrent_timers=ConcurrentTimers.SHARED, stale_after_ms=9 * DAY)
        three = [
            replace(timer(ulid, ("2026-11-02 08:59", "start by lead")), confirmed_span=range_of(0).span)
            for ulid in "ABC"
        ]
        until = at("2026-11-03 12:00") + 1
        frozen = confirmed(timeline(three, shared, until).slices, 0)
        late = [one.stop(at("2026-11-02 09:30") + 1, "closed") for one in three]
        whole = confirmed_timeline(late, shared, until, days=[frozen])
        first = confirmed_timeline(late, shared, at(cut), days=[frozen])
        second = confirmed_timeline(late, shared, until, first.carry, [frozen])
        assert hours([*first.slices, *second.slices]) == hours(whole.slices)
        assert second.carry.timers == whole.carry.timers
        assert hours(whole.slices) == hours(frozen.slices)

    def test_the_time_of_a_timer_that_became_part_of_another_one_is_the_other_ones(self) -> None:
        part, until = timer("B", ("2026-11-02 10:00", "start by lead")), at("2026-11-03 12:00")
        frozen = confirmed(timeline([part], OFFICE, until).slices, 0)
        whole = replace(
            timer("A", ("2026-11-01 10:00", "start by lead")),
            confirmed_span=range_of(0).span,
            absorbed=("B",),
        )
        found = confirmed_timeline([whole], OFFICE, until, days=[frozen])
        assert hours(found.slices) == {"A": 7 + 3}
        assert found.carry.timers["A"].working_ms == 10 * HOUR_MS

    def test_a_timer_that_was_derived_again_has_its_own_confirmed_time(self) -> None:
        until = at("2026-11-03 12:00")
        again = replace(timer("B", ("2026-11-02 10:00", "start by lead")), confirmed_span=range_of(0).span)
        frozen = confirmed(timeline([again], OFFICE, until).slices, 0)
        other = replace(
            timer("A", ("2026-11-01 10:00", "start by lead"), ("2026-11-02 09:00", "stop by closed")),
            confirmed_span=range_of(0).span,
            absorbed=("B",),
        )
        found = confirmed_timeline([other, again], OFFICE, until, days=[frozen])
        assert hours(found.slices) == {"B": 10}

    def test_other_reasons_are_no_difference_and_overtime_is_one(self) -> None:
        one = timeline([timer("A", ("2026-11-02 09:00", "start"))], OFFICE, at("2026-11-02 10:00")).slices
        assert are_same(one, [piece._replace(rule="focus") for piece in one])  # type: ignore[arg-type]
        assert not are_same(one, [piece._replace(overtime=True) for piece in one])


class TestTouchedSpans:
    now = at("2026-11-06 12:00")

    def entry(self) -> Timer:
        return timer(
            "A",
            ("2026-11-02 09:00", "start"),
            ("2026-11-02 12:00", "pause"),
            ("2026-11-02 13:00", "resume"),
            ("2026-11-04 17:00", "stop"),
        )

    def touched(self, after: Timer) -> list[Span]:
        return touched_spans(self.entry(), after, self.now)

    def test_of_an_earlier_end(self) -> None:
        shortened = with_times(self.entry(), None, at("2026-11-04 16:00"), self.now).timer
        assert self.touched(shortened) == [(at("2026-11-04 16:00"), at("2026-11-04 17:00"))]

    def test_of_an_earlier_start(self) -> None:
        moved = with_times(self.entry(), at("2026-11-01 09:00"), None, self.now).timer
        assert self.touched(moved) == [(at("2026-11-01 09:00"), at("2026-11-02 09:00"))]

    def test_of_an_inserted_pause(self) -> None:
        pause = at("2026-11-03 10:00"), at("2026-11-03 11:00")
        assert self.touched(with_pause(self.entry(), *pause, self.now).timer) == [pause]

    def test_of_a_removed_pause(self) -> None:
        assert self.touched(without_pause(self.entry(), 0, self.now).timer) == [
            (at("2026-11-02 12:00"), at("2026-11-02 13:00"))
        ]

    def test_of_a_new_entry(self) -> None:
        span = at("2026-11-02 12:00"), at("2026-11-02 13:00")
        entry = finished(user_id=1, ulid="B", start_ms=span[0], end_ms=span[1], now_ms=self.now)
        assert touched_spans(None, entry, self.now) == [span]

    def test_of_a_text(self) -> None:
        assert self.touched(replace(self.entry(), description="Review")) == []

    def test_of_an_open_timer_is_not_the_future(self) -> None:
        running = timer("A", ("2026-11-02 09:00", "start"))
        later = with_times(running, at("2026-11-02 10:00"), None, self.now).timer
        assert touched_spans(running, later, self.now) == [(at("2026-11-02 09:00"), at("2026-11-02 10:00"))]


class TestSchedules:
    """Changes of the working hours that would alter a confirmed day."""

    own = OwnCalendar(versions=OFFICE.versions, confirmed=(range_of(0, 4),))

    def conflicts(self, after: OwnCalendar) -> list[int]:
        return [(day - MONDAY).days for day in confirmed_conflicts(self.own, after, OFFICE.policies, None)]

    def test_other_hours_from_a_date_on(self) -> None:
        after = self.own.with_version(ScheduleVersion(MONDAY + 2 * ONE, weekdays("9-12")))
        assert self.conflicts(after) == [2, 3, 4]

    def test_the_same_hours_from_a_date_on(self) -> None:
        after = self.own.with_version(ScheduleVersion(MONDAY + 2 * ONE, weekdays("9-12", "13-18")))
        assert self.conflicts(after) == []

    def test_hours_after_the_confirmed_days(self) -> None:
        after = self.own.with_version(ScheduleVersion(MONDAY + 5 * ONE, weekdays("9-12")))
        assert self.conflicts(after) == []

    @pytest.mark.parametrize(
        "zone", ["Europe/Lisbon", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati"]
    )
    def test_another_zone_from_the_day_after_a_confirmed_one_begins_at_its_end(self, zone: str) -> None:
        day, week = MONDAY + 5 * ONE, weekdays("0-24", zone=zone)
        after = self.own.with_version(ScheduleVersion(day, week))
        assert self.conflicts(after) == []
        schedule, confirmed_until_ms = (
            after.calendar(OFFICE.policies).schedule,
            self.own.confirmed[0].until_ms,
        )
        assert schedule.starts_at(day) == schedule.eras[-1].since_ms == confirmed_until_ms
        assert schedule.starts_at(day + ONE) == at("2026-11-08 00:00", zone)
        dates = [schedule.day_of(confirmed_until_ms + offset) for offset in (-1, 0)]
        assert dates == [day - ONE, day]
        later = self.own.with_version(ScheduleVersion(day + ONE, week))
        assert self.conflicts(later) == []
        assert later.versions[-1].begins_ms is None

    def test_another_zone_from_a_confirmed_day_on(self) -> None:
        lisbon = ScheduleVersion(MONDAY + 4 * ONE, weekdays("9-12", "13-18", zone="Europe/Lisbon"))
        assert self.conflicts(self.own.with_version(lisbon)) == [3, 4]

    def test_no_working_hours_are_not_the_same_as_hours_around_the_clock(self) -> None:
        always = replace(OFFICE, versions=(ScheduleVersion(date(1980, 1, 1), Week("Europe/Berlin")),))
        own = replace(self.own, versions=always.versions)
        day = replace(own, exceptions={MONDAY: DayException((*weekdays("0-24").days[0],))})  # type: ignore[index]
        assert list(confirmed_conflicts(own, day, OFFICE.policies, None)) == []
        week = replace(own, versions=(ScheduleVersion(date(1980, 1, 1), weekdays("0-24")),))
        assert len(list(confirmed_conflicts(own, week, OFFICE.policies, None))) == 5

    def test_exceptions(self) -> None:
        free = self.own.with_exceptions(
            {MONDAY + ONE: DayException(reason="Ill"), MONDAY + 7 * ONE: DayException()}
        )
        assert self.conflicts(free) == [1]

    def test_the_reason_of_an_exception(self) -> None:
        own = self.own.with_exceptions({MONDAY: DayException(reason="Ill")})
        other = own.with_exceptions({MONDAY: DayException(reason="Sick")})
        assert list(confirmed_conflicts(own, other, OFFICE.policies, None)) == []

    def test_a_removed_version(self) -> None:
        half = ScheduleVersion(MONDAY + 3 * ONE, weekdays("9-12"))
        own = self.own.with_version(half)
        removed = own.without_version(half.valid_from)
        assert list(confirmed_conflicts(own, removed, OFFICE.policies, None)) == [
            MONDAY + 3 * ONE,
            MONDAY + 4 * ONE,
        ]

    def test_nothing_else_of_a_calendar(self) -> None:
        assert self.conflicts(replace(self.own, chosen=True)) == []


def test_altered_days_are_searched_from_the_change_on() -> None:
    other = calendar(weekdays("9-12")).schedule
    found = altered_days([range_of(0, 1), range_of(21)], SCHEDULE, other, at("2026-11-20 00:00"))
    assert list(found) == [MONDAY + 21 * ONE]
