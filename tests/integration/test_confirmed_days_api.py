"""Changes by hand of a confirmed day are refused, whatever the route, until the day is reopened."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import act, add, get, patch, problem, start, time_of
from tests.support.calendars import put_version
from tests.support.gateway import Answer
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.schedule import DAY_MS, ScheduleVersion, Week, local_date, midnight
from timer_core.domain.sheets import Sheet
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.table import Write

MINUTE, HOUR, DAY = 60, 3600, 86_400


def anything(sheet: Sheet) -> None:
    """Confirm whatever the sheet contains."""


class Days:
    """The API at noon (UTC), and the day before, which a test confirms."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.today_ms = midnight(clock.ms) + DAY_MS
        self.yesterday = local_date("UTC", self.today_ms - DAY_MS)
        self.go_to(-1, 9)

    def at(self, day: int, hour: float) -> int:
        return self.today_ms + day * DAY_MS + round(hour * HOUR * 1000)

    def go_to(self, day: int, hour: float) -> None:
        self.clock.ms = self.at(day, hour)

    def confirm(self, day: int = -1) -> Sheet:
        dates = self.yesterday + timedelta(days=day + 1)
        sheet: Sheet = self.api.module.shared.timesheets.confirm(
            self.api.ann_id, dates, anything, now_ms=self.clock.ms
        )
        return sheet

    def reopen(self) -> None:
        self.api.module.shared.timesheets.reopen(
            self.api.ann_id, self.yesterday, anything, now_ms=self.clock.ms
        )

    def working(self) -> float:
        """Return the working time of yesterday in hours, by the totals."""
        since, until = time_of(self.at(-1, 0)), time_of(self.at(0, 0))
        answer = self.api.ann("GET", f"/api/timelogs/totals/?since={since}&until={until}")
        hours: float = answer.json()["working_duration"] / HOUR
        return hours

    def act(self, timer: dict[str, Any], action: str, day: int, hour: float) -> Answer:
        return self.api.ann(
            "POST", f"/api/timelogs/{timer['id']}/{action}/", {"at": time_of(self.at(day, hour))}
        )

    def check_refused(self, answer: Answer, day: int = -1) -> None:
        body = problem(answer, 409)
        expected = (self.yesterday + timedelta(days=day + 1)).isoformat()
        assert (body["code"], body["date"]) == ("day_confirmed", expected)
        assert body["detail"] == f"{expected} is confirmed. Reopen the day to change it."


@pytest.fixture
def days(api: Api, clock: Clock) -> Days:
    return Days(api, clock)


@pytest.fixture
def entry(api: Api, days: Days) -> dict[str, Any]:
    """An entry from 9:00 to 11:00 on the confirmed day, with a pause from 10:00 to 10:30; it is noon."""
    timer = start(api.ann, 7)
    days.go_to(-1, 10)
    act(api.ann, timer, "pause")
    days.go_to(-1, 10.5)
    act(api.ann, timer, "resume")
    days.go_to(-1, 11)
    act(api.ann, timer, "stop")
    days.go_to(0, 12)
    days.confirm()
    return get(api.ann, timer)


@pytest.fixture
def running(api: Api, days: Days) -> dict[str, Any]:
    """A timer that runs since 9:00 on the confirmed day; it is noon."""
    timer = start(api.ann, 7)
    days.go_to(0, 12)
    days.confirm()
    return get(api.ann, timer)


Request = Callable[[Api, Days, dict[str, Any]], Answer]


def _of(method: str, path: str, body: Callable[[Days], Any] | None = None) -> Request:
    def request(api: Api, days: Days, timer: dict[str, Any]) -> Answer:
        return api.ann(method, path.format(id=timer["id"]), body and body(days))

    return request


