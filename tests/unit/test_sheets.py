"""Timesheets: local dates, scheduled time, balance and rows, as sums of slices."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.unit.test_timeline import OFFICE, at, calendar, every_day, timer, weekdays
from timer_core.domain.calendar import HOUR_MS, Calendar, Policy
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, DayException, ScheduleVersion
from timer_core.domain.sheets import Label, Sheet, sheets
from timer_core.domain.timeline import Rule, Slice, timeline
from timer_core.domain.timers import Timer

DAY = timedelta(days=1)


def days(
    timers: Iterable[Timer], calendar: Calendar, first: str, last: str, now: str, zone: str = "Europe/Berlin"
) -> dict[str, Sheet]:
    """Return the timesheets of some dates, by date."""
    known, now_ms = list(timers), at(now, zone)
    slices = timeline(known, calendar, now_ms).slices
    found = sheets(
        slices, calendar.schedule, date.fromisoformat(first), date.fromisoformat(last), now_ms=now_ms
    )
    labels = {one.ulid: Label.of(one) for one in known}
    return {str(sheet.day): replace(sheet, labels=labels) for sheet in found}


def hours(ms: int | None) -> float | None:
    return None if ms is None else ms / HOUR_MS


def figures(sheet: Sheet) -> tuple[float | None, ...]:
    """Return scheduled time, working time, overtime and balance in hours."""
    return tuple(map(hours, (sheet.scheduled_ms, sheet.working_ms, sheet.overtime_ms, sheet.balance_ms)))


def lengths(found: Mapping[str, Sheet]) -> list[float]:
    return [(sheet.until_ms - sheet.since_ms) / HOUR_MS for sheet in found.values()]


class TestFigures:
    def test_a_week_with_overtime_and_a_missing_hour(self) -> None:
        one = timer("A", ("2026-11-02 10:00", "start by lead"), ("2026-11-04 09:00", "stop by closed"))
        late = timer("B", ("2026-11-04 20:00", "start"), ("2026-11-04 21:30", "stop"))
        week = days([one, late], OFFICE, "2026-11-02", "2026-11-08", "2026-11-09 12:00")
        assert {day: figures(sheet) for day, sheet in week.items()} == {
            "2026-11-02": (8, 7, 0, -1),
            "2026-11-03": (8, 8, 0, 0),
            "2026-11-04": (8, 1.5, 1.5, -6.5),
            "2026-11-05": (8, 0, 0, -8),
            "2026-11-06": (8, 0, 0, -8),
            "2026-11-07": (0, 0, 0, 0),
            "2026-11-08": (0, 0, 0, 0),
        }

    def test_the_balance_of_today_counts_the_working_hours_up_to_now(self) -> None:
        one = timer("A", ("2026-11-02 10:00", "start by lead"))
        found = days([one], OFFICE, "2026-11-02", "2026-11-03", "2026-11-02 11:00")
        assert figures(found["2026-11-02"]) == (8, 1, 0, -1)
        assert figures(found["2026-11-03"]) == (8, 0, 0, 0)

    def test_without_working_hours_nothing_is_scheduled_and_there_is_no_balance(self) -> None:
        one = timer("A", ("2026-11-02 10:00", "start by lead"), ("2026-11-02 12:00", "stop"))
        found = days([one], calendar(), "2026-11-02", "2026-11-02", "2026-11-03 00:00", "UTC")
        assert figures(found["2026-11-02"]) == (None, 2, 0, None)

    def test_a_day_off_has_no_scheduled_time(self) -> None:
        off = replace(OFFICE, exceptions={date(2026, 11, 3): DayException()})
        found = days([], off, "2026-11-02", "2026-11-03", "2026-11-04 00:00")
        assert [figures(sheet) for sheet in found.values()] == [(8, 0, 0, -8), (0, 0, 0, 0)]

    def test_a_day_on_which_the_organization_introduces_working_hours_has_no_balance(self) -> None:
        policies = (Policy(), Policy(at("2026-11-03 12:00", "UTC"), weekdays("9-17", zone="UTC")))
        found = days([], Calendar(policies), "2026-11-03", "2026-11-04", "2026-11-05 00:00", "UTC")
        assert [figures(sheet)[0] for sheet in found.values()] == [None, 8]


class TestDates:
    @pytest.mark.parametrize(
        ("zone", "first", "expected"),
        [
            ("Europe/Berlin", "2026-03-28", [24, 23, 24]),
            ("Europe/Berlin", "2026-10-24", [24, 25, 24]),
            ("America/Santiago", "2026-09-05", [24, 23, 24]),
            ("Australia/Lord_Howe", "2026-10-03", [24, 23.5, 24]),
            # Samoa left out 30 December 2011.
            ("Pacific/Apia", "2011-12-29", [24, 0, 24]),
        ],
    )
    def test_a_date_is_as_long_as_its_zone_says(self, zone: str, first: str, expected: list[float]) -> None:
        last = str(date.fromisoformat(first) + 2 * DAY)
        always = calendar(every_day("0-24", zone=zone))
        found = days([], always, first, last, "2027-01-01 00:00", zone)
        assert lengths(found) == expected
        assert [hours(sheet.scheduled_ms) for sheet in found.values()] == expected

    def test_a_version_in_another_zone_begins_within_the_range(self) -> None:
        abroad = ScheduleVersion(date(2026, 11, 4), weekdays("9-17", zone="America/New_York"))
        moved = replace(
            calendar(weekdays("9-12", "13-18"), stale_after_ms=10 * DAY_MS),
            versions=(*OFFICE.versions, abroad),
        )
        one = timer("A", ("2026-11-02 09:00", "start by lead"), ("2026-11-06 09:00", "stop by closed"))
        found = days([one], moved, "2026-11-02", "2026-11-05", "2026-11-07 00:00")
        assert [sheet.zone for sheet in found.values()] == ["Europe/Berlin"] * 2 + ["America/New_York"] * 2
        assert lengths(found) == [24, 30, 24, 24]
        assert [figures(sheet)[:2] for sheet in found.values()] == [(8, 8)] * 4

    def test_a_slice_over_midnight_belongs_to_both_dates(self) -> None:
        night = calendar(every_day("0-24"))
        one = timer("A", ("2026-11-02 22:00", "start by lead"), ("2026-11-03 03:00", "stop by closed"))
        found = days([one], night, "2026-11-02", "2026-11-03", "2026-11-04 00:00")
        assert [hours(sheet.working_ms) for sheet in found.values()] == [2, 3]


def sheet(*slices: Slice, labels: Mapping[str, Label] | None = None) -> Sheet:
    day = date(2026, 11, 2)
    return Sheet(day, 0, DAY_MS, "UTC", slices, 8 * HOUR_MS, 8 * HOUR_MS, labels or {})


def piece(
    ulid: str, since_h: float, until_h: float, rule: Rule = Rule.ONLY, *, overtime: bool = False
) -> Slice:
    return Slice(ulid, round(since_h * HOUR_MS), round(until_h * HOUR_MS), rule, overtime=overtime)


class TestRows:
    def test_timers_of_an_issue_are_one_row(self) -> None:
        issue = Issue("octocat", "hello", 7)
        labels = {
            "A": Label(issue, "one"),
            "B": Label(replace(issue, owner="Octocat", title="Found a bug"), "two"),
            "C": Label(Issue("octocat", "hello", 8), ""),
        }
        found = sheet(piece("A", 1, 2), piece("C", 2, 5), piece("B", 5, 6, overtime=True), labels=labels).rows
        assert [(row.label.issue and row.label.issue.number, row.timers) for row in found] == [
            (8, ("C",)),
            (7, ("A", "B")),
        ]
        assert found[1].label.issue is not None
        assert found[1].label.issue.title == "Found a bug"
        assert (found[1].working_ms, found[1].overtime_ms) == (2 * HOUR_MS, HOUR_MS)

    def test_time_without_an_issue_has_a_row_for_each_description(self) -> None:
        labels = {"A": Label(None, "Planning"), "B": Label(None, "Support"), "C": Label(None, "Planning")}
        found = sheet(piece("A", 1, 2), piece("B", 2, 3), piece("C", 3, 4), labels=labels).rows
        assert [(row.label.description, row.timers) for row in found] == [
            ("Planning", ("A", "C")),
            ("Support", ("B",)),
        ]


class TestChangedSince:
    def confirmed(self, *derived: Slice) -> Sheet:
        frozen = sheet(piece("A", 9, 12), piece("B", 13, 14))
        return replace(frozen, confirmed_ms=DAY_MS, derived=derived)

    def test_the_same_time_under_another_rule_is_no_change(self) -> None:
        same = self.confirmed(piece("A", 9, 10, Rule.FOCUS), piece("A", 10, 12), piece("B", 13, 14))
        assert same.changed_to_ms is None

    def test_less_time_is_a_change(self) -> None:
        assert self.confirmed(piece("A", 9, 10)).changed_to_ms == HOUR_MS

    def test_the_same_time_of_another_timer_is_a_change(self) -> None:
        moved = self.confirmed(piece("A", 9, 12), piece("C", 13, 14))
        assert moved.changed_to_ms == moved.working_ms

    def test_a_day_that_is_not_confirmed_has_not_changed(self) -> None:
        assert sheet(piece("A", 9, 12)).changed_to_ms is None
