"""Totals per day and per issue, through the API and the store."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import ISSUE, act, add, problem, start, time_of
from tests.support.handlers import Clock
from tests.support.table import table_properties
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Period, finished
from timer_core.store import queries
from timer_core.store.items import CalendarItem, TimerItem
from timer_core.store.people import Person
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

HOUR, DAY = 3600, 86_400


def totals(api: Api, **query: Any) -> dict[str, Any]:
    response = api.ann("GET", "/api/timelogs/totals/?" + "&".join(f"{k}={v}" for k, v in query.items()))
    assert response.status == 200, response.body
    found: dict[str, Any] = response.json()
    return found


def day_of(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


def test_a_person_without_timers_has_no_totals(api: Api, clock: Clock) -> None:
    assert totals(api) == {
        "since": time_of(clock.ms - 30 * DAY * 1000),
        "until": time_of(clock.ms),
        "time_zone": "UTC",
        "working_duration": 0,
        "active_duration": 0,
        "days": [],
        "issues": [],
        "complete": True,
    }


def test_time_is_added_up_per_day_and_per_issue(api: Api, clock: Clock) -> None:
    noon = clock.ms // (DAY * 1000) * DAY * 1000 - DAY * 500
    ago = (clock.ms - noon) / 1000
    add(api.ann, clock, ago, HOUR, github_issue_url=ISSUE.format(7))
    add(api.ann, clock, ago + DAY, 2 * HOUR, github_issue_url=ISSUE.format(7).lower())
    add(api.ann, clock, ago + DAY, 30.5)
    found = totals(api)
    assert found["active_duration"] == 3 * HOUR + 30.5
    assert found["days"] == [
        # Entries that overlap count in full.
        {
            "date": day_of(noon - DAY * 1000),
            "working_duration": 2 * HOUR + 30.5,
            "active_duration": 2 * HOUR + 30.5,
        },
        {"date": day_of(noon), "working_duration": HOUR, "active_duration": HOUR},
    ]
    assert found["issues"] == [
        {
            "github_repo": "octocat/Hello-World",
            "github_issue_number": 7,
            "github_issue_url": ISSUE.format(7),
            "github_issue_title": None,
            "working_duration": 3 * HOUR,
            "active_duration": 3 * HOUR,
            "timers": 2,
        },
        {
            "github_repo": None,
            "github_issue_number": None,
            "github_issue_url": None,
            "github_issue_title": None,
            "working_duration": 30.5,
            "active_duration": 30.5,
            "timers": 1,
        },
    ]


def test_a_running_timer_counts_until_now_without_its_pauses(api: Api, clock: Clock) -> None:
    timer = start(api.ann, 7)
    clock.advance(60)
    act(api.ann, timer, "pause")
    clock.advance(60)
    act(api.ann, timer, "resume")
    clock.advance(60)
    assert totals(api)["active_duration"] == 120
    assert totals(api, since=time_of(clock.ms - 90_000))["active_duration"] == 60
    assert totals(api, until=time_of(clock.ms + HOUR * 1000))["active_duration"] == 120


def test_only_the_part_of_a_timer_in_the_period_counts(api: Api, clock: Clock) -> None:
    add(api.ann, clock, 100 * DAY, 99 * DAY)
    since = clock.ms - 2 * DAY * 1000
    assert totals(api, since=time_of(since))["active_duration"] == DAY


def test_the_days_are_those_of_the_time_zone(api: Api, clock: Clock) -> None:
    midnight = clock.ms // (DAY * 1000) * DAY * 1000 - DAY * 1000
    add(api.ann, clock, (clock.ms - midnight) / 1000 + 2 * HOUR, 4 * HOUR)
    assert [day["active_duration"] for day in totals(api)["days"]] == [2 * HOUR, 2 * HOUR]
    # India is five and a half hours ahead, so both sides of midnight in UTC are on the same day there.
    assert totals(api, time_zone="Asia/Kolkata")["days"] == [
        {"date": day_of(midnight), "working_duration": 4 * HOUR, "active_duration": 4 * HOUR}
    ]


def test_the_filters_of_the_list_are_those_of_the_totals(api: Api, clock: Clock) -> None:
    add(api.ann, clock, HOUR, 60, github_issue_url=ISSUE.format(7))
    add(api.ann, clock, HOUR, 60, github_issue_url=ISSUE.format(8))
    add(api.ann, clock, HOUR, 60)
    assert totals(api, github_repo="octocat/hello-world")["active_duration"] == 120
    assert totals(api, github_repo="octocat/hello-world", github_issue_number=8)["active_duration"] == 60
    assert totals(api, github_repo="octocat/other")["issues"] == []


def test_totals_exclude_the_time_of_other_people(api: Api, clock: Clock) -> None:
    add(api.bob, clock, HOUR, 60)
    assert totals(api)["active_duration"] == 0
    problem(api.nobody("GET", "/api/timelogs/totals/"), 401)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=2026-01-01", "since"),
        ("until=tomorrow", "until"),
        ("time_zone=Mars/Base", "time_zone"),
        ("time_zone=../../etc/passwd", "time_zone"),
        ("time_zone=" + "x" * 65, "time_zone"),
        ("github_issue_number=0", "github_issue_number"),
        ("page_size=5", "page_size"),
    ],
)
def test_invalid_parameters_are_refused_with_the_name_of_their_field(
    api: Api, query: str, field: str
) -> None:
    refused = problem(api.ann("GET", f"/api/timelogs/totals/?{query}"), 400)
    assert [error["loc"] for error in refused["errors"]] == [["query", field]]


def test_a_range_may_have_any_length(api: Api, clock: Clock) -> None:
    add(api.ann, clock, 9 * 365 * DAY, 60)
    add(api.ann, clock, 10, 10)
    found = totals(api, since="1970-01-01T00:00:00Z", until="9999-12-31T23:59:59Z", time_zone="Asia/Kolkata")
    assert (found["active_duration"], found["complete"]) == (70, True)
    assert [day["active_duration"] for day in found["days"]] == [60, 10]


def test_a_range_may_lie_anywhere(api: Api) -> None:
    assert totals(api, until="1970-01-01T00:00:00Z")["since"] == "1969-12-02T00:00:00.000Z"
    for zone in ("Pacific/Apia", "Pacific/Pago_Pago"):
        found = totals(api, since="9999-12-31T00:00:00Z", until="9999-12-31T23:59:59Z", time_zone=zone)
        assert found["days"] == []


@pytest.mark.parametrize(("limit", "most"), [("_READS", 3), ("_PERIOD_TIMERS", 6)])
def test_a_range_with_too_many_timers_to_read_is_marked_as_incomplete(
    shared_table: Table,
    new_person: Callable[[], Person],
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    most: int,
) -> None:
    store = TimerStore(shared_table)
    user_id, t0, day_ms = new_person().user_id, 1_700_000_000_000, DAY * 1000
    for day in range(7):
        at_ms = t0 + day * day_ms
        store.add(
            finished(
                user_id=user_id,
                ulid=new_ulid(at_ms),
                start_ms=at_ms,
                end_ms=at_ms + 1,
                now_ms=at_ms + 1,
                issue=Issue("octocat", "hello", 7),
            )
        )
    monkeypatch.setattr(queries, "_FILTERED_READ", 2)
    monkeypatch.setattr(queries, limit, most)

    def read(days: int) -> tuple[list[int], bool]:
        period = Period(t0, t0 + days * day_ms)
        found, complete = store.in_period(user_id, Filters(number=7, period=period))
        return [(timer.start_ms - t0) // day_ms for timer in found], complete

    assert read(5) == ([4, 3, 2, 1, 0], True)
    found, complete = read(7)
    assert (found[:6], complete) == ([6, 5, 4, 3, 2, 1], False)


def test_large_timers_do_not_make_totals_incomplete(
    shared_table: Table, new_person: Callable[[], Person]
) -> None:
    """A read of DynamoDB returns at most 1 MB, so it returns only eight of these timers.

    A read returns about 28 timers that have the longest histories.
    """
    store, user_id, t0 = TimerStore(shared_table), new_person().user_id, 1_700_000_000_000
    for number in range(80):
        at_ms = t0 + number
        timer = finished(
            user_id=user_id, ulid=new_ulid(at_ms), start_ms=at_ms, end_ms=at_ms + 1, now_ms=at_ms + 1
        )
        store.add(replace(timer, description="x" * 120_000))
    found, complete = store.in_period(user_id, Filters(period=Period(t0, t0 + DAY * 1000)))
    assert (len(found), complete) == (80, True)


def test_the_index_of_periods_has_everything_that_time_is_derived_from() -> None:
    indexes = {index["IndexName"]: index for index in table_properties()["LocalSecondaryIndexes"]}
    assert indexes["by-start"]["Projection"] == {"ProjectionType": "ALL"}
    projected = indexes["by-end"]["Projection"]["NonKeyAttributes"]
    assert len(projected) <= 20
    assert CalendarItem.get_attributes().keys() <= {"pk", "sk", "end_key", *projected}
    assert TimerItem.get_attributes().keys() - {"pk", "sk", "end_key", *projected} == {
        "causes",
        "schema_version",
        "deleted_ms",
        "start_key",
        "open_shard",
        "expires_at",
    }
