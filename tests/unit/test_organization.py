"""``make settings``: the organization's settings as operators write and read them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployed_stack.errors import ToolError
from deployed_stack.organization import describe, parse
from timer_core.domain.calendar import HOUR_MS, AssignmentStarts, ConcurrentTimers, Policy
from timer_core.domain.schedule import ALWAYS, Interval, Week

NINE_TO_FIVE = (Interval(540, 1020),)


def test_settings_are_written_as_words() -> None:
    text = "concurrent_timers=shared overtime_hours=2.5 assignment_starts=self stale_after_hours=12"
    assert parse(text) == {
        "concurrent_timers": ConcurrentTimers.SHARED,
        "overtime_ms": 2.5 * HOUR_MS,
        "assignment_starts": AssignmentStarts.SELF,
        "stale_after_ms": 12 * HOUR_MS,
    }
    assert parse("") == {}


def test_working_hours_are_a_zone_and_weekdays_with_intervals() -> None:
    changed = parse('working_hours="Europe/Berlin mon-thu 09:00-12:30,13:00-17:00 Fri 09:00-17:00"')
    day = (Interval(540, 750), Interval(780, 1020))
    assert changed == {"working_hours": Week("Europe/Berlin", (*[day] * 4, NINE_TO_FIVE, (), ()))}
    from_sunday = parse("working_hours='Asia/Jerusalem sun-thu 09:00-17:00'")["working_hours"]
    assert from_sunday.days == (*[NINE_TO_FIVE] * 4, (), (), NINE_TO_FIVE)
    assert parse("working_hours=always") == {"working_hours": ALWAYS}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shared", "has the form"),
        ("'shared", "cannot be parsed"),
        ("timers=shared", "There is no setting 'timers'. There are working_hours, concurrent_timers"),
        ("concurrent_timers=exclusive", "concurrent_timers: Input should be 'focus', 'shared'"),
        ("overtime_hours=25", "overtime_hours: Input should be less than or equal to 24"),
        ("overtime_hours=two", "overtime_hours: Input should be a valid number"),
        ("stale_after_hours=0", "stale_after_hours"),
        ("working_hours=Europe/Berlin", "has the form"),
        ("working_hours='Europe/Berlin Monday 09:00-17:00'", "There is no weekday 'Monday'"),
        ("working_hours='Mars/Phobos mon 09:00-17:00'", "working_hours.time_zone: Is not the IANA name"),
        ("working_hours='UTC mon 9-17'", "working_hours.week.mon"),
        ("working_hours='UTC mon 09:00-12:00,11:00-13:00'", "working_hours.week.mon: Intervals must not"),
    ],
)
def test_invalid_settings_are_refused(text: str, message: str) -> None:
    with pytest.raises(ToolError) as refused:
        parse(text)
    assert message in str(refused.value)


def test_the_present_settings_and_their_changes_are_described() -> None:
    hours = Week("Europe/Berlin", (*[NINE_TO_FIVE] * 5, (), ()))
    first = replace(Policy(), from_ms=1_795_989_600_000, working_hours=hours)
    second = replace(first, from_ms=1_796_076_000_000, overtime_ms=2 * HOUR_MS)
    assert list(describe([Policy(), first, second])) == [
        "working_hours='Europe/Berlin mon-fri 09:00-17:00'",
        "concurrent_timers=focus",
        "overtime_hours=2",
        "assignment_starts=any",
        "stale_after_hours=24",
        "since 2026-11-30T22:00:00Z: overtime_hours=2 (was 4)",
        "since 2026-11-29T22:00:00Z: working_hours='Europe/Berlin mon-fri 09:00-17:00' (was always)",
    ]


days = st.sampled_from([(), NINE_TO_FIVE, (Interval(0, 90), Interval(1320, 1440))])


@given(st.lists(days, min_size=7, max_size=7))
def test_described_working_hours_can_be_set_again(week: list[tuple[Interval, ...]]) -> None:
    policy = Policy(working_hours=Week("Asia/Kathmandu", tuple(week)))
    line = next(iter(describe([policy])))
    assert parse(line) == {"working_hours": policy.working_hours}
