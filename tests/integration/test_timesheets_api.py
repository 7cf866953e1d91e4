"""Timesheets through the API."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import ISSUE, act, add, problem, start, time_of
from tests.integration.test_working_time import BERLIN, DAY, HOUR, OFFICE, monday, office, shared_time
from tests.support.gateway import Answer
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Interval, ScheduleVersion, Week
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import Calendars
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

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
                    "details_deleted": False,
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
        api.module.shared.timesheets.refresh(api.ann_id, now_ms=office.ms)
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
        names = api.module.shared.names
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


def confirm(api: Api, day: date, etag: str | None, method: str = "POST") -> Answer:
    path = f"/api/timesheets/{day}/confirm/"
    return api.ann(method, path) if etag is None else api.ann(method, path, if_match=etag)


def confirmed(api: Api, day: date) -> dict[str, Any]:
    """Confirm a day as it is, and return it."""
    answer = confirm(api, day, get_day(api, day)["etag"])
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == found["etag"]
    return found


def reopened(api: Api, day: date) -> dict[str, Any]:
    answer = confirm(api, day, get_day(api, day)["etag"], "DELETE")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


class TestConfirming:
    @pytest.fixture
    def worked(self, api: Api, office: Clock) -> date:
        """A Monday with seven hours, on the following Wednesday at noon, while its timer still runs."""
        day = day_of(office)
        start(api.ann, 7)
        office.advance(2 * DAY + 2 * HOUR)
        return day

    def test_a_confirmed_day_says_so(self, api: Api, office: Clock, worked: date) -> None:
        before = get_day(api, worked)
        assert (before["state"], before["working_duration"]) == ("over", 7 * HOUR)
        found = confirmed(api, worked)
        assert found == before | {
            "state": "confirmed",
            "confirmed_at": time_of(office.ms),
            "etag": found["etag"],
        }
        assert get_day(api, worked) == found
        assert found["etag"] != before["etag"]

    def test_every_figure_keeps_the_confirmed_time(self, api: Api, office: Clock, worked: date) -> None:
        confirmed(api, worked)
        office.advance(5 * DAY)
        api.module.shared.timesheets.refresh(api.ann_id, now_ms=office.ms)
        day = get_day(api, worked)
        assert (day["state"], day["working_duration"]) == ("confirmed", 7 * HOUR)
        query = f"since={day['since']}&until={day['until']}"
        assert api.ann("GET", f"/api/timelogs/totals/?{query}").json()["working_duration"] == 7 * HOUR
        assert api.ann("GET", f"/api/timeline/?{query}").json()["working_duration"] == 7 * HOUR

    def test_confirming_twice_changes_nothing(self, api: Api, office: Clock, worked: date) -> None:
        before = get_day(api, worked)["etag"]
        found = confirmed(api, worked)
        office.advance(60)
        # The first response may have been lost, so the tag before it is valid too.
        for etag in (found["etag"], before, "*"):
            again = confirm(api, worked, etag)
            assert (again.status, again.json()) == (200, found)

    def test_a_reopened_day_is_derived_again(self, api: Api, worked: date) -> None:
        before = get_day(api, worked)
        confirmed(api, worked)
        assert reopened(api, worked) == before

    def test_a_day_that_is_not_confirmed_cannot_be_reopened(self, api: Api, worked: date) -> None:
        assert problem(confirm(api, worked, "*", "DELETE"), 404)["code"] == "not_found"

    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_the_day_as_seen_is_required(self, api: Api, worked: date, method: str) -> None:
        if method == "DELETE":
            confirmed(api, worked)
        refused = problem(confirm(api, worked, None, method), 428)
        assert refused["code"] == "if_match_required"
        for etag in ('W/"other"', '"other"', "", get_day(api, worked + timedelta(1))["etag"]):
            refused = problem(confirm(api, worked, etag, method), 412)
            assert refused["code"] == "changed_meanwhile"
        assert get_day(api, worked)["state"] == ("over" if method == "POST" else "confirmed")

    def test_a_day_that_has_changed_since_it_was_seen_is_not_confirmed(
        self, api: Api, office: Clock, worked: date
    ) -> None:
        seen = get_day(api, worked)["etag"]
        entry = add(api.ann, office, 2 * DAY + HOUR, 600, description="Planning")
        problem(confirm(api, worked, seen), 412)
        seen = get_day(api, worked)["etag"]
        moved = {"github_issue_url": ISSUE.format(9)}
        assert api.ann("PATCH", f"/api/timelogs/{entry['id']}/", moved).status == 200
        problem(confirm(api, worked, seen), 412)
        assert confirmed(api, worked)["working_duration"] == 7 * HOUR

    def test_the_tag_of_an_older_confirmation_is_not_valid_after_reopening(
        self, api: Api, office: Clock, worked: date
    ) -> None:
        first = confirmed(api, worked)["etag"]
        reopened(api, worked)
        problem(confirm(api, worked, first), 412)
        office.advance(1)
        assert confirmed(api, worked)["etag"] != first

    @pytest.mark.parametrize("seconds", [-1, 59.999])
    def test_only_a_day_that_is_over_for_a_minute_can_be_confirmed(
        self, api: Api, office: Clock, seconds: float
    ) -> None:
        day = day_of(office)
        office.advance(14 * HOUR + seconds)
        for unfinished in (day, day + timedelta(1)):
            (error,) = problem(confirm(api, unfinished, "*"), 400)["errors"]
            assert (error["loc"], error["code"]) == (["path", "date"], "day_not_over")
        office.advance(60 - seconds)
        assert confirmed(api, day)["state"] == "confirmed"

    @pytest.mark.parametrize("text", ["2026-02-29", "20260228", "today", "1969-12-31", "2026-2-3"])
    def test_a_date_that_does_not_exist_is_refused(self, api: Api, text: str) -> None:
        for method in ("POST", "DELETE"):
            refused = api.ann(method, f"/api/timesheets/{text}/confirm/", if_match="*")
            (error,) = problem(refused, 400)["errors"]
            assert (error["loc"][-1], error["code"]) == ("date", "invalid_date")

    def test_days_of_other_people_are_not_confirmed(self, api: Api, worked: date) -> None:
        etag = get_day(api, worked)["etag"]
        assert api.bob("POST", f"/api/timesheets/{worked}/confirm/", if_match=etag).status == 412
        problem(api.nobody("POST", f"/api/timesheets/{worked}/confirm/", if_match=etag), 401)
        assert get_day(api, worked)["state"] == "over"

    def test_other_methods_are_refused(self, api: Api, worked: date) -> None:
        refused = api.ann("PUT", f"/api/timesheets/{worked}/confirm/", {})
        assert refused.status == 405
        assert {"POST", "DELETE"} <= {*refused.headers["allow"].split(", ")}

    def test_corrections_of_a_confirmed_day_are_refused(self, api: Api, office: Clock, worked: date) -> None:
        confirmed(api, worked)
        (timer,) = get_day(api, worked)["issues"][0]["timers"]
        path, morning = f"/api/timelogs/{timer}/", office.ms - (2 * DAY + 2 * HOUR) * 1000
        refused = [
            api.ann("PATCH", path, {"start_time": time_of(morning + 60_000)}),
            api.ann("DELETE", path),
            api.ann("POST", f"{path}split/", {"at": time_of(morning + 60_000)}),
            api.ann("POST", f"{path}pauses/", {"start": time_of(morning), "end": time_of(morning + 60_000)}),
            api.ann(
                "POST",
                "/api/timelogs/",
                {"start_time": time_of(morning), "end_time": time_of(morning + 60_000)},
            ),
        ]
        for answer in refused:
            found = problem(answer, 409)
            assert (found["code"], found["date"]) == ("day_confirmed", str(worked))
        assert api.ann("PATCH", path, {"description": "Planning"}).status == 200
        act(api.ann, {"id": timer}, "stop")
        assert get_day(api, worked)["working_duration"] == 7 * HOUR


class TestChangesAfterConfirming:
    """The examples of docs/working-time.md: Monday was confirmed with eight hours."""

    def deliver(self, api: Api, kind: str, at_ms: int, *, received_ms: int) -> None:
        """Handle an event of Ann's issue, as the processor of deliveries does."""
        table = api.module.shared.table
        users = None if kind == "closed" else frozenset({api.ann_id})
        event = Event(f"{kind} {at_ms}", kind, at_ms, users)
        issue = identified(Issue("octocat", f"confirmed-{api.ann_id}", 7))
        IssueTimers(table, TimerStore(table)).apply(event, issue, now_ms=received_ms)

    @pytest.fixture
    def day(self, api: Api, office: Clock) -> date:
        """A Monday with eight hours that is confirmed, on Wednesday at 11:00, when its timer ended."""
        day, nine = day_of(office), office.ms - HOUR * 1000
        self.deliver(api, "assigned", nine, received_ms=office.ms)
        office.advance(2 * DAY + HOUR)
        assert confirmed(api, day)["working_duration"] == 8 * HOUR
        self.deliver(api, "closed", office.ms, received_ms=office.ms)
        office.advance(HOUR)
        return day

    def test_the_end_of_its_timer_on_a_later_day_can_be_corrected(
        self, api: Api, office: Clock, day: date
    ) -> None:
        (timer,) = get_day(api, day)["issues"][0]["timers"]
        changed = {"end_time": time_of(office.ms - 2 * HOUR * 1000)}
        assert api.ann("PATCH", f"/api/timelogs/{timer}/", changed).status == 200
        found = get(api, day, day + timedelta(2))
        assert [one["working_duration"] for one in found["days"]] == [8 * HOUR, 8 * HOUR, HOUR]
        assert found["days"][0]["changed_since"] is None
        shown = api.ann("GET", f"/api/timelogs/{timer}/").json()
        assert shown["working_duration"] == found["working_duration"] == 17 * HOUR

    @pytest.mark.parametrize("days_later", [0, 7])
    def test_a_late_event_changes_the_day_only_when_it_is_reopened(
        self, api: Api, office: Clock, day: date, days_later: int
    ) -> None:
        seen = get_day(api, day)["etag"]
        fifteen = office.ms - (2 * DAY - 3 * HOUR) * 1000
        office.advance(days_later * DAY)
        api.module.shared.timesheets.refresh(api.ann_id, now_ms=office.ms)
        self.deliver(api, "closed", fifteen, received_ms=office.ms)
        found = get(api, day, day + timedelta(2))
        monday = found["days"][0]
        assert [one["working_duration"] for one in found["days"]] == [8 * HOUR, 0, 0]
        assert monday["changed_since"] == {
            "working_duration": 5 * HOUR,
            "difference_duration": -3 * HOUR,
        }
        assert sum(row["working_duration"] for row in monday["issues"]) == 8 * HOUR
        assert found["balance_duration"] == -8 * HOUR - (3 if days_later == 0 else 8) * HOUR
        assert confirm(api, day, seen, "DELETE").status == 412
        assert reopened(api, day)["working_duration"] == 5 * HOUR
        assert get_day(api, day)["changed_since"] is None


@pytest.mark.parametrize("weeks_ago", [0, 20])
def test_the_number_of_reads_does_not_depend_on_the_history(
    api: Api, office: Clock, calls: list[str], weeks_ago: int
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
    api.module.shared.timesheets.refresh(api.ann_id, now_ms=office.ms)
    week = monday + timedelta(7 * (20 - weeks_ago))
    get(api, week, week + timedelta(6))
    calls.clear()
    found = get(api, week, week + timedelta(6))
    numbers = {row["issue"]["github_issue_number"] for day in found["days"] for row in day["issues"]}
    assert numbers == {7, 8}
    assert calls.count("GetItem") == 1
    assert calls.count("Query") <= 3
    assert calls.count("BatchGetItem") <= 1
    assert len(calls) <= 4