ENTRY_CHANGES: dict[str, Request] = {
    "add": _of(
        "POST",
        "/api/timelogs/",
        lambda days: {"start_time": time_of(days.at(-1, 15)), "duration": 60},
    ),
    "add over midnight": _of(
        "POST",
        "/api/timelogs/",
        lambda days: {"start_time": time_of(days.at(-1, 23)), "duration": 2 * HOUR},
    ),
    "earlier start": _of(
        "PATCH", "/api/timelogs/{id}/", lambda days: {"start_time": time_of(days.at(-1, 8))}
    ),
    "later end": _of("PATCH", "/api/timelogs/{id}/", lambda days: {"end_time": time_of(days.at(0, 1))}),
    "earlier end": _of(
        "PATCH", "/api/timelogs/{id}/", lambda days: {"end_time": time_of(days.at(-1, 10.75))}
    ),
    "issue": _of(
        "PATCH",
        "/api/timelogs/{id}/",
        lambda _: {"github_issue_url": "https://github.com/octocat/Hello-World/issues/8"},
    ),
    "no issue": _of("PATCH", "/api/timelogs/{id}/", lambda _: {"github_issue_url": None}),
    "insert pause": _of(
        "POST",
        "/api/timelogs/{id}/pauses/",
        lambda days: {"start": time_of(days.at(-1, 9.25)), "end": time_of(days.at(-1, 9.5))},
    ),
    "change pause": _of(
        "PUT",
        "/api/timelogs/{id}/pauses/0/",
        lambda days: {"start": time_of(days.at(-1, 10)), "end": time_of(days.at(-1, 10.25))},
    ),
    "remove pause": _of("DELETE", "/api/timelogs/{id}/pauses/0/"),
    "split": _of("POST", "/api/timelogs/{id}/split/", lambda days: {"at": time_of(days.at(-1, 9.5))}),
    "delete": _of("DELETE", "/api/timelogs/{id}/"),
}


@pytest.mark.parametrize("change", ENTRY_CHANGES)
def test_a_change_of_an_entry_is_refused_until_the_day_is_reopened(
    api: Api, days: Days, entry: dict[str, Any], change: str
) -> None:
    before = get(api.ann, entry)
    days.check_refused(ENTRY_CHANGES[change](api, days, entry))
    assert get(api.ann, entry) == before
    assert days.working() == 1.5
    days.reopen()
    assert ENTRY_CHANGES[change](api, days, entry).status in {200, 201, 204}


@pytest.mark.parametrize("action", ["pause", "stop", "focus"])
def test_an_act_at_a_time_in_a_confirmed_day_is_refused(
    api: Api, days: Days, running: dict[str, Any], action: str
) -> None:
    days.check_refused(days.act(running, action, -1, 20))
    assert get(api.ann, running)["status"] == "running"
    assert days.act(running, action, 0, 8).status == 200


def test_a_resume_at_a_time_in_a_confirmed_day_is_refused(api: Api, days: Days) -> None:
    timer = start(api.ann, 7)
    act(api.ann, timer, "pause")
    days.go_to(0, 12)
    days.confirm()
    days.check_refused(days.act(timer, "resume", -1, 20))
    assert days.act(timer, "resume", 0, 8).status == 200


def test_an_act_before_a_confirmed_day_changes_it_too(api: Api, days: Days) -> None:
    days.go_to(-2, 9)
    timer = start(api.ann, 7)
    days.go_to(0, 12)
    days.confirm()
    days.check_refused(days.act(timer, "stop", -2, 17))


@pytest.mark.parametrize("number", [7, None])
def test_a_start_at_a_time_in_a_confirmed_day_is_refused(api: Api, days: Days, number: int | None) -> None:
    days.go_to(0, 12)
    days.confirm()
    body: dict[str, Any] = {"at": time_of(days.at(-1, 20))}
    if number:
        body["github_issue_url"] = f"https://github.com/octocat/Hello-World/issues/{number}"
    days.check_refused(api.ann("POST", "/api/timelogs/start/", body))
    assert api.ann("GET", "/api/timelogs/").json()["results"] == []


