"""Working hours: worked examples of local time, and properties of all schedules."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from timer_core.domain.schedule import (
    ALL_DAY,
    ALWAYS,
    DayException,
    Interval,
    Schedule,
    ScheduleVersion,
    Span,
    Week,
    instant,
    local_date,
    normalized,
)

HOUR_MS = 3_600_000
DAY = timedelta(days=1)
NINE_TO_SIX = (Interval(540, 720), Interval(780, 1080))
BERLIN = Week("Europe/Berlin", ((NINE_TO_SIX,) * 5) + ((), ()))


def ms(text: str) -> int:
    """Return the instant of a UTC time such as ``2026-11-30 09:00``."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def utc(spans: Iterable[Span]) -> list[tuple[str, str]]:
    """Return the beginnings and ends of spans as UTC times."""
    return [(_text(span.since_ms), _text(span.until_ms)) for span in spans]


def _text(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def every_day(zone: str, *intervals: tuple[int, int]) -> Week:
    """Return a week with the same hours on each day, given in minutes."""
    return Week(zone, (tuple(Interval(*interval) for interval in intervals),) * 7)


def since(valid_from: str, week: Week) -> ScheduleVersion:
    return ScheduleVersion(date.fromisoformat(valid_from), week)


def own(*versions: ScheduleVersion, **exceptions: Sequence[Interval]) -> Schedule:
    """Return the schedule of a person, with exceptions such as ``d2026_12_24=()``."""
    days = {
        date.fromisoformat(name.removeprefix("d").replace("_", "-")): DayException(tuple(intervals))
        for name, intervals in exceptions.items()
    }
    return Schedule(((0, ALWAYS),), versions, days)


def hours(schedule: Schedule, since_ms: int, until_ms: int) -> float:
    return sum(end - start for start, end in schedule.working(since_ms, until_ms)) / HOUR_MS


def hours_of(schedule: Schedule, day: str) -> float:
    """Return the working hours of a date."""
    first = date.fromisoformat(day)
    return hours(schedule, schedule.starts_at(first), schedule.starts_at(first + DAY))


def length_of(schedule: Schedule, day: str) -> float:
    """Return the length of a date in hours."""
    first = date.fromisoformat(day)
    return (schedule.starts_at(first + DAY) - schedule.starts_at(first)) / HOUR_MS


# ---------------------------------------------------------------------- an ordinary week


def test_without_working_hours_all_time_counts() -> None:
    assert list(Schedule().working(5, 10)) == [Span(5, 10)]
    assert Schedule().is_working(0)


def test_a_day_can_have_several_intervals() -> None:
    # 30 November 2026 is a Monday. Berlin is at UTC+1.
    monday = Schedule(versions=(since("2026-11-01", BERLIN),)).working(
        ms("2026-11-30 00:00"), ms("2026-12-01 00:00")
    )
    assert utc(monday) == [("2026-11-30 08:00", "2026-11-30 11:00"), ("2026-11-30 12:00", "2026-11-30 17:00")]


def test_from_monday_nine_to_tuesday_nine_are_eight_hours() -> None:
    assert hours(own(since("2026-11-01", BERLIN)), ms("2026-11-30 08:00"), ms("2026-12-01 08:00")) == 8


def test_from_friday_four_to_monday_ten_are_three_hours() -> None:
    assert hours(own(since("2026-11-01", BERLIN)), ms("2026-11-27 15:00"), ms("2026-11-30 09:00")) == 3


def test_intervals_are_half_open() -> None:
    schedule = own(since("2026-11-01", BERLIN))
    assert not schedule.is_working(ms("2026-11-30 08:00") - 1)
    assert schedule.is_working(ms("2026-11-30 08:00"))
    assert schedule.is_working(ms("2026-11-30 11:00") - 1)
    assert not schedule.is_working(ms("2026-11-30 11:00"))


def test_all_day_every_day_loses_nothing_over_midnight() -> None:
    schedule = own(since("2026-01-01", every_day("Europe/Berlin", (0, 1440))))
    first, last = ms("2026-02-01 12:34"), ms("2026-12-20 01:23")
    assert list(schedule.working(first, last)) == [Span(first, last)]


def test_a_night_shift_continues_over_midnight() -> None:
    # From 22:00 to 06:00; the second part belongs to the next day.
    schedule = own(since("2026-01-01", every_day("Europe/Berlin", (0, 360), (1320, 1440))))
    nights = schedule.working(ms("2026-11-30 12:00"), ms("2026-12-02 00:00"))
    assert utc(nights) == [("2026-11-30 21:00", "2026-12-01 05:00"), ("2026-12-01 21:00", "2026-12-02 00:00")]


def test_intervals_of_a_day_are_sorted_and_joined() -> None:
    unsorted = [Interval(780, 1080), Interval(540, 720), Interval(720, 780)]
    assert normalized(unsorted) == (Interval(540, 1080),)
    assert normalized([]) == ()


@pytest.mark.parametrize("intervals", [[(540, 720), (700, 800)], [(540, 540)], [(600, 540)]])
def test_overlapping_and_empty_intervals_are_refused(intervals: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"overlap|end after"):
        normalized(Interval(*interval) for interval in intervals)


# ---------------------------------------------------------------------- clock changes


def test_the_day_on_which_berlin_loses_an_hour_has_23_hours() -> None:
    schedule = own(since("2026-01-01", every_day("Europe/Berlin", (0, 1440))))
    assert length_of(schedule, "2026-03-29") == 23
    assert hours_of(schedule, "2026-03-29") == 23


def test_the_day_on_which_berlin_gains_an_hour_has_25_hours() -> None:
    schedule = own(since("2026-01-01", every_day("Europe/Berlin", (0, 1440))))
    assert length_of(schedule, "2026-10-25") == 25
    assert hours_of(schedule, "2026-10-25") == 25


def test_a_local_time_that_does_not_exist_is_the_end_of_the_gap() -> None:
    # In Berlin, 02:00 to 03:00 are skipped on 29 March 2026. The gap is at 01:00 UTC.
    for minute in (120, 150, 179, 180):
        assert instant("Europe/Berlin", date(2026, 3, 29), minute) == ms("2026-03-29 01:00")
    assert instant("Europe/Berlin", date(2026, 3, 29), 119) == ms("2026-03-29 00:59")


def test_a_local_time_that_occurs_twice_is_its_first_instant() -> None:
    # In Berlin, 02:00 to 03:00 occur twice on 25 October 2026, first at 00:00 UTC.
    assert instant("Europe/Berlin", date(2026, 10, 25), 120) == ms("2026-10-25 00:00")
    assert instant("Europe/Berlin", date(2026, 10, 25), 150) == ms("2026-10-25 00:30")
    assert instant("Europe/Berlin", date(2026, 10, 25), 180) == ms("2026-10-25 02:00")


def test_working_hours_in_the_skipped_hour_are_shorter_and_in_the_repeated_hour_longer() -> None:
    schedule = own(since("2026-01-01", every_day("Europe/Berlin", (90, 210))))
    assert hours_of(schedule, "2026-03-28") == 2
    assert hours_of(schedule, "2026-03-29") == 1
    assert hours_of(schedule, "2026-10-25") == 3
    within_the_gap = own(since("2026-01-01", every_day("Europe/Berlin", (125, 175))))
    assert hours_of(within_the_gap, "2026-03-29") == 0


def test_a_midnight_that_is_skipped_begins_the_day_at_the_end_of_the_gap() -> None:
    # In Santiago, the clocks went from 24:00 to 01:00 on 6 September 2026, at 04:00 UTC.
    schedule = own(since("2026-01-01", every_day("America/Santiago", (0, 1440))))
    assert schedule.starts_at(date(2026, 9, 6)) == ms("2026-09-06 04:00")
    assert length_of(schedule, "2026-09-05") == 24
    assert length_of(schedule, "2026-09-06") == 23
    assert hours(schedule, ms("2026-09-05 00:00"), ms("2026-09-08 00:00")) == 72


@pytest.mark.parametrize(
    ("zone", "day", "first_midnight"),
    # The clocks go from 01:00 back to 00:00.
    [
        ("America/Havana", "2026-11-01", "2026-11-01 04:00"),
        ("Atlantic/Azores", "2026-10-25", "2026-10-25 00:00"),
    ],
)
def test_a_midnight_that_occurs_twice_begins_the_day_at_the_first(
    zone: str, day: str, first_midnight: str
) -> None:
    schedule = own(since("2026-01-01", every_day(zone, (0, 1440))))
    assert schedule.starts_at(date.fromisoformat(day)) == ms(first_midnight)
    assert length_of(schedule, day) == 25
    assert hours_of(schedule, day) == 25


def test_a_date_to_which_the_clocks_return_after_midnight_is_not_continued() -> None:
    # Until 2011, the clocks of Newfoundland went from 00:01 back to 23:01 of the day before.
    schedule = own(since("2010-01-01", every_day("America/St_Johns", (0, 1440))))
    midnight = schedule.starts_at(date(2010, 11, 7))
    assert midnight == ms("2010-11-07 02:30")
    assert local_date("America/St_Johns", midnight + 90_000) == date(2010, 11, 6)
    assert schedule.day_of(midnight + 90_000) == date(2010, 11, 7)
    assert length_of(schedule, "2010-11-07") == 25


def test_a_shift_of_half_an_hour_is_exact() -> None:
    # Lord Howe Island skips 02:00 to 02:30 on 4 October 2026, and repeats 01:30 to 02:00 on 5 April.
    schedule = own(since("2026-01-01", every_day("Australia/Lord_Howe", (0, 1440))))
    assert length_of(schedule, "2026-10-04") == 23.5
    assert length_of(schedule, "2026-04-05") == 24.5
    nights = own(since("2026-01-01", every_day("Australia/Lord_Howe", (60, 180))))
    assert hours_of(nights, "2026-10-04") == 1.5
    assert hours_of(nights, "2026-04-05") == 2.5


def test_an_offset_of_45_minutes_is_exact() -> None:
    schedule = own(since("2026-01-01", every_day("Asia/Kathmandu", (540, 1020))))
    day = schedule.working(ms("2026-11-30 00:00"), ms("2026-12-01 00:00"))
    assert utc(day) == [("2026-11-30 03:15", "2026-11-30 11:15")]


def test_the_15_minutes_by_which_kathmandu_moved_its_clocks_are_skipped() -> None:
    # Nepal changed from UTC+5:30 to UTC+5:45 on 1 January 1986, at local midnight.
    schedule = own(since("1980-01-01", every_day("Asia/Kathmandu", (0, 1440))))
    assert schedule.starts_at(date(1986, 1, 1)) == ms("1985-12-31 18:30")
    assert length_of(schedule, "1986-01-01") == 23.75
    assert instant("Asia/Kathmandu", date(1986, 1, 1), 10) == ms("1985-12-31 18:30")


def test_a_date_that_a_zone_skips_is_empty() -> None:
    # Samoa crossed the date line at the end of 29 December 2011; 30 December did not exist.
    schedule = own(since("2011-01-01", every_day("Pacific/Apia", (540, 1020))))
    assert schedule.starts_at(date(2011, 12, 30)) == ms("2011-12-30 10:00")
    assert length_of(schedule, "2011-12-29") == 24
    assert length_of(schedule, "2011-12-30") == 0
    assert hours_of(schedule, "2011-12-30") == 0
    assert schedule.day_of(ms("2011-12-30 09:59")) == date(2011, 12, 29)
    assert schedule.day_of(ms("2011-12-30 10:00")) == date(2011, 12, 31)
    working = schedule.working(ms("2011-12-29 10:00"), ms("2011-12-31 10:00"))
    assert utc(working) == [
        ("2011-12-29 19:00", "2011-12-30 03:00"),
        ("2011-12-30 19:00", "2011-12-31 03:00"),
    ]


# ---------------------------------------------------------------------- versions


def test_a_version_holds_from_the_first_instant_of_its_date_in_its_zone() -> None:
    schedule = own(since("2026-11-30", BERLIN))
    assert schedule.is_working(ms("2026-11-29 22:59"))
    assert not schedule.is_working(ms("2026-11-29 23:00"))
    assert [(era.is_own, _text(era.since_ms)) for era in schedule.eras][-1] == (True, "2026-11-29 23:00")


def test_a_later_version_does_not_change_what_was_before() -> None:
    before = own(since("2026-11-01", BERLIN))
    after = own(since("2026-11-01", BERLIN), since("2026-12-01", every_day("Europe/Berlin", (0, 60))))
    change = instant("Europe/Berlin", date(2026, 12, 1), 0)
    assert list(before.working(0, change)) == list(after.working(0, change))
    assert hours_of(after, "2026-12-01") == 1


@pytest.mark.parametrize(
    ("old", "new", "length"),
    [
        ("Europe/Berlin", "Europe/London", 25),
        ("Europe/London", "Europe/Berlin", 23),
        ("Europe/Berlin", "Europe/Athens", 23),
        ("Europe/Lisbon", "Europe/Athens", 22),
        ("Europe/Athens", "Europe/Lisbon", 26),
        ("Asia/Kathmandu", "Asia/Kolkata", 24.25),
    ],
)
def test_the_day_before_a_change_of_zone_is_longer_or_shorter_and_nothing_is_lost(
    old: str, new: str, length: float
) -> None:
    always = ((0, 1440),)
    schedule = own(since("2026-01-01", every_day(old, *always)), since("2026-11-30", every_day(new, *always)))
    assert length_of(schedule, "2026-11-29") == length
    assert length_of(schedule, "2026-11-30") == 24
    assert hours_of(schedule, "2026-11-29") == length
    first, last = ms("2026-11-20 00:00"), ms("2026-12-10 00:00")
    assert list(schedule.working(first, last)) == [Span(first, last)]


def test_a_version_that_a_later_one_precedes_never_holds() -> None:
    # 30 November begins at UTC-12 at 12:00 UTC; 1 December begins at UTC+14 two hours earlier.
    west, east = every_day("Etc/GMT+12", (0, 1440)), every_day("Pacific/Kiritimati", (0, 1440))
    schedule = own(since("2026-11-30", west), since("2026-12-01", east))
    assert [era.week for era in schedule.eras] == [ALWAYS, ALWAYS, east]
    assert schedule.starts_at(date(2026, 12, 1)) == ms("2026-11-30 10:00")
    assert length_of(schedule, "2026-11-30") == 0
    assert schedule.day_of(ms("2026-11-30 09:59")) == date(2026, 11, 29)
    assert schedule.day_of(ms("2026-11-30 10:00")) == date(2026, 12, 1)


def test_the_organizations_hours_hold_until_the_first_own_version() -> None:
    default = every_day("UTC", (600, 660))
    schedule = Schedule(((0, ALWAYS), (ms("2026-11-27 00:00"), default)), (since("2026-11-30", BERLIN),))
    assert hours(schedule, ms("2026-11-26 00:00"), ms("2026-11-27 00:00")) == 24
    assert hours(schedule, ms("2026-11-27 00:00"), ms("2026-11-28 00:00")) == 1
    assert hours(schedule, ms("2026-11-30 00:00"), ms("2026-12-01 00:00")) == 8
    # A change of the organization's hours does not concern people with their own.
    changed = Schedule((*schedule.defaults, (ms("2026-12-01 00:00"), ALWAYS)), schedule.versions)
    assert hours(changed, ms("2026-12-01 00:00"), ms("2026-12-02 00:00")) == 8


def test_a_version_may_say_that_all_time_counts() -> None:
    schedule = Schedule(((0, BERLIN),), (since("2026-11-30", Week("Europe/Berlin")),))
    assert hours_of(schedule, "2026-11-29") == 0
    assert hours_of(schedule, "2026-11-30") == 24


# ---------------------------------------------------------------------- exceptions


def test_an_exception_replaces_the_hours_of_its_date() -> None:
    schedule = own(since("2026-11-01", BERLIN), d2026_11_30=(), d2026_12_01=[Interval(600, 660)])
    assert hours_of(schedule, "2026-11-30") == 0
    assert hours_of(schedule, "2026-12-01") == 1
    assert hours_of(schedule, "2026-12-02") == 8


def test_an_exception_can_add_hours_to_a_day_off() -> None:
    assert hours_of(own(since("2026-11-01", BERLIN), d2026_11_29=[Interval(600, 660)]), "2026-11-29") == 1


def test_an_exception_holds_in_the_zone_of_its_date_whatever_version_there_is() -> None:
    off = {"d2026_12_24": ()}
    berlin = own(since("2026-11-01", BERLIN), **off)
    assert utc(berlin.working(ms("2026-12-23 00:00"), ms("2026-12-25 00:00")))[-1][1] == "2026-12-23 17:00"
    moved = own(
        since("2026-11-01", BERLIN), since("2026-12-15", every_day("America/Havana", (0, 1440))), **off
    )
    first, last = ms("2026-12-23 00:00"), ms("2026-12-26 00:00")
    assert utc(moved.working(first, last)) == [
        ("2026-12-23 00:00", "2026-12-24 05:00"),
        ("2026-12-25 05:00", "2026-12-26 00:00"),
    ]


def test_an_exception_holds_without_working_hours_too() -> None:
    schedule = own(d2026_11_30=())
    assert hours(schedule, ms("2026-11-29 00:00"), ms("2026-12-02 00:00")) == 48


# ---------------------------------------------------------------------- properties

# Zones with unusual changes of their clocks, and both ends of the range of offsets.
ZONES = [
    "UTC",
    "Africa/Casablanca",
    "America/Havana",
    "America/Nuuk",
    "America/Santiago",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Etc/GMT+12",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
]
# A few years in which these zones changed their clocks, so that examples meet.
days = st.dates(date(2009, 12, 1), date(2012, 1, 31))
zones = st.sampled_from(ZONES)


@st.composite
def intervals_of_a_day(draw: st.DrawFn) -> tuple[Interval, ...]:
    borders = sorted(draw(st.sets(st.integers(0, 1440), max_size=6)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    return draw(st.sampled_from([ALL_DAY, normalized(Interval(*pair) for pair in pairs)]))


weeks = st.builds(Week, zones, st.none() | st.lists(intervals_of_a_day(), min_size=7, max_size=7).map(tuple))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    instants = st.integers(ms("2009-12-01 00:00"), ms("2012-01-31 00:00"))
    defaults = draw(st.lists(st.tuples(instants, weeks), max_size=3, unique_by=lambda one: one[0]))
    first, valid_from = draw(days), []
    for gap in draw(st.lists(st.sampled_from([1, 1, 2, 30, 200]), max_size=5)):
        valid_from.append(first)
        first += gap * DAY
    versions = tuple(ScheduleVersion(day, draw(weeks)) for day in valid_from)
    exceptions = draw(st.dictionaries(days, st.builds(DayException, intervals_of_a_day()), max_size=4))
    return Schedule(((0, ALWAYS), *sorted(defaults)), versions, exceptions)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int]:
    """Return three instants in order, up to two months apart."""
    first = draw(st.integers(ms("2009-12-01 00:00"), ms("2012-01-31 00:00")))
    lengths = draw(st.tuples(st.integers(0, 30 * 24 * HOUR_MS), st.integers(0, 30 * 24 * HOUR_MS)))
    return first, first + lengths[0], first + sum(lengths)


@given(schedules(), ranges())
def test_spans_are_sorted_disjoint_and_not_empty(schedule: Schedule, times: tuple[int, int, int]) -> None:
    spans = list(schedule.working(times[0], times[2]))
    assert all(span.since_ms < span.until_ms for span in spans)
    assert all(earlier.until_ms < later.since_ms for earlier, later in pairwise(spans))
    assert not spans or times[0] <= spans[0].since_ms
    assert not spans or spans[-1].until_ms <= times[2]


@given(schedules(), ranges())
def test_the_spans_of_the_parts_of_a_range_are_those_of_the_range(
    schedule: Schedule, times: tuple[int, int, int]
) -> None:
    first, middle, last = times
    parts = [*schedule.working(first, middle), *schedule.working(middle, last)]
    cut = [span for span in schedule.working(first, last) if span.since_ms < middle < span.until_ms]
    whole = list(schedule.working(first, last))
    if cut:
        index = whole.index(cut[0])
        whole[index : index + 1] = [Span(cut[0].since_ms, middle), Span(middle, cut[0].until_ms)]
    assert parts == whole


@given(schedules(), ranges())
def test_an_instant_is_working_if_a_span_contains_it(schedule: Schedule, times: tuple[int, int, int]) -> None:
    spans = schedule.working(times[0], times[2] + 1)
    contained = any(since_ms <= times[1] < until_ms for since_ms, until_ms in spans)
    assert schedule.is_working(times[1]) == contained


@given(schedules(), days)
def test_days_tile_all_time(schedule: Schedule, day: date) -> None:
    first, last = schedule.starts_at(day), schedule.starts_at(day + DAY)
    assert 0 <= last - first <= 50 * HOUR_MS
    if first < last:
        assert {schedule.day_of(at) for at in (first, (first + last) // 2, last - 1)} == {day}
    assert schedule.day_of(last) > day
    assert schedule.day_of(first - 1) < day


@given(schedules())
def test_eras_cover_all_time_once(schedule: Schedule) -> None:
    eras = schedule.eras
    assert all(era.since_ms < era.until_ms for era in eras)
    assert all(earlier.until_ms == later.since_ms for earlier, later in pairwise(eras))
    for era in eras:
        assert schedule.era_at(era.since_ms) == schedule.era_at(era.until_ms - 1) == era


@given(zones, days, st.lists(st.integers(0, 1440), min_size=2).map(sorted))
def test_a_later_local_time_is_never_an_earlier_instant(zone: str, day: date, minutes: list[int]) -> None:
    instants = [instant(zone, day, minute) for minute in minutes]
    assert instants == sorted(instants)
    assert instant(zone, day, 1440) == instant(zone, day + DAY, 0)


@given(zones, days, st.integers(0, 1439))
@example("Pacific/Apia", date(2011, 12, 30), 720)
def test_an_instant_has_the_local_time_that_it_was_made_from_if_that_exists(
    zone: str, day: date, minute: int
) -> None:
    at = datetime.fromtimestamp(instant(zone, day, minute) / 1000, ZoneInfo(zone))
    wanted = datetime(day.year, day.month, day.day, minute // 60, minute % 60)  # noqa: DTZ001 - local time
    local = at.replace(tzinfo=None)
    before = (at.astimezone(UTC) - timedelta(milliseconds=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    # In a gap, the local time jumps over the wanted one.
    assert local == wanted or before < wanted < local
    assert at.fold == 0


# ---------------------------------------------------------------------- speed


def test_the_working_hours_of_a_year_take_milliseconds() -> None:
    schedule = own(since("2020-01-01", BERLIN))

    def measure() -> float:
        started = time.process_time()
        assert sum(1 for _ in schedule.working(ms("2026-01-01 00:00"), ms("2027-01-01 00:00"))) > 500
        return time.process_time() - started

    # Usually one millisecond.
    assert min(measure() for _ in range(5)) < 0.02
