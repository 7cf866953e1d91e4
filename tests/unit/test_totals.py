"""In totals, each millisecond of active time counts once, for its day and its issue."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.calendar import Calendar, ConcurrentTimers, Policy
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timeline import timeline
from timer_core.domain.timers import Period, Timer, finished
from timer_core.domain.totals import Curve, DayTotal, Totals, add_up, time_zone

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
ISSUES = [Issue("octocat", "Hello-World", 7), Issue("octocat", "Hello-World", 8), None]
# All time of each timer counts, so working time is active time until a timer is corrected.
PARALLEL = Calendar((Policy(concurrent_timers=ConcurrentTimers.PARALLEL, stale_after_ms=10**15),))
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]


def ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def started(at_ms: int, issue: Issue | None = None, ulid: str = "01JD3K5W9GZ8Q4T1M6V7X0Y2BC") -> Timer:
    return Timer.start(user_id=1, ulid=ulid, at_ms=at_ms, now_ms=at_ms, by="manual", issue=issue)


def corrected(timer: Timer, start_ms: int, end_ms: int) -> Timer:
    """Return a stopped, corrected timer. A correction changes the active time but not the history."""
    return replace(
        timer,
        start_ms=start_ms,
        end_ms=end_ms,
        changed_ms=end_ms,
        clock_ms=end_ms - start_ms - timer.paused_ms,
    )


def totals(*timers: Timer, since: int, until: int, zone: str = "UTC", now: int | None = None) -> Totals:
    now_ms = until if now is None else now
    slices = timeline(timers, PARALLEL, now_ms).slices
    return add_up(timers, slices, Period(since, until), time_zone(zone), now_ms)


def active_days(found: Totals) -> dict[date, int]:
    return {total.day: total.active_ms for total in found.days if total.active_ms}


gaps = st.integers(0, 3 * DAY)


@st.composite
def worked(draw: st.DrawFn) -> tuple[Timer, list[tuple[int, int]], int]:
    """Draw a timer with any number of pauses; return it, its running stretches, and the present time."""
    now = T0 + draw(st.integers(0, 30 * DAY))
    timer, stretches, since = started(now, draw(st.sampled_from(ISSUES))), [], now
    for gap in draw(st.lists(gaps, max_size=8)):
        now += gap
        if timer.status is Status.RUNNING:
            timer = timer.pause(now, "manual")
            stretches.append((since, now))
        else:
            timer, since = timer.apply(Transition(now, Action.RESUME, "manual")), now
    now += draw(gaps)
    if timer.status is Status.RUNNING:
        stretches.append((since, now))
    if draw(st.booleans()):
        timer = timer.stop(now, "manual")
        now += draw(gaps)
    return timer, stretches, now


@st.composite
def any_timer(draw: st.DrawFn) -> tuple[Timer, int]:
    """Draw a timer that may have been corrected or stopped by the sweeper; return it and the present time."""
    timer, _, now = draw(worked())
    if timer.is_open and draw(st.booleans()):
        if draw(st.booleans()):
            timer = timer.expire(draw(st.integers(timer.start_ms, now)), timer.start_ms)
        else:
            timer = timer.stop(now, "manual")
    if timer.end_ms is not None and draw(st.booleans()):
        start = timer.start_ms + draw(st.integers(-2 * DAY, 2 * DAY))
        end = max(timer.end_ms + draw(st.integers(-2 * DAY, 2 * DAY)), start + timer.paused_ms)
        timer, now = corrected(timer, start, end), max(now, end)
    return timer, now


def overlap(stretches: list[tuple[int, int]], since: int, until: int) -> int:
    return sum(max(0, min(end, until) - max(start, since)) for start, end in stretches)


@given(worked(), st.integers(0, 40 * DAY), st.integers(0, 40 * DAY))
def test_the_active_time_in_a_range_is_the_time_that_ran_in_it(
    work: tuple[Timer, list[tuple[int, int]], int], since: int, length: int
) -> None:
    timer, stretches, now = work
    found = totals(timer, since=T0 + since, until=T0 + since + length, now=now)
    assert found.active_ms == overlap(stretches, T0 + since, min(now, T0 + since + length))
    assert found.working_ms == found.active_ms


@given(st.lists(any_timer(), max_size=4), st.integers(0, 50 * DAY), st.lists(gaps), st.sampled_from(ZONES))
def test_days_and_issues_and_the_parts_of_any_split_add_up(
    work: list[tuple[Timer, int]], since: int, gaps: list[int], zone: str
) -> None:
    timers, now = [timer for timer, _ in work], max([T0, *(now for _, now in work)])
    cuts = [T0 + since]
    for gap in gaps:
        cuts.append(cuts[-1] + gap)
    whole = totals(*timers, since=cuts[0], until=cuts[-1], zone=zone, now=now)
    parts = [totals(*timers, since=a, until=b, zone=zone, now=now) for a, b in pairwise(cuts)]
    for name in ("active_ms", "working_ms"):
        of = attrgetter(name)
        assert of(whole) == sum(of(day) for day in whole.days)
        assert of(whole) == sum(of(issue) for issue in whole.issues)
        assert of(whole) == sum(of(part) for part in parts)
        for day in whole.days:
            assert of(day) == sum(of(one) for part in parts for one in part.days if one.day == day.day)
    assert all(day.active_ms or day.working_ms for day in whole.days)
    assert all((issue.active_ms or issue.working_ms) and issue.timers for issue in whole.issues)


@given(any_timer())
def test_the_total_of_one_timer_is_its_active_time(work: tuple[Timer, int]) -> None:
    timer, now = work
    found = totals(timer, since=timer.start_ms - 1, until=now + 1, now=now)
    assert found.active_ms == timer.active_ms(now)


@given(any_timer(), st.lists(st.integers(-DAY, 40 * DAY), min_size=2))
def test_a_curve_never_falls_and_never_runs_faster_than_time(
    work: tuple[Timer, int], moments: list[int]
) -> None:
    timer, now = work
    curve = Curve(timer, now)
    moments = sorted(timer.start_ms + moment for moment in moments)
    reached = [curve.active_until(moment) for moment in moments]
    for (earlier, before), (later, after) in pairwise(zip(moments, reached, strict=True)):
        # Both values are rounded down, so their difference may slightly exceed the elapsed time.
        assert 0 <= after - before <= later - earlier + 2


@given(st.integers(0, 20 * 365 * DAY), st.sampled_from(ZONES))
def test_a_moment_belongs_to_the_day_that_a_calendar_shows(moment: int, zone: str) -> None:
    at = 1_262_304_000_000 + moment
    found = totals(started(at - DAY), since=at, until=at + 1, zone=zone)
    day = datetime.fromtimestamp(at / 1000, time_zone(zone)).date()
    assert found.days == (DayTotal(day, 1, 1),)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 3, 30), 24),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        # The clocks skipped the hour after midnight; the day began at 01:00.
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
        # The hour before midnight occurred twice.
        ("America/Sao_Paulo", date(2018, 2, 17), 25),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: date, hours: float) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    since, until = ms(noon) - 3 * DAY, ms(noon) + 3 * DAY
    assert active_days(totals(started(since), since=since, until=until, zone=zone))[day] == hours * HOUR


def test_a_day_that_a_zone_skipped_has_no_time() -> None:
    since = ms(datetime(2011, 12, 29, 12, tzinfo=ZoneInfo("Pacific/Apia")))
    found = totals(started(since), since=since, until=since + DAY, zone="Pacific/Apia")
    assert active_days(found) == {date(2011, 12, 29): 12 * HOUR, date(2011, 12, 31): 12 * HOUR}


def test_a_pause_over_midnight_counts_on_neither_side() -> None:
    timer = (
        started(T0 + 20 * HOUR)
        .pause(T0 + 23 * HOUR, "manual")
        .apply(Transition(T0 + 26 * HOUR, Action.RESUME, "manual"))
    )
    found = totals(timer, since=T0, until=T0 + 30 * HOUR)
    assert active_days(found) == {date(2026, 1, 1): 3 * HOUR, date(2026, 1, 2): 4 * HOUR}


def test_a_running_timer_counts_until_now_and_not_into_the_future() -> None:
    found = totals(started(T0), since=T0, until=T0 + 5 * DAY, now=T0 + HOUR)
    assert active_days(found) == {date(2026, 1, 1): HOUR}
    assert totals(started(T0), since=T0 + DAY, until=T0 + 2 * DAY, now=T0 + HOUR) == Totals(0, 0, (), ())


def test_a_range_far_in_the_future_is_empty() -> None:
    end_of_time = ms(datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    found = totals(started(T0), since=end_of_time - 1, until=end_of_time, zone="Pacific/Apia", now=T0)
    assert found == Totals(0, 0, (), ())


def test_time_added_by_a_correction_counts_where_it_was_added() -> None:
    timer = (
        started(T0)
        .pause(T0 + HOUR, "manual")
        .apply(Transition(T0 + 2 * HOUR, Action.RESUME, "manual"))
        .stop(T0 + 3 * HOUR, "manual")
    )
    earlier = corrected(timer, T0 - HOUR, T0 + 4 * HOUR)
    assert totals(earlier, since=T0 - HOUR, until=T0 + HOUR).active_ms == 2 * HOUR
    assert totals(earlier, since=T0 + HOUR, until=T0 + 2 * HOUR, now=T0 + DAY).active_ms == 0
    assert totals(earlier, since=T0 + 2 * HOUR, until=T0 + 9 * HOUR).active_ms == 2 * HOUR


def test_correcting_the_end_of_a_timer_to_a_later_time_adds_the_time_after_its_stop() -> None:
    timer = started(T0).pause(T0 + HOUR, "manual").stop(T0 + 3 * HOUR, "manual")
    later = corrected(timer, T0, T0 + 4 * HOUR)
    assert totals(later, since=T0 + HOUR, until=T0 + 3 * HOUR, now=T0 + DAY).active_ms == 0
    assert totals(later, since=T0 + 3 * HOUR, until=T0 + DAY).active_ms == HOUR


def test_a_correction_that_excludes_a_pause_shortens_the_remaining_time_in_proportion() -> None:
    timer = started(T0).pause(T0 + 2 * HOUR, "manual").stop(T0 + 4 * HOUR, "manual")
    shorter = corrected(timer, T0, T0 + 3 * HOUR)
    assert shorter.clock_ms == HOUR
    assert totals(shorter, since=T0, until=T0 + HOUR, now=T0 + DAY).active_ms == HOUR // 2
    assert totals(shorter, since=T0 + HOUR, until=T0 + DAY).active_ms == HOUR // 2


def test_issues_are_recognized_in_any_spelling_and_listed_longest_first() -> None:
    def work(issue: Issue | None, minutes: int) -> Timer:
        return finished(
            user_id=1,
            ulid=f"{minutes}",
            start_ms=T0,
            end_ms=T0 + minutes * MINUTE,
            now_ms=T0 + DAY,
            issue=issue,
        )

    found = totals(
        work(Issue("Octocat", "hello-world", 7), 10),
        work(Issue("octocat", "Hello-World", 7, "Found a bug"), 20),
        work(None, 5),
        work(Issue("octocat", "Hello-World", 8), 60),
        since=T0,
        until=T0 + DAY,
    )
    assert [(total.issue, total.active_ms, total.timers) for total in found.issues] == [
        (Issue("octocat", "Hello-World", 8), 60 * MINUTE, 1),
        (Issue("Octocat", "hello-world", 7, "Found a bug"), 30 * MINUTE, 2),
        (None, 5 * MINUTE, 1),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "CET-1",
        "europe/berlin",
        "Europe",
        "../UTC",
        "/etc/localtime",
        "localtime",
        "right/UTC",
        "Mars/Base",
        "x\0",
    ],
)
def test_a_name_of_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="IANA") as refused:
        time_zone(name)
    assert refused.value.field == "time_zone"


@pytest.mark.parametrize(
    "name", ["UTC", "Etc/GMT+5", "Europe/Kyiv", "Europe/Kiev", "US/Pacific", "America/Indiana/Knox"]
)
def test_every_name_that_a_browser_may_give_is_known(name: str) -> None:
    assert time_zone(name).key == name