def test_a_start_in_a_confirmed_day_of_a_timer_that_is_open_is_refused(
    api: Api, days: Days, running: dict[str, Any]
) -> None:
    body = {"github_issue_url": running["github_issue_url"], "at": time_of(days.at(-1, 20))}
    days.check_refused(api.ann("POST", "/api/timelogs/start/", body))


def test_the_start_of_an_open_timer_in_a_confirmed_day_stays(
    api: Api, days: Days, running: dict[str, Any]
) -> None:
    days.check_refused(patch(api.ann, running, {"start_time": time_of(days.at(-1, 10))}))
    days.check_refused(patch(api.ann, running, {"start_time": time_of(days.at(0, 1))}))


def test_descriptions_of_confirmed_time_may_change(api: Api, entry: dict[str, Any]) -> None:
    assert patch(api.ann, entry, {"description": "Review"}).json()["description"] == "Review"


def test_the_time_after_a_confirmed_day_may_be_corrected(api: Api, days: Days) -> None:
    timer = start(api.ann, 7)
    days.go_to(0, 10)
    act(api.ann, timer, "stop")
    days.go_to(0, 12)
    days.confirm()
    shortened = patch(api.ann, timer, {"end_time": time_of(days.at(0, 9))})
    assert (shortened.status, shortened.json()["working_duration"]) == (200, 24 * HOUR)
    pause = {"start": time_of(days.at(0, 1)), "end": time_of(days.at(0, 2))}
    inserted = api.ann("POST", f"/api/timelogs/{timer['id']}/pauses/", pause)
    assert (inserted.status, inserted.json()["working_duration"]) == (200, 23 * HOUR)
    split = api.ann("POST", f"/api/timelogs/{timer['id']}/split/", {"at": time_of(days.at(0, 4))})
    assert split.status == 201
    assert [split.json()[half]["working_duration"] / HOUR for half in ("first", "second")] == [18, 5]
    moved = patch(
        api.ann,
        split.json()["second"],
        {"github_issue_url": "https://github.com/octocat/Hello-World/issues/8"},
    )
    assert moved.status == 200
    days.check_refused(
        api.ann("POST", f"/api/timelogs/{timer['id']}/split/", {"at": time_of(days.at(-1, 23.9))})
    )
    assert days.working() == 15


def test_a_timer_that_only_waited_on_a_confirmed_day_can_be_moved_and_deleted(api: Api, days: Days) -> None:
    days.go_to(-2, 9)
    waiting = start(api.ann, 7)
    days.go_to(-2, 10)
    other = start(api.ann, 8)
    # Without this sign of life, the timer would be stale after 24 hours.
    days.go_to(-1, 9)
    act(api.ann, other, "focus")
    days.go_to(0, 12)
    days.confirm()
    moved = patch(api.ann, waiting, {"github_issue_url": "https://github.com/octocat/Hello-World/issues/9"})
    assert moved.status == 200
    assert api.ann("DELETE", f"/api/timelogs/{waiting['id']}/").status == 204
    assert days.working() == 24


def test_the_first_confirmed_day_is_named(api: Api, days: Days) -> None:
    days.go_to(-3, 9)
    timer = start(api.ann, 7)
    days.go_to(0, 12)
    for day in (-1, -2):
        days.confirm(day)
    days.check_refused(days.act(timer, "stop", -3, 18), day=-2)


def test_an_admin_cannot_change_a_confirmed_day_either(
    api: Api, days: Days, running: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.module.shared.guard.authenticator, "_is_admin", lambda _: True)
    at = {"at": time_of(days.at(-1, 20))}
    days.check_refused(api.bob("POST", f"/api/timelogs/{running['id']}/stop/", at))


@pytest.mark.usefixtures("entry")
def test_other_people_may_still_change_the_day(api: Api, days: Days) -> None:
    added = add(api.bob, days.clock, 20 * HOUR, HOUR)
    assert api.bob("DELETE", f"/api/timelogs/{added['id']}/").status == 204


