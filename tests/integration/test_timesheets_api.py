"""Timesheets through the API."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import ISSUE, act, add, problem, start, time_of
from tests.integration.test_working_time import BERLIN, DAY, HOUR, OFFICE, monday, office, shared_time
from tests.support.handlers import Clock
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Interval, ScheduleVersion, Week
from timer_core.store.calendars import Calendars
from timer_core.store.table import Table

__all__ = ["monday", "office", "shared_time"]


def day_of(clock: Clock) -> date:
    """Return the present date in Berlin."""
    return datetime.fromtimestamp(clock.ms / 1000, BERLIN).date()


def get(api: Api, first: date, last: date | None = None) -> dict[str, Any]:
    answer = api.ann("GET", f"/api/timesheets/?from={first}&to={last or first}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def get_day(api: Api, day: date) -> dict[str, Any]:
    (found,) = get(api, day)["days"]
    return dict(found)


class TestBody:
    def test_a_day_has_its_time_per_issue(self, api: Api, office: Clock) -> None:
        today, morning = day_of(office), office.ms
        one = start(api.ann, 7)
        office.advance(HOUR)
        two = start(api.ann, 8)
        office.advance(HOUR)
        act(api.ann, two, "stop")
        office.advance(1.5 * HOUR)
        assert get(api, today) == {
            "from": str(today),
            "to": str(today),
            "working_duration": 2.5 * HOUR,
            "scheduled_duration": 8 * HOUR,
            "overtime_duration": 0,
            "balance_duration": -HOUR,
            "days": [
                {
                    "date": str(today),
                    "since": time_of(morning - 10 * HOUR * 1000),
                    "until": time_of(morning + 14 * HOUR * 1000),
                    "time_zone": "Europe/Berlin",
                    "state": "running",
                    "confirmed_at": None,
                    "scheduled_duration": 8 * HOUR,
                    "working_duration": 2.5 * HOUR,
                    "overtime_duration": 0,
                    "balance_duration": -HOUR,
                    "changed_since": None,
                    "etag": get_day(api, today)["etag"],
                    "issues": [
                        {
                            "issue": {
                                "github_repo": "octocat/Hello-World",
                                "github_issue_number": number,
                                "github_issue_url": ISSUE.format(number),
                                "github_issue_title": None,
                            },
                            "description": "",
                            "working_duration": hours * HOUR,
                            "overtime_duration": 0,
                            "timers": [timer["id"]],
                        }
                        for number, hours, timer in ((7, 1.5, one), (8, 1, two))
                    ],
                }
            ],
        }

    def test_a_week_has_its_sums(self, api: Api, office: Clock) -> None:
        first = day_of(office)
        timer = start(api.ann, 7)
        office.advance(10 * HOUR)
        act(api.ann, timer, "stop")
        late = start(api.ann)
        office.advance(HOUR)
        act(api.ann, late, "stop")
        office.advance(15 * HOUR)
        found = get(api, first, first + timedelta(6))
        assert [day["state"] for day in found["days"]] == ["over", "running", *["upcoming"] * 5]
        assert [day["working_duration"] for day in found["days"]] == [8 * HOUR, 0, 0, 0, 0, 0, 0]
        assert [day["overtime_duration"] for day in found["days"]] == [HOUR, 0, 0, 0, 0, 0, 0]
        assert [day["balance_duration"] for day in found["days"]] == [0, -3 * HOUR, 0, 0, 0, 0, 0]
        assert [day["scheduled_duration"] for day in found["days"]] == [*[8 * HOUR] * 5, 0, 0]
        sums = {name: found[f"{name}_duration"] for name in ("working", "scheduled", "overtime", "balance")}
        assert sums == {"working": 8 * HOUR, "scheduled": 40 * HOUR, "overtime": HOUR, "balance": -3 * HOUR}

    def test_without_working_hours_there_is_no_balance(self, api: Api, clock: Clock) -> None:
        start(api.ann, 7)
        clock.advance(60)
        today = datetime.fromtimestamp(clock.ms / 1000, UTC).date()
        found = get(api, today - timedelta(1), today + timedelta(1))
        assert found["working_duration"] == 60
        for shown in (found, *found["days"]):
            assert (shown["scheduled_duration"], shown["balance_duration"]) == (None, None)

    def test_days_that_are_stored_have_the_same_rows(self, api: Api, office: Clock) -> None:
        first = day_of(office)
        crossing = start(api.ann, 9)
        office.advance(60)
        timer = start(api.ann, 7)
        office.advance(HOUR)
        act(api.ann, timer, "stop")
        add(api.ann, office, HOUR, 1800, description="Planning")
        office.advance(5 * DAY)
        derived = get(api, first)
        api.module.timesheets.refresh(api.ann_id, now_ms=office.ms)
        assert get(api, first) == derived
        rows = derived["days"][0]["issues"]
        assert [row["issue"] and row["issue"]["github_issue_number"] for row in rows] == [9, None, 7]
        assert [row["description"] for row in rows] == ["", "Planning", ""]
        assert rows[0]["timers"] == [crossing["id"]]

    def test_the_default_is_the_present_week(self, api: Api, office: Clock) -> None:
        office.advance(2 * DAY)
        week = date.fromordinal(day_of(office).toordinal() - 2)
        for query in ("", f"?from={week}", f"?to={week + timedelta(6)}"):
            found = api.ann("GET", f"/api/timesheets/{query}").json()
            assert (found["from"], found["to"]) == (str(week), str(week + timedelta(6)))

    def test_dates_are_those_of_the_zone_that_holds_on_them(
        self, api: Api, shared_table: Table, office: Clock
    ) -> None:
        today = day_of(office)
        abroad = ScheduleVersion(
            today + timedelta(1), Week("America/New_York", ((Interval(540, 1020),),) * 7)
        )

        def move(own: OwnCalendar) -> OwnCalendar:
            return own.with_version(abroad)

        Calendars(shared_table).change(api.ann_id, move, now_ms=office.ms)
        days = get(api, today, today + timedelta(1))["days"]
        assert [day["time_zone"] for day in days] == ["Europe/Berlin", "America/New_York"]
        assert days[0]["until"] == days[1]["since"]
        assert datetime.fromisoformat(days[1]["since"]).hour in {4, 5}

    def test_repositories_have_their_present_names(self, api: Api, office: Clock) -> None:
        today = day_of(office)
        start(api.ann, 7)
        office.advance(60)
        names = api.module.names
        issues = names.issues
        try:
            names.issues = lambda issues, *, now_ms: [  # noqa: ARG005
                issue.in_repository("octocat/renamed") for issue in issues
            ]
            row = get_day(api, today)["issues"][0]
        finally:
            names.issues = issues
        assert row["issue"]["github_repo"] == "octocat/renamed"


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "field", "code"),
        [
            ("from=2026-11-30&to=2026-11-29", "from", "end_before_start"),
            ("from=2025-11-29&to=2026-11-30", "from", "out_of_range"),
            ("from=2026-02-29&to=2026-03-01", "from", "invalid_date"),
            ("from=20261130&to=2026-12-01", "from", "invalid_date"),
            ("from=2026-11-30&to=1764460800", "to", "invalid_date"),
            ("from=2026-11-30&to=2026-11-30T00:00:00Z", "to", "invalid_date"),
            ("from=2026-11-30&to=", "to", "invalid_date"),
            ("from=1969-12-31&to=1970-01-01", "from", "invalid_date"),
            ("from=2199-12-31&to=2200-01-01", "to", "invalid_date"),
            ("from=2026-11-30&until=2026-12-01", "until", "unknown_field"),
            ("from_=2026-11-30", "from_", "unknown_field"),
        ],
    )
    def test_an_invalid_range_is_refused_with_the_name_of_its_field(
        self, api: Api, query: str, field: str, code: str
    ) -> None:
        errors = problem(api.ann("GET", f"/api/timesheets/?{query}"), 400)["errors"]
        assert [(error["loc"], error["code"]) for error in errors] == [(["query", field], code)]

    def test_the_longest_range_is_answered(self, api: Api, office: Clock) -> None:
        last = day_of(office)
        assert len(get(api, last - timedelta(365), last)["days"]) == 366

    @pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
    @pytest.mark.parametrize("day", ["1970-01-01", "2199-12-31"])
    def test_the_first_and_the_last_dates_are_answered(
        self, api: Api, shared_table: Table, monday: Clock, zone: str, day: str
    ) -> None:
        def choose(own: OwnCalendar) -> OwnCalendar:
            return own.with_version(ScheduleVersion(date(1970, 1, 1), Week(zone, OFFICE.days)))

        Calendars(shared_table).change(api.ann_id, choose, now_ms=monday.ms)
        found = get_day(api, date.fromisoformat(day))
        assert found["state"] == ("over" if day == "1970-01-01" else "upcoming")

    def test_timesheets_are_those_of_the_caller(self, api: Api, office: Clock) -> None:
        today = day_of(office)
        start(api.bob, 7)
        office.advance(60)
        assert get(api, today)["working_duration"] == 0
        problem(api.nobody("GET", f"/api/timesheets/?from={today}&to={today}"), 401)

    def test_other_methods_are_refused(self, api: Api) -> None:
        refused = api.ann("POST", "/api/timesheets/", {})
        assert refused.status == 405
        assert "GET" in refused.headers["allow"]

    def test_head_is_answered_without_a_body(self, api: Api) -> None:
        answer = api.ann("HEAD", "/api/timesheets/")
        assert (answer.status, answer.body) == (200, "")
        assert answer.headers["etag"]


class TestTags:
    def tag(self, api: Api, first: date, last: date | None = None) -> str:
        path = f"/api/timesheets/?from={first}&to={last or first}"
        tag: str = api.ann("GET", path).headers["etag"]
        assert api.ann("GET", path, if_none_match=tag).status == 304
        return tag

    def test_elapsed_time_does_not_change_the_tag(self, api: Api, office: Clock) -> None:
        today = day_of(office)
        start(api.ann, 7)
        office.advance(1)
        start(api.ann, 8)
        office.advance(1)
        tag = self.tag(api, today)
        office.advance(1.2345 * HOUR)
        assert self.tag(api, today) == tag

    @pytest.mark.usefixtures("shared_time")
    def test_elapsed_time_does_not_change_the_tag_of_shared_time(self, api: Api, office: Clock) -> None:
        start(api.ann, 7)
        start(api.ann, 8)
        office.advance(1)
        tag = self.tag(api, day_of(office))
        office.advance(61.001)
        assert self.tag(api, day_of(office)) == tag

    def test_a_balance_that_changes_by_a_minute_changes_the_tag(self, api: Api, office: Clock) -> None:
        office.advance(1)
        tag = self.tag(api, day_of(office))
        office.advance(58)
        assert self.tag(api, day_of(office)) == tag
        office.advance(2)
        assert self.tag(api, day_of(office)) != tag

    def test_another_beginning_of_the_slice_that_counts_changes_the_tag(
        self, api: Api, office: Clock
    ) -> None:
        office.advance(HOUR)
        timer = start(api.ann, 7)
        office.advance(60)
        tag = self.tag(api, day_of(office))
        changes = {"start_time": time_of(office.ms - 90_000)}
        assert api.ann("PATCH", f"/api/timelogs/{timer['id']}/", changes).status == 200
        assert self.tag(api, day_of(office)) != tag

    def test_a_stop_an_entry_and_a_new_description_change_the_tag(self, api: Api, office: Clock) -> None:
        today = day_of(office)
        timer = start(api.ann)
        office.advance(HOUR)
        tags = [self.tag(api, today)]
        path = f"/api/timelogs/{timer['id']}/"
        assert api.ann("PATCH", path, {"description": "Planning"}).status == 200
        tags.append(self.tag(api, today))
        add(api.ann, office, 600, 60)
        tags.append(self.tag(api, today))
        act(api.ann, timer, "stop")
        office.advance(1)
        tags.append(self.tag(api, today))
        assert len(set(tags)) == len(tags)

    def test_two_people_have_different_tags(self, api: Api, office: Clock) -> None:
        path = f"/api/timesheets/?from={day_of(office)}&to={day_of(office)}"
        assert api.ann("GET", path).headers["etag"] != api.bob("GET", path).headers["etag"]


@pytest.fixture
def calls(api: Api) -> Iterator[Counter[str]]:
    """The number of requests to DynamoDB of each operation."""
    counted = Counter[str]()

    def count(model: Any, **_: object) -> None:
        counted[model.name] += 1

    events = api.module.table.connection.client.meta.events
    events.register("before-call.dynamodb", count)
    yield counted
    events.unregister("before-call.dynamodb", count)


@pytest.mark.parametrize("weeks_ago", [0, 20])
def test_the_number_of_reads_does_not_depend_on_the_history(
    api: Api, office: Clock, calls: Counter[str], weeks_ago: int
) -> None:
    """A week is read with the calendar, its days, its timers, and the timers that are present or crossing."""
    monday = day_of(office)
    for _ in range(21):
        for _ in range(3):
            timer = start(api.ann, 7)
            office.advance(HOUR)
            act(api.ann, timer, "stop")
            office.advance(DAY)
        crossing = start(api.ann, 8)
        office.advance(4 * DAY - 3 * HOUR)
        act(api.ann, crossing, "stop")
    api.module.timesheets.refresh(api.ann_id, now_ms=office.ms)
    week = monday + timedelta(7 * (20 - weeks_ago))
    get(api, week, week + timedelta(6))
    calls.clear()
    found = get(api, week, week + timedelta(6))
    numbers = {row["issue"]["github_issue_number"] for day in found["days"] for row in day["issues"]}
    assert numbers == {7, 8}
    assert calls["GetItem"] == 1
    assert calls["Query"] <= 3
    assert calls["BatchGetItem"] <= 1
    assert calls.total() <= 4
