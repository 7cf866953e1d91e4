"""Timesheets: local dates, scheduled time, balance and rows, as sums of slices."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_timeline import (
    FIRST,
    MINUTE,
    MINUTES,
    OFFICE,
    at,
    calendar,
    calendars,
    every_day,
    people,
    timer,
    weekdays,
)
from timer_core.domain.calendar import HOUR_MS, Calendar, Policy
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, DayException, ScheduleVersion, Span
from timer_core.domain.sheets import Label, Sheet, sheets
from timer_core.domain.timeline import Rule, Slice, timeline
from timer_core.domain.timers import Period, Timer, finished
from timer_core.domain.totals import add_up, part_of, time_zone

DAY = timedelta(days=1)
UTC_ZONE = time_zone("UTC")


def dates(first: str | date, last: str | date) -> list[date]:
    first, last = date.fromisoformat(str(first)), date.fromisoformat(str(last))
    return [first + number * DAY for number in range((last - first).days + 1)]


def days(
    timers: Iterable[Timer], calendar: Calendar, first: str, last: str, now: str, zone: str = "Europe/Berlin"
) -> dict[str, Sheet]:
    """Return the timesheets of some dates, by date."""
    known, now_ms = list(timers), at(now, zone)
    slices = timeline(known, calendar, now_ms).slices
    found = sheets(slices, calendar.schedule, dates(first, last), now_ms=now_ms)
    labels = {one.ulid: Label.of(one) for one in known}
    return {str(sheet.date): replace(sheet, labels=labels) for sheet in found}


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


class TestDocumentedWeek:
    """The week in docs/working-time.md."""

    PAGE = (Path(__file__).parents[2] / "docs/working-time.md").read_text()
    TABLE = PAGE.split("| day | what happens | scheduled |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]

    def shown(self, ms: int | None) -> str:
        """Return a duration as the table has it."""
        assert ms is not None
        hours, minutes = divmod(abs(ms) // MINUTE, 60)
        parts = [f"{hours} h"] if hours or not minutes else []
        return ("-" if ms < 0 else "") + " ".join(parts + ([f"{minutes} min"] if minutes else []))

    def test_the_figures_are_those_of_the_page(self) -> None:
        one = timer(
            "A",
            ("2026-11-02 09:00", "start by assigned"),
            ("2026-11-03 16:00", "pause"),
            ("2026-11-04 09:00", "resume"),
            ("2026-11-04 11:00", "stop by closed"),
        )
        two = timer(
            "B",
            ("2026-11-04 14:00", "start"),
            ("2026-11-04 20:00", "focus"),
            ("2026-11-04 21:30", "stop"),
        )
        entry = finished(
            user_id=1,
            ulid="C",
            start_ms=at("2026-11-05 10:00"),
            end_ms=at("2026-11-05 11:00"),
            now_ms=at("2026-11-05 11:00"),
        )
        three = timer("D", ("2026-11-06 09:00", "start"))
        off = replace(OFFICE, exceptions={date(2026, 11, 5): DayException()})
        week = days([one, two, entry, three], off, "2026-11-02", "2026-11-08", "2026-11-06 15:00")
        found = [
            (sheet.scheduled_ms or 0, sheet.working_ms, sheet.overtime_ms, sheet.balance_ms or 0)
            for sheet in week.values()
        ]
        sums = [sum(column) for column in zip(*found, strict=True)]
        rows = [[cell.strip() for cell in line.strip("|").split("|")][2:] for line in self.TABLE]
        assert [list(map(self.shown, figures)) for figures in [*found, sums]] == rows


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

    def test_a_confirmed_date_keeps_its_borders(self) -> None:
        """The rules of a time zone may be corrected after a day was confirmed."""
        one = timer("A", ("2026-11-01 20:00", "start"), ("2026-11-03 03:00", "stop"))
        night = calendar(every_day("0-24"), stale_after_ms=10 * DAY_MS)
        slices = timeline([one], night, at("2026-11-05 00:00")).slices
        borders = {
            date(2026, 11, 2): Span(at("2026-11-01 23:00"), at("2026-11-02 23:00")),
            date(2026, 11, 9): Span(at("2026-11-08 23:00"), at("2026-11-09 23:00")),
        }
        found = sheets(
            slices,
            night.schedule,
            dates("2026-11-01", "2026-11-03"),
            now_ms=at("2026-11-05 00:00"),
            confirmed_spans=borders,
        )
        assert [hours(sheet.until_ms - sheet.since_ms) for sheet in found] == [23, 24, 25]
        assert [hours(sheet.working_ms) for sheet in found] == [3, 24, 4]

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


LABELS = [None, Issue("octocat", "hello", 7), Issue("octocat", "hello", 8)]


@given(people(), calendars(), st.lists(st.sampled_from(range(6)), min_size=4, max_size=4), st.data())
def test_days_and_issues_agree_with_totals_and_lists(
    timers: list[Timer], calendar: Calendar, labels: list[int], data: st.DataObject
) -> None:
    timers = [
        replace(one, issue=LABELS[label % 3], description="first" if label < 3 else "second")
        for one, label in zip(timers, labels, strict=False)
    ]
    end_ms = FIRST + MINUTES * MINUTE
    now_ms = data.draw(st.integers(FIRST, end_ms))
    slices = timeline(timers, calendar, now_ms).slices
    schedule = calendar.schedule
    first, last = schedule.day_of(FIRST), schedule.day_of(end_ms)
    known = {one.ulid: Label.of(one) for one in timers}
    found = [
        replace(sheet, labels=known) for sheet in sheets(slices, schedule, dates(first, last), now_ms=now_ms)
    ]
    period = Period(found[0].since_ms, found[-1].until_ms)
    assert all(one.until_ms == following.since_ms for one, following in pairwise(found))
    assert sum(one.working_ms for one in found) == sum(piece.working_between(*period) for piece in slices)
    planned = sum(span.until_ms - span.since_ms for span in schedule.planned(*period))
    if all(one.scheduled_ms is not None for one in found):
        assert sum(one.scheduled_ms or 0 for one in found) == planned
    for one in found:
        of_day = Period(one.since_ms, one.until_ms)
        totals = add_up(timers, slices, of_day, UTC_ZONE, now_ms)
        parts = [
            part_of(timer, [piece for piece in slices if piece.timer == timer.ulid], of_day, UTC_ZONE, now_ms)
            for timer in timers
        ]
        assert one.working_ms == totals.working_ms == sum(part.working_ms for part in parts)
        assert one.working_ms == sum(row.working_ms for row in one.rows)
        assert one.overtime_ms == sum(row.overtime_ms for row in one.rows)
        by_issue = Counter[str]()
        for row in one.rows:
            by_issue[row.label.issue.key if row.label.issue else ""] += row.working_ms
        assert by_issue == Counter(
            {total.issue.key if total.issue else "": total.working_ms for total in totals.issues}
        )
