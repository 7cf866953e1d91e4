"""Locked days: nobody changes them by hand, and their figures stay as they are."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import act, get, patch, problem, start, time_of
from tests.integration.test_confirmed_days_api import DAY, ENTRY_CHANGES, HOUR, Days
from tests.support.app import ADMIN, App
from tests.support.calendars import put_version
from tests.support.gateway import Answer
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.errors import DayLocked, InvalidInput
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, Interval, ScheduleVersion, Week
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import Calendars
from timer_core.store.table import Table

ADMIN_ID = 7
LOCK = "/api/admin/lock/"


class LockedDays(Days):
    """The API on an afternoon (UTC), when yesterday is over in all time zones, and can be locked."""

    def lock(self, day: int | None = -1) -> None:
        # The settings that the API's function has cached are older.
        until = None if day is None else self.date(day)
        Calendars(self.api.module.shared.table).lock(until, by=ADMIN_ID, reason="", now_ms=self.clock.ms)

    def freeze(self) -> None:
        """Do what the sweep does about the lock for the person."""
        timesheets = self.api.module.shared.timesheets
        self.api.module.shared.calendars.forget_organization()
        timesheets.refresh(self.api.ann_id, now_ms=self.clock.ms)
        timesheets.apply_lock(self.api.ann_id, now_ms=self.clock.ms)

    def date(self, day: int) -> date:
        return self.yesterday + timedelta(days=day + 1)

    def check_locked(self, answer: Answer, day: int = -1) -> None:
        body = problem(answer, 409)
        assert (body["code"], body["date"]) == ("day_locked", self.date(day).isoformat())

    def sheet(self, day: int = -1) -> dict[str, Any]:
        shown = self.date(day).isoformat()
        # Reading shows a lock within a minute.
        self.api.module.shared.calendars.forget_organization()
        answer = self.api.ann("GET", f"/api/timesheets/?from={shown}&to={shown}")
        assert answer.status == 200, answer
        sheet: dict[str, Any] = answer.json()["days"][0]
        return sheet

    def send(self, method: str, day: int = -1) -> Answer:
        etag = self.sheet(day)["etag"]
        return self.api.ann(method, f"/api/timesheets/{self.date(day)}/confirm/", if_match=etag)


@pytest.fixture
def days(api: Api, clock: Clock) -> Iterator[LockedDays]:
    days = LockedDays(api, clock)
    yield days
    days.lock(None)
    days.api.module.shared.calendars.forget_organization()


@pytest.fixture
def entry(api: Api, days: LockedDays) -> dict[str, Any]:
    """An entry from 9:00 to 11:00 yesterday, with a pause from 10:00 to 10:30; it is 13:00."""
    timer = start(api.ann, 7)
    days.go_to(-1, 10)
    act(api.ann, timer, "pause")
    days.go_to(-1, 10.5)
    act(api.ann, timer, "resume")
    days.go_to(-1, 11)
    act(api.ann, timer, "stop")
    days.go_to(0, 13)
    return get(api.ann, timer)


@pytest.fixture
def running(api: Api, days: LockedDays) -> dict[str, Any]:
    """A timer that runs since 9:00 yesterday; it is 13:00."""
    timer = start(api.ann, 7)
    days.go_to(0, 13)
    return get(api.ann, timer)


def deliver(days: LockedDays, kind: str, at_ms: int, number: int) -> None:
    issue = identified(Issue("octocat", "Hello-World", number))
    issues = IssueTimers(days.api.module.shared.table, days.api.module.shared.timers)
    event = Event(str(uuid4()), kind, at_ms, frozenset({days.api.ann_id}))
    issues.apply(event, issue, now_ms=days.clock.ms)


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("change", ENTRY_CHANGES)
def test_a_change_of_an_entry_is_refused_until_the_lock_is_lifted(
    api: Api, days: LockedDays, entry: dict[str, Any], change: str, is_frozen: bool
) -> None:
    days.lock()
    if is_frozen:
        days.freeze()
    before = get(api.ann, entry)
    days.check_locked(ENTRY_CHANGES[change](api, days, entry))
    assert get(api.ann, entry) == before
    assert days.working() == 1.5
    days.lock(-2)
    assert ENTRY_CHANGES[change](api, days, entry).status in {200, 201, 204}


@pytest.mark.parametrize("is_frozen", [False, True])
@pytest.mark.parametrize("action", ["pause", "stop", "focus"])
def test_an_offline_action_at_a_time_in_a_locked_day_is_refused(
    api: Api, days: LockedDays, running: dict[str, Any], action: str, is_frozen: bool
) -> None:
    days.lock()
    if is_frozen:
        days.freeze()
    days.check_locked(days.act(running, action, -1, 20))
    assert get(api.ann, running)["status"] == "running"
    assert days.act(running, action, 0, 8).status == 200


def test_a_start_at_a_time_in_a_locked_day_is_refused(api: Api, days: LockedDays) -> None:
    days.go_to(0, 13)
    days.lock()
    days.check_locked(api.ann("POST", "/api/timelogs/start/", {"at": time_of(days.at(-1, 20))}))
    assert api.ann("GET", "/api/timelogs/").json()["results"] == []


def test_an_undo_of_a_change_of_a_locked_day_is_refused(
    api: Api, days: LockedDays, entry: dict[str, Any]
) -> None:
    changes = {
        "end": ("PATCH", "", {"end_time": time_of(days.at(-1, 10.75))}),
        "move": ("PATCH", "", {"github_issue_url": None}),
        "delete": ("DELETE", "", None),
    }
    for key, (method, path, body) in changes.items():
        answer = api.ann(method, f"/api/timelogs/{entry['id']}/{path}", body, idempotency_key=f"{key} {days}")
        assert answer.status in {200, 204}, answer
    days.lock()
    for key in reversed(changes):
        undo = api.ann("POST", "/api/timelogs/undo/", {"idempotency_key": f"{key} {days}"})
        assert (undo.status, undo.json()["code"]) in {(409, "day_locked"), (409, "changed_meanwhile")}
    assert get_status(api, entry) == 404


def get_status(api: Api, timer: dict[str, Any]) -> int:
    return api.ann("GET", f"/api/timelogs/{timer['id']}/").status


def test_confirming_and_reopening_locked_days_is_refused(days: LockedDays, entry: dict[str, Any]) -> None:
    assert entry["status"] == "stopped"
    days.confirm(-2)
    days.lock()
    days.check_locked(days.send("POST"))
    days.check_locked(days.send("DELETE", -2), -2)
    days.lock(-2)
    assert days.send("POST").status == 200
    days.check_locked(days.send("DELETE", -2), -2)


def test_a_late_event_changes_the_timer_and_not_the_locked_day(
    api: Api, days: LockedDays, running: dict[str, Any]
) -> None:
    assert days.act(running, "stop", 0, 9).status == 200
    days.lock()
    days.freeze()
    before = days.sheet()
    assert (before["state"], before["confirmed_at"], before["changed_since"]) == ("locked", None, None)
    deliver(days, "closed", days.at(-1, 10), 7)
    assert get(api.ann, running)["end_time"] == time_of(days.at(-1, 10))
    after = days.sheet()
    assert after["working_duration"] == before["working_duration"] == 15 * HOUR
    assert after["changed_since"] == {"working_duration": HOUR, "difference_duration": -14 * HOUR}


def test_a_late_event_adds_no_time_to_an_empty_locked_day(days: LockedDays) -> None:
    days.go_to(0, 13)
    days.lock()
    days.freeze()
    deliver(days, "assigned", days.at(-1, 10), 70 + days.api.ann_id)
    assert days.working() == 0
    assert days.sheet()["changed_since"]["working_duration"] == 14 * HOUR
    deliver(days, "closed", days.at(0, 9), 70 + days.api.ann_id)


def test_a_late_event_before_the_freeze_changes_the_locked_day(
    days: LockedDays, running: dict[str, Any]
) -> None:
    assert days.act(running, "stop", 0, 9).status == 200
    days.lock()
    deliver(days, "closed", days.at(-1, 10), 7)
    days.freeze()
    sheet = days.sheet()
    assert (sheet["working_duration"], sheet["changed_since"]) == (HOUR, None)


def test_days_of_a_lifted_lock_are_derived_again(days: LockedDays, running: dict[str, Any]) -> None:
    assert days.act(running, "stop", 0, 9).status == 200
    days.confirm(-3)
    days.lock()
    days.freeze()
    deliver(days, "closed", days.at(-1, 10), 7)
    days.lock(-2)
    days.freeze()
    sheet = days.sheet()
    assert (sheet["state"], sheet["working_duration"], sheet["changed_since"]) == ("over", HOUR, None)
    assert days.sheet(-2)["state"] == "locked"
    days.lock(None)
    days.freeze()
    assert [days.sheet(day)["state"] for day in (-3, -2, -1)] == ["confirmed", "over", "over"]


def test_a_lifted_day_can_be_confirmed_before_the_sweep(days: LockedDays, entry: dict[str, Any]) -> None:
    assert entry["working_duration"] == 1.5 * HOUR
    days.lock()
    days.freeze()
    days.lock(None)
    confirmed = days.send("POST").json()
    assert (confirmed["state"], confirmed["working_duration"]) == ("confirmed", 1.5 * HOUR)


def test_a_lock_of_many_days_freezes_and_lifts_all_of_them(api: Api, days: LockedDays) -> None:
    days.go_to(0, 13)
    for day in range(1, 80, 3):
        body = {"start_time": time_of(days.at(-day, 9)), "duration": HOUR}
        assert api.ann("POST", "/api/timelogs/", body).status == 201
    days.lock()
    days.freeze()
    own = api.module.shared.calendars.own(api.ann_id)
    (frozen,) = own.confirmed
    assert (frozen.locked, frozen.last) == (True, days.date(-1))
    assert frozen.first <= days.date(-79)
    assert days.sheet(-79)["working_duration"] == HOUR
    days.lock(None)
    days.freeze()
    assert api.module.shared.calendars.own(api.ann_id).confirmed == ()


class TestZones:
    def test_the_last_locked_day_ends_in_the_zone_of_each_person(self, api: Api, days: LockedDays) -> None:
        days.go_to(0, 13)
        calendars = api.module.shared.calendars
        version = ScheduleVersion(date(1970, 1, 1), Week("America/Los_Angeles"))
        put_version(calendars, api.ann_id, version, now_ms=days.clock.ms)
        days.lock()

        # Yesterday ends at 7:00 or 8:00 UTC.
        def add(hour: float) -> Answer:
            body = {"start_time": time_of(days.at(0, hour)), "duration": 60}
            return api.ann("POST", "/api/timelogs/", body)

        days.check_locked(add(6.9))
        assert add(8.1).status == 201

    @pytest.mark.parametrize("is_frozen", [False, True])
    def test_another_zone_does_not_move_a_locked_day(
        self, api: Api, days: LockedDays, is_frozen: bool
    ) -> None:
        days.go_to(0, 13)
        calendars = api.module.shared.calendars
        days.lock()
        if is_frozen:
            days.freeze()
        hours = (*[(Interval(540, 1020),)] * 7,)
        for first in (days.date(-5), days.date(-1)):
            version = ScheduleVersion(first, Week("Pacific/Honolulu", hours))
            with pytest.raises(DayLocked):
                put_version(calendars, api.ann_id, version, now_ms=days.clock.ms)
        put_version(
            calendars,
            api.ann_id,
            ScheduleVersion(days.date(1), Week("Asia/Tokyo", hours)),
            now_ms=days.clock.ms,
        )
        days.check_locked(
            api.ann("POST", "/api/timelogs/", {"start_time": time_of(days.at(-1, 23.9)), "duration": 60})
        )


def test_only_a_date_that_is_over_in_all_time_zones_can_be_locked(days: LockedDays) -> None:
    days.go_to(0, 12)
    with pytest.raises(InvalidInput):
        days.lock(-1)
    days.clock.advance(60)
    days.lock(-1)
    with pytest.raises(InvalidInput):
        days.lock(0)


def test_a_function_that_cached_the_former_lock_refuses_a_change_at_once(
    api: Api, days: LockedDays, entry: dict[str, Any]
) -> None:
    calendars = api.module.shared.calendars
    calendars.forget_organization()
    assert calendars.locked_until() is None
    days.lock()
    days.check_locked(patch(api.ann, entry, {"end_time": time_of(days.at(-1, 10.75))}))
    days.lock(None)
    assert calendars.locked_until() == days.date(-1)
    assert patch(api.ann, entry, {"end_time": time_of(days.at(-1, 10.75))}).status == 200


class TestRoutes:
    @pytest.fixture
    def app(self, app: App, shared_table: Table) -> Iterator[App]:
        # After the changes of the other tests, whose entries are in the same log.
        app.clock.ms = app.clock.ms // DAY_MS * DAY_MS + 13 * 3_600_000 + 30 * DAY_MS
        yield app
        Calendars(shared_table).lock(None, by=ADMIN_ID, reason="", now_ms=app.clock.ms)

    @pytest.fixture
    def admin(self, app: App) -> Callable[..., Answer]:
        return app.caller(app.token(app.signed_in(app.new_person(ADMIN))[0]))

    def day(self, app: App, ago: int) -> str:
        return (date(1970, 1, 1) + timedelta(days=app.clock.ms // DAY_MS - ago)).isoformat()

    def test_admins_lock_move_and_lift(self, app: App, admin: Callable[..., Answer]) -> None:
        assert admin("GET", LOCK).json()["locked_until"] is None
        for ago, reason in ((1, "November"), (1, "again"), (3, "Mistake")):
            answer = admin("POST", LOCK, {"until": self.day(app, ago), "reason": reason})
            assert (answer.status, answer.json()["locked_until"]) == (200, self.day(app, ago))
            app.clock.advance(1)
        assert admin("DELETE", LOCK + "?reason=Open").json()["locked_until"] is None
        user = admin("GET", "/api/auth/me/").json()["id"]
        found = [
            (one["user"], one["reason"], one["from"], one["to"])
            for one in admin("GET", LOCK).json()["changes"]
            if one["user"] == user
        ][:3]
        assert found == [
            (user, "Open", self.day(app, 3), None),
            (user, "Mistake", self.day(app, 1), self.day(app, 3)),
            (user, "November", None, self.day(app, 1)),
        ]

    def test_a_date_that_is_not_over_is_refused(self, app: App, admin: Callable[..., Answer]) -> None:
        for body, code in (
            ({"until": self.day(app, 0)}, "day_not_over"),
            ({"until": "2026-02-30"}, "invalid_date"),
            ({}, "required"),
        ):
            answer = admin("POST", LOCK, body)
            assert (answer.status, answer.json()["errors"][0]["code"]) == (400, code)

    def test_others_can_neither_see_nor_change_the_lock(self, app: App) -> None:
        ann = app.caller(app.token(app.signed_in()[0]))
        for method, body in (("GET", None), ("POST", {"until": self.day(app, 1)}), ("DELETE", None)):
            assert ann(method, LOCK, body).status == 403
        assert DAY == 86_400