class TestRepetitions:
    """A request that was carried out before the day was confirmed has the same response when repeated."""

    def test_of_an_added_entry(self, api: Api, days: Days) -> None:
        body = {"start_time": time_of(days.at(-1, 7)), "duration": HOUR}
        first = api.ann("POST", "/api/timelogs/", body, idempotency_key="k")
        days.go_to(0, 1)
        days.confirm()
        second = api.ann("POST", "/api/timelogs/", body, idempotency_key="k")
        assert (second.status, second.json()["id"]) == (201, first.json()["id"])
        days.check_refused(api.ann("POST", "/api/timelogs/", body, idempotency_key="other"))

    @pytest.mark.parametrize("number", [7, None])
    def test_of_an_offline_start(self, api: Api, days: Days, number: int | None) -> None:
        body: dict[str, Any] = {"at": time_of(days.at(-1, 8))}
        if number:
            body["github_issue_url"] = f"https://github.com/octocat/Hello-World/issues/{number}"
        first = api.ann("POST", "/api/timelogs/start/", body, idempotency_key="k")
        assert first.status == 201
        days.go_to(0, 1)
        days.confirm()
        second = api.ann("POST", "/api/timelogs/start/", body, idempotency_key="k")
        assert (second.status, second.json()["id"]) == (201, first.json()["id"])

    @pytest.mark.parametrize("action", ["pause", "stop", "focus"])
    def test_of_an_offline_act(self, api: Api, days: Days, action: str) -> None:
        timer = start(api.ann, 7)
        days.go_to(-1, 12)
        path, body = f"/api/timelogs/{timer['id']}/{action}/", {"at": time_of(days.at(-1, 10))}
        assert api.ann("POST", path, body, idempotency_key="k").status == 200
        days.go_to(0, 1)
        days.confirm()
        assert api.ann("POST", path, body, idempotency_key="k").status == 200


class TestFigures:
    def test_the_timer_keeps_its_confirmed_time_if_an_event_moves_it(
        self, api: Api, days: Days, running: dict[str, Any]
    ) -> None:
        """A late event ends the timer before the confirmed day."""
        store, table = api.module.shared.timers, api.module.shared.table
        timer = store.get(api.ann_id, running["id"].split("-")[1])
        assert timer.confirmed_span == (days.at(-1, 9), days.at(0, 0))
        days.clock.advance(1)
        assert timer.issue is not None
        late = Event("late", "closed", days.at(-1, 10))
        IssueTimers(table, store).apply(late, identified(timer.issue), now_ms=days.clock.ms)
        found = get(api.ann, running)
        assert (found["end_time"], found["working_duration"]) == (time_of(days.at(-1, 10)), 15 * HOUR)
        assert found["active_duration"] == HOUR
        assert days.working() == 15
        since, until = time_of(days.at(-1, 12)), time_of(days.at(0, 0))
        (listed,) = api.ann("GET", f"/api/timelogs/?since={since}&until={until}").json()["results"]
        assert listed["part_working_duration"] == 12 * HOUR
        slices = api.ann("GET", f"/api/timeline/?since={since}&until={until}").json()["slices"]
        assert [(one["from"], one["until"]) for one in slices] == [(since, until)]
        days.reopen()
        assert get(api.ann, running)["working_duration"] == HOUR
        assert days.working() == 1


