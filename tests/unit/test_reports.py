"""In reports, all groupings of the same time add up to the same total, that of the people's totals."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, permutations
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.calendar import Calendar, ConcurrentTimers, Policy
from timer_core.domain.issue_details import IssueDetails, ProjectStatus
from timer_core.domain.issues import Issue
from timer_core.domain.reports import BY_TIME, Filters, Grouping, Key, Report, Row, counted_issue, report
from timer_core.domain.schedule import Span
from timer_core.domain.state import Action, Transition
from timer_core.domain.timeline import Slice, timeline
from timer_core.domain.timers import Period, Timer, finished
from timer_core.domain.totals import TimerDay, add_up, timer_days

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
T0 = 1_774_483_200_000  # 2026-03-26T00:00:00Z; Europe changes its clocks on the 29th
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
FOCUS = Calendar((Policy(concurrent_timers=ConcurrentTimers.SHARED, stale_after_ms=10**15),))
EPIC, STORY, TASK, PULL = (Issue("acme", "shop", number, repo_id=5) for number in (1, 2, 3, 4))
OTHER = Issue("acme", "site", 9, title="Slow", repo_id=6)
ISSUES = [EPIC, STORY, TASK, PULL, OTHER, None]
DETAILS = {
    one.issue.key: one
    for one in [
        IssueDetails(EPIC, title="Checkout", type="Epic", estimate_ms=10 * HOUR),
        IssueDetails(STORY, title="Pay", labels=("bug", "UI"), milestone="1.0", type="Story", parent=EPIC),
        IssueDetails(TASK, title="Pay by card", parent=STORY, estimate_ms=4 * HOUR, labels=("bug",)),
        IssueDetails(PULL, title="Fix it", is_pull_request=True, closes=(TASK,)),
        IssueDetails(
            OTHER,
            title="Slow page",
            projects=(ProjectStatus("Roadmap", "Todo"), ProjectStatus("Web", "Done")),
        ),
    ]
}


def ulid(number: int) -> str:
    return f"01JD3K5W9GZ8Q4T1M6V7{number:06d}"


def entry(number: int, start_ms: int, length_ms: int, issue: Issue | None = TASK, user_id: int = 1) -> Timer:
    return finished(
        user_id=user_id,
        ulid=ulid(number),
        start_ms=start_ms,
        end_ms=start_ms + length_ms,
        now_ms=T0 + 40 * DAY,
        issue=issue,
    )


def part(
    number: int,
    working_ms: int,
    issue: Issue | None = TASK,
    *,
    user_id: int = 1,
    day: int = 0,
    confirmed: int = 0,
) -> TimerDay:
    timer = entry(number, T0, HOUR, issue, user_id)
    return TimerDay(timer, date(2026, 3, 26) + timedelta(day), working_ms, 2 * working_ms, confirmed)


def group(
    parts: Sequence[TimerDay],
    *group_by: Grouping,
    filters: Filters | None = None,
    details: Mapping[str, IssueDetails] = DETAILS,
) -> Report:
    return report(parts, details, group_by, filters)


def working(found: Report) -> dict[tuple[Key, ...], int]:
    return {row.keys: row.working_ms for row in found.rows}


def by_name(found: Report) -> dict[object, Row]:
    """Return the rows of a report by their only key, issues by their number."""
    return {key.number if isinstance(key := row.keys[0], Issue) else key: row for row in found.rows}


# ---------------------------------------------------------------------- groupings


def test_time_is_grouped_by_person_and_issue() -> None:
    parts = [part(1, 60), part(2, 30, OTHER), part(3, 5, user_id=2)]
    found = group(parts, Grouping.PERSON, Grouping.ISSUE)
    task, other = (counted_issue(issue, DETAILS) for issue in (TASK, OTHER))
    own = [(*row.keys, row.working_ms) for row in found.rows if row.entries]
    assert own == [(1, task, 60), (1, other, 30), (2, task, 5)]


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    parts = [part(1, 1, day=3), part(2, 2, day=4), part(3, 4, day=6)]
    # 2026-03-29 is a Sunday.
    assert working(group(parts, Grouping.WEEK)) == {(date(2026, 3, 23),): 1, (date(2026, 3, 30),): 6}
    assert working(group(parts, Grouping.MONTH)) == {(date(2026, 3, 1),): 3, (date(2026, 4, 1),): 4}


def test_periods_are_in_order_and_other_rows_begin_with_the_longest() -> None:
    parts = [part(1, 1, day=1), part(2, 9, OTHER, day=2), part(3, 5, STORY, day=2)]
    found = group(parts, Grouping.DAY, Grouping.REPOSITORY)
    assert [row.keys[1] for row in found.rows] == ["acme/shop", "acme/site", "acme/shop"]


def test_time_of_an_issue_with_two_labels_is_in_both_rows_and_once_in_the_total() -> None:
    found = group([part(1, 60, STORY), part(2, 5, None)], Grouping.LABEL)
    assert working(found) == {("bug",): 60, ("UI",): 60, (None,): 5}
    assert (found.total.working_ms, found.overlapping) == (65, True)


def test_rows_of_issues_with_one_label_do_not_overlap() -> None:
    assert not group([part(1, 60, TASK)], Grouping.LABEL).overlapping


def test_time_of_an_issue_in_two_projects_is_in_both_rows() -> None:
    assert working(group([part(1, 60, OTHER)], Grouping.PROJECT)) == {("Roadmap",): 60, ("Web",): 60}


def test_an_entry_over_two_days_is_one_entry_of_the_total() -> None:
    found = group([part(1, 60, day=0), part(1, 60, day=1)], Grouping.DAY)
    assert [row.entries for row in found.rows] == [1, 1]
    assert found.total.entries == 1
    assert not found.entries_add_up


def test_time_on_a_pull_request_counts_for_the_issue_that_it_closes() -> None:
    found = by_name(group([part(1, 60, PULL), part(2, 5, TASK)], Grouping.ISSUE))
    assert found[3].working_ms == 65
    assert 4 not in found


def test_issues_without_details_have_a_repository_and_a_number() -> None:
    found = group([part(1, 60)], Grouping.REPOSITORY, Grouping.ISSUE, Grouping.LABEL, details={})
    assert working(found) == {("acme/shop", TASK, None): 60}


def test_an_issue_has_the_title_of_its_details() -> None:
    (row,) = group([part(1, 60, OTHER)], Grouping.ISSUE).rows
    assert row.keys == (replace(OTHER, title="Slow page"),)


def test_confirmed_time_is_that_on_confirmed_days() -> None:
    timer = entry(1, T0, 2 * HOUR)
    slices = timeline([timer], FOCUS, T0 + DAY).slices
    confirmed = [Span(T0 - DAY, T0 + HOUR)]
    period = Period(T0 - DAY, T0 + DAY)
    parts = [*timer_days([timer], slices, period, ZoneInfo("UTC"), T0 + 41 * DAY, confirmed)]
    assert group(parts).total.confirmed_ms == HOUR


# ---------------------------------------------------------------------- estimates and sub-issues


def test_what_is_left_is_the_estimate_minus_the_time_of_all_rows() -> None:
    parts = [part(1, HOUR), part(2, 2 * HOUR, user_id=2), part(3, HOUR, OTHER)]
    found = group(parts, Grouping.PERSON)
    assert [(row.estimate_ms, row.left_ms) for row in found.rows] == [(4 * HOUR, HOUR), (4 * HOUR, HOUR)]
    assert (found.total.estimate_ms, found.total.left_ms) == (4 * HOUR, HOUR)
    assert not found.estimates_add_up


def test_issues_without_an_estimate_have_none_left() -> None:
    (row,) = group([part(1, HOUR, OTHER)], Grouping.ISSUE).rows
    assert (row.estimate_ms, row.left_ms) == (None, None)


def test_time_with_sub_issues_contains_all_issues_below_and_the_total_counts_it_once() -> None:
    found = group([part(1, 100, TASK), part(2, 10, STORY), part(3, 1, EPIC)], Grouping.ISSUE)
    shown = {number: (row.working_ms, row.with_sub_issues_ms) for number, row in by_name(found).items()}
    assert shown == {1: (1, 111), 2: (10, 110), 3: (100, 100)}
    assert found.total.working_ms == 111
    assert not found.overlapping


def test_an_issue_without_time_of_its_own_has_a_row_with_that_of_its_sub_issues() -> None:
    found = by_name(group([part(1, 100, TASK)], Grouping.ISSUE))
    assert (found[1].working_ms, found[1].entries, found[1].with_sub_issues_ms) == (0, 0, 100)


def test_time_with_sub_issues_is_that_of_the_rows_person() -> None:
    found = group([part(1, 100, TASK), part(2, 10, STORY, user_id=2)], Grouping.ISSUE, Grouping.PERSON)
    shown = {
        (row.keys[0].number, row.keys[1]): row.with_sub_issues_ms
        for row in found.rows
        if isinstance(row.keys[0], Issue)
    }
    assert shown == {(1, 1): 100, (2, 1): 100, (3, 1): 100, (1, 2): 10, (2, 2): 10}


def test_issues_that_are_parents_of_one_another_are_counted_once() -> None:
    cycle = {
        STORY.key: IssueDetails(STORY, parent=TASK),
        TASK.key: IssueDetails(TASK, parent=STORY),
        EPIC.key: IssueDetails(EPIC, parent=EPIC),
    }
    parts = [part(1, 100, TASK), part(2, 10, STORY), part(3, 1, EPIC)]
    found = by_name(group(parts, Grouping.ISSUE, details=cycle))
    assert {number: row.with_sub_issues_ms for number, row in found.items()} == {1: 1, 2: 110, 3: 110}


def test_a_parent_without_details_has_a_row() -> None:
    known = {TASK.key: DETAILS[TASK.key]}
    found = by_name(group([part(1, 100, TASK)], Grouping.ISSUE, details=known))
    assert {number: row.with_sub_issues_ms for number, row in found.items()} == {2: 100, 3: 100}


# ---------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("grouping", "value", "selected"),
    [
        (Grouping.REPOSITORY, "acme/site", {9}),
        (Grouping.ISSUE, "acme/shop#2", {2}),
        (Grouping.LABEL, "ui", {2}),
        (Grouping.LABEL, "bug", {2, 3}),
        (Grouping.LABEL, "", {1, 9, None}),
        (Grouping.MILESTONE, "1.0", {2}),
        (Grouping.TYPE, "epic", {1}),
        (Grouping.PROJECT, "web", {9}),
        (Grouping.REPOSITORY, "", {None}),
    ],
)
def test_filters_select_issues_by_their_values(
    grouping: Grouping, value: str, selected: set[int | None]
) -> None:
    parts = [part(number, 60, issue) for number, issue in enumerate(ISSUES) if issue is not PULL]
    found = by_name(group(parts, Grouping.ISSUE, filters={grouping: frozenset([value])}))
    assert {number for number, row in found.items() if row.entries} == selected


def test_different_filters_must_all_select_and_values_of_one_are_alternatives() -> None:
    parts = [part(number, 60, issue) for number, issue in enumerate(ISSUES)]
    both = {Grouping.LABEL: frozenset(["bug"]), Grouping.TYPE: frozenset(["story", "epic"])}
    assert group(parts, filters=both).total.entries == 1


def test_only_the_labels_that_a_filter_selects_have_rows() -> None:
    found = group([part(1, 60, STORY)], Grouping.LABEL, filters={Grouping.LABEL: frozenset(["bug"])})
    assert working(found) == {("bug",): 60}
    assert not found.overlapping


def test_without_time_there_are_no_rows() -> None:
    found = group([], Grouping.PERSON)
    assert (found.rows, found.total.working_ms, found.overlapping) == ((), 0, False)


# ---------------------------------------------------------------------- equal to the naive computation

# A person's timers and slices.
_Time: TypeAlias = tuple[Sequence[Timer], Sequence[Slice]]


@st.composite
def people(draw: st.DrawFn) -> tuple[dict[int, _Time], int]:
    """Draw the timers and slices of some people, and the present time."""
    now = T0 + draw(st.integers(2, 8)) * DAY
    found: dict[int, _Time] = {}
    for user_id in range(1, draw(st.integers(1, 3)) + 1):
        timers = []
        for number in range(draw(st.integers(0, 5))):
            issue, began = draw(st.sampled_from(ISSUES)), T0 + draw(st.integers(0, 2 * DAY))
            timer = Timer.start(
                user_id=user_id, ulid=ulid(number), at_ms=began, now_ms=began, by="manual", issue=issue
            )
            paused = began + draw(st.integers(1, DAY))
            timer = timer.apply(Transition(paused, Action.PAUSE, "manual"))
            if draw(st.booleans()):
                timer = timer.apply(Transition(paused + draw(st.integers(1, DAY)), Action.RESUME, "manual"))
            timers.append(timer)
        found[user_id] = (timers, timeline(timers, FOCUS, now).slices)
    return found, now


@given(
    people(),
    st.sampled_from(ZONES),
    st.lists(st.sampled_from(Grouping), unique=True, max_size=3),
    st.integers(0, 3 * DAY),
)
def test_every_grouping_equals_a_plain_computation_and_the_totals_of_the_people(
    drawn: tuple[dict[int, _Time], int],
    zone: str,
    group_by: list[Grouping],
    since: int,
) -> None:
    of_people, now = drawn
    period = Period(T0 + since, T0 + since + 3 * DAY)
    parts = [
        one
        for timers, slices in of_people.values()
        for one in timer_days(timers, slices, period, ZoneInfo(zone), now)
    ]
    found = group(parts, *group_by)
    totals = [add_up(timers, slices, period, ZoneInfo(zone), now) for timers, slices in of_people.values()]
    assert found.total.working_ms == sum(one.working_ms for one in totals)
    assert found.total.active_ms == sum(one.active_ms for one in totals)
    assert {row.keys: row.working_ms for row in found.rows if row.working_ms} == plain(
        of_people, period, zone, group_by
    )
    if not found.overlapping:
        assert sum(row.working_ms for row in found.rows) == found.total.working_ms


def plain(
    of_people: Mapping[int, _Time],
    period: Period,
    zone: str,
    group_by: Sequence[Grouping],
) -> dict[tuple[Key, ...], int]:
    """Group the slices of people by their keys, cut at each midnight, without the product's code."""
    found: dict[tuple[Key, ...], int] = defaultdict(int)
    for user_id, (timers, slices) in of_people.items():
        issues = {timer.ulid: timer.issue for timer in timers}
        for piece in slices:
            for since_ms, until_ms in midnights(piece, period, zone):
                ms = piece.working_between(since_ms, until_ms)
                issue = TASK if issues[piece.timer] == PULL else issues[piece.timer]
                known = DETAILS[issue.key] if issue else IssueDetails(EPIC)
                day = datetime.fromtimestamp(since_ms / 1000, ZoneInfo(zone)).date()
                values: dict[Grouping, Sequence[Key]] = {
                    Grouping.PERSON: [user_id],
                    Grouping.REPOSITORY: [issue and f"{issue.owner}/{issue.repo}"],
                    Grouping.ISSUE: [issue and replace(issue, title=known.title)],
                    Grouping.LABEL: known.labels or [None],
                    Grouping.MILESTONE: [known.milestone or None],
                    Grouping.TYPE: [known.type or None],
                    Grouping.PROJECT: [title for title, _ in known.projects] or [None],
                    Grouping.DAY: [day],
                    Grouping.WEEK: [date.fromisocalendar(*day.isocalendar()[:2], 1)],
                    Grouping.MONTH: [date(day.year, day.month, 1)],
                }
                keys: list[tuple[Key, ...]] = [()]
                for grouping in group_by:
                    keys = [(*key, value) for key in keys for value in values[grouping]]
                for key in keys:
                    found[key] += ms
    return {key: ms for key, ms in found.items() if ms}


def midnights(piece: Slice, period: Period, zone: str) -> list[tuple[int, int]]:
    """Cut a slice in a period where the local date changes, by trying each half an hour."""
    since_ms, until_ms = max(piece.since_ms, period.since_ms), min(piece.until_ms, period.until_ms)
    if since_ms >= until_ms:
        return []
    half = 30 * MINUTE
    steps = range(since_ms // half * half + half, until_ms, half)

    def local(at_ms: int) -> date:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone)).date()

    cuts = [since_ms, *(at for at in steps if local(at) != local(at - 1)), until_ms]
    return list(pairwise(cuts))


@pytest.mark.parametrize("order", [*permutations([Grouping.PERSON, Grouping.LABEL, Grouping.WEEK])])
def test_the_order_of_groupings_changes_no_figure(order: tuple[Grouping, ...]) -> None:
    parts = [
        part(number, number, issue, user_id=number % 2, day=number)
        for number, issue in enumerate(ISSUES, start=1)
    ]
    expected = group(parts, Grouping.PERSON, Grouping.LABEL, Grouping.WEEK)
    found = group(parts, *order)

    def figures(of: Report) -> dict[frozenset[tuple[Grouping, Key]], int]:
        return {frozenset(zip(of.group_by, row.keys, strict=True)): row.working_ms for row in of.rows}

    assert figures(found) == figures(expected)
    assert BY_TIME.intersection(order) == {Grouping.WEEK}