class TestCalls:
    """The round trips to DynamoDB with and without confirmed days."""

    def measure(self, api: Api, days: Days, calls: list[str], request: Callable[[], Answer]) -> list[str]:
        """Return the calls of a request, with a cached token."""
        days.clock.advance(120)
        api.ann("GET", "/api/timelogs/?page_size=1")
        calls.clear()
        assert request().status in {200, 201}
        return sorted(calls)

    @pytest.mark.parametrize("is_confirmed", [False, True])
    def test_a_transition_and_a_poll_read_confirmed_days_only_if_they_derive_them(
        self, api: Api, days: Days, calls: list[str], is_confirmed: bool
    ) -> None:
        timer = start(api.ann)
        days.go_to(0, 12)
        if is_confirmed:
            days.confirm()
        # Yesterday is derived on reading, because it is not stored yet.
        derived = ["Query", *["Query"] * is_confirmed]
        poll = self.measure(api, days, calls, lambda: api.ann("GET", "/api/timelogs/?end_time__isnull=true"))
        assert poll == derived
        paused = self.measure(api, days, calls, lambda: act(api.ann, timer, "pause"))
        assert paused == [*derived, "UpdateItem"]
        resumed = self.measure(
            api, days, calls, lambda: days.act(timer, "resume", 0, (days.clock.ms - days.today_ms) / 3.6e6)
        )
        assert resumed == [*derived, "UpdateItem"]
        # A correction of today reads the calendar, and writes nothing but the timer and its audit entry.
        entry = add(api.ann, days.clock, 3 * HOUR, HOUR)
        end_time = {"end_time": time_of(days.clock.ms - HOUR * 1000)}
        corrected = self.measure(api, days, calls, lambda: patch(api.ann, entry, end_time))
        assert [call for call in corrected if call not in {"GetItem", "Query"}] == ["TransactWriteItems"]
        # When yesterday is stored, nothing reads the confirmed day.
        days.go_to(2, 12)
        api.module.shared.timesheets.refresh(api.ann_id, now_ms=days.clock.ms)
        poll = self.measure(api, days, calls, lambda: api.ann("GET", "/api/timelogs/?end_time__isnull=true"))
        assert poll == ["Query"]


def test_an_entry_without_time_on_a_confirmed_day_is_refused(api: Api, days: Days) -> None:
    days.go_to(0, 12)
    days.confirm()
    body = {"start_time": time_of(days.at(-1, 9)), "duration": 0}
    days.check_refused(api.ann("POST", "/api/timelogs/", body))


def test_a_confirmation_in_the_first_minute_does_not_miss_a_change_of_the_day(
    api: Api, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day can be confirmed from 00:01 on. An entry of 00:00:59.9 is written while that happens."""
    days.go_to(0, 0)
    midnight_ms, table = days.clock.ms, api.module.shared.table
    transact, answers = table.transact, list[Answer]()

    def interrupted(writes: Sequence[Write]) -> None:
        monkeypatch.setattr(table, "transact", transact)
        days.clock.ms = midnight_ms + 59_900
        body = {"start_time": time_of(days.at(-1, 15)), "duration": HOUR}
        answers.append(api.ann("POST", "/api/timelogs/", body))
        days.clock.ms = midnight_ms + 60_000
        transact(writes)

    days.clock.ms = midnight_ms + 60_000
    monkeypatch.setattr(table, "transact", interrupted)
    sheet = days.confirm()
    assert answers[0].status == 201
    assert sheet.working_ms == HOUR * 1000
    assert days.working() == 1


def test_a_date_that_does_not_exist_cannot_be_confirmed(api: Api, days: Days) -> None:
    """A person moves over the date line, to the west."""
    calendars, now_ms = api.module.shared.calendars, days.clock.ms
    moved = local_date("UTC", now_ms) - timedelta(days=10)
    for since, zone in ((moved - timedelta(days=999), "Pacific/Pago_Pago"), (moved, "Pacific/Kiritimati")):
        put_version(calendars, api.ann_id, ScheduleVersion(since, Week(zone)), now_ms=now_ms)
    skipped = moved - timedelta(days=1)
    answer = api.ann("POST", f"/api/timesheets/{skipped}/confirm/", if_match="*")
    (error,) = problem(answer, 400)["errors"]
    assert (error["loc"], error["code"]) == (["path", "date"], "invalid_date")
    assert error["msg"] == "This date does not exist in your time zone."
    assert calendars.own(api.ann_id).confirmed == ()
    assert api.ann("POST", f"/api/timesheets/{moved}/confirm/", if_match="*").status == 200
