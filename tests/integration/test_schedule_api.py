"""The routes of working hours, exceptions, holidays and the organization's settings."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.support.app import ADMIN, App
from tests.support.gateway import Answer
from timer_core.domain.ids import new_ulid
from timer_core.domain.timers import Timer
from timer_core.store.calendars import SETTINGS_KEY, Calendars
from timer_core.store.items import timer_item
from timer_core.store.queries import TimerQueries
from timer_core.store.table import Write
from timer_core.store.timesheets import Timesheets

NINE_TO_FIVE = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
BERLIN = {"time_zone": "Europe/Berlin", "week": NINE_TO_FIVE}
FULL_WEEK = NINE_TO_FIVE | {"sat": [], "sun": []}


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def app(app: App) -> Iterator[App]:
    """The functions on Monday, 30 November 2026, 09:00 UTC, without settings of the organization."""
    app.clock.ms = at("2026-11-30 09:00")
    vars(app.schedule.shared.calendars).update(vars(Calendars(app.table)))
    yield app
    app.table.write(Write("Delete", *SETTINGS_KEY))


# A client with a token, which unlike a session stays valid while a test advances the clock.
Client = Callable[..., Answer]


@pytest.fixture
def ann(app: App) -> Client:
    return app.caller(app.token(app.signed_in()[0]))


@pytest.fixture
def admin(app: App) -> Client:
    return app.caller(app.token(app.signed_in(app.new_person(ADMIN))[0]))


def schedule_of(person: Client) -> dict[str, Any]:
    answer = person("GET", "/api/schedule/")
    assert answer.status == 200, answer
    shown: dict[str, Any] = answer.json()
    return shown


def put(person: Client, body: Any) -> dict[str, Any]:
    answer = person("PUT", "/api/schedule/", body)
    assert answer.status == 200, answer
    shown: dict[str, Any] = answer.json()
    return shown


def refused(answer: Answer) -> tuple[str, str]:
    """Return the field and the code of an invalid request."""
    assert answer.status == 400, answer
    (error,) = answer.json()["errors"]
    assert error["loc"][0] == "body"
    return ".".join(map(str, error["loc"][1:])), error["code"]


# ---------------------------------------------------------------------- working hours


def test_without_a_choice_all_time_counts_and_the_page_can_say_so(ann: Client) -> None:
    assert schedule_of(ann) == {
        "source": "default",
        "chosen": False,
        "current": {"valid_from": None, "time_zone": "UTC", "week": None},
        "versions": [],
        "exceptions": [],
        "default": {"time_zone": "UTC", "week": None},
        "assignment_starts": None,
        "organization": {
            "concurrent_timers": "focus",
            "overtime_hours": 4.0,
            "assignment_starts": "any",
            "stale_after_hours": 24.0,
        },
        "version": 0,
    }


def test_working_hours_hold_from_today_in_their_zone_by_default(ann: Client, app: App) -> None:
    assert put(ann, BERLIN)["current"] == {
        "valid_from": "2026-11-30",
        "time_zone": "Europe/Berlin",
        "week": FULL_WEEK,
    }
    app.clock.ms = at("2026-11-30 23:30")
    shown = put(ann, {"time_zone": "Pacific/Kiritimati", "week": None})
    assert [version["valid_from"] for version in shown["versions"]] == ["2026-11-30", "2026-12-01"]
    assert (shown["source"], shown["chosen"], shown["version"]) == ("own", True, 2)
    assert schedule_of(ann) == shown


def test_a_version_in_the_future_does_not_hold_yet(ann: Client, app: App) -> None:
    shown = put(ann, BERLIN | {"valid_from": "2027-01-01"})
    assert (shown["source"], shown["current"]["valid_from"]) == ("default", None)
    app.clock.ms = at("2026-12-31 23:00")
    assert schedule_of(ann)["current"]["valid_from"] == "2027-01-01"


def test_a_version_replaces_that_of_the_same_date_and_later_ones_stay(ann: Client) -> None:
    put(ann, BERLIN | {"valid_from": "2027-01-01"})
    put(ann, BERLIN | {"valid_from": "2026-12-01"})
    shown = put(ann, {"valid_from": "2026-12-01", "time_zone": "Asia/Kathmandu", "week": {}})
    assert [(one["valid_from"], one["time_zone"]) for one in shown["versions"]] == [
        ("2026-12-01", "Asia/Kathmandu"),
        ("2027-01-01", "Europe/Berlin"),
    ]


def test_nights_become_two_intervals_and_24_00_is_an_end(ann: Client) -> None:
    week = {"fri": [["22:00", "06:00"]], "sun": [["22:00", "00:00"]], "tue": [["00:00", "24:00"]]}
    shown = put(ann, {"time_zone": "Europe/Berlin", "week": week})["current"]["week"]
    assert {day: intervals for day, intervals in shown.items() if intervals} == {
        "tue": [["00:00", "24:00"]],
        "fri": [["22:00", "24:00"]],
        "sat": [["00:00", "06:00"]],
        "sun": [["22:00", "24:00"]],
    }


def test_the_night_of_sunday_ends_on_monday(ann: Client) -> None:
    shown = put(ann, {"time_zone": "UTC", "week": {"sun": [["22:00", "06:00"]]}})["current"]["week"]
    assert (shown["sun"], shown["mon"]) == ([["22:00", "24:00"]], [["00:00", "06:00"]])


@pytest.mark.parametrize(
    ("week", "field", "code"),
    [
        ({"wed": [["09:00", "12:00"], ["11:00", "13:00"]]}, "week.wed", "intervals_overlap"),
        ({"wed": [["22:00", "06:00"]], "thu": [["05:00", "08:00"]]}, "week.thu", "intervals_overlap"),
        ({"wed": [["9:00", "12:00"]]}, "week.wed", "invalid_time_of_day"),
        ({"wed": [["09:00", "24:01"]]}, "week.wed", "invalid_time_of_day"),
        ({"wed": [["24:00", "06:00"]]}, "week.wed", "invalid_time_of_day"),
        ({"wed": [["09:00", "09:00"]]}, "week.wed", "end_before_start"),
        ({"wed": [["٠٩:00", "12:00"]]}, "week.wed", "invalid_time_of_day"),
        ({"wed": [["09:00"]]}, "week.wed.0", "too_short"),
        ({"wed": [[9, 17]]}, "week.wed.0.0", "invalid_value"),
        ({"wednesday": []}, "week.wednesday", "unknown_field"),
    ],
)
def test_an_invalid_week_is_refused_with_its_weekday(ann: Client, week: Any, field: str, code: str) -> None:
    answer = ann("PUT", "/api/schedule/", {"time_zone": "Europe/Berlin", "week": week})
    assert answer.status == 400
    first = answer.json()["errors"][0]
    assert (".".join(map(str, first["loc"][1:])), first["code"]) == (field, code)
    assert schedule_of(ann)["version"] == 0


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"time_zone": "Europe/Berlin"}, "week", "required"),
        ({"week": {}}, "time_zone", "required"),
        ({"valid_from": "2026-12-01"}, "week", "required"),
        ({"time_zone": "Mars/Phobos", "week": {}}, "time_zone", "unknown_time_zone"),
        ({"time_zone": "Mars/Phobos", "week": None}, "time_zone", "unknown_time_zone"),
        (BERLIN | {"valid_from": "20261201"}, "valid_from", "invalid_date"),
        (BERLIN | {"valid_from": "2026-02-30"}, "valid_from", "invalid_date"),
        (BERLIN | {"valid_from": "1969-12-31"}, "valid_from", "invalid_date"),
        (BERLIN | {"valid_from": 20261201}, "valid_from", "invalid_date"),
        ({"assignment_starts": "sometimes"}, "assignment_starts", "invalid_value"),
        ({"hours": 8}, "hours", "unknown_field"),
        (
            {"exceptions": [{"date": "2026-12-24", "intervals": [["22:00", "06:00"]]}]},
            "exceptions.2026-12-24",
            "end_before_start",
        ),
        (
            {"exceptions": [{"date": "2026-12-24", "intervals": []}] * 2},
            "exceptions.2026-12-24",
            "contradiction",
        ),
        (
            {"exceptions": [{"date": "2026-12-24", "intervals": [], "reason": "x" * 101}]},
            "exceptions.0.reason",
            "too_long",
        ),
    ],
)
def test_an_invalid_change_is_refused_with_its_field(ann: Client, body: Any, field: str, code: str) -> None:
    assert refused(ann("PUT", "/api/schedule/", body)) == (field, code)


def test_a_version_can_be_deleted(ann: Client) -> None:
    put(ann, BERLIN)
    answer = ann("DELETE", "/api/schedule/2026-11-30/")
    assert answer.status == 200
    assert (answer.json()["versions"], answer.json()["source"]) == ([], "default")
    # The choice was made nevertheless.
    assert answer.json()["chosen"]
    assert ann("DELETE", "/api/schedule/2026-11-30").status == 404
    assert ann("DELETE", "/api/schedule/yesterday/").status == 400


def test_nobody_sees_or_changes_the_hours_of_another_person(app: App, ann: Client) -> None:
    put(ann, BERLIN)
    bob, _ = app.signed_in()
    assert schedule_of(bob)["versions"] == []
    assert bob("DELETE", "/api/schedule/2026-11-30/").status == 404


# ---------------------------------------------------------------------- exceptions


def test_a_day_off_is_one_request(ann: Client) -> None:
    answer = ann("PUT", "/api/schedule/exceptions/2026-11-30/", {"intervals": [], "reason": "sick"})
    assert answer.status == 200
    expected = [{"date": "2026-11-30", "intervals": [], "reason": "sick"}]
    assert answer.json()["exceptions"] == schedule_of(ann)["exceptions"] == expected
    shorter = {"intervals": [["09:00", "11:30"]]}
    assert ann("PUT", "/api/schedule/exceptions/2026-11-30", shorter).json()["exceptions"] == [
        {"date": "2026-11-30", "intervals": [["09:00", "11:30"]], "reason": ""}
    ]
    assert ann("DELETE", "/api/schedule/exceptions/2026-11-30/").json()["exceptions"] == []
    assert ann("DELETE", "/api/schedule/exceptions/2026-11-30/").status == 404


def test_a_list_of_exceptions_replaces_those_from_today_on(ann: Client) -> None:
    def dates(*days: str) -> list[dict[str, Any]]:
        return [{"date": day, "intervals": []} for day in days]

    put(ann, {"exceptions": dates("2026-11-02", "2026-11-30", "2026-12-24")})
    shown = put(ann, {"exceptions": dates("2026-12-31", "2026-11-03")})
    assert [one["date"] for one in shown["exceptions"]] == ["2026-11-02", "2026-11-03", "2026-12-31"]
    # A change without exceptions keeps them.
    assert put(ann, BERLIN)["exceptions"] == shown["exceptions"]
    assert [one["date"] for one in put(ann, {"exceptions": []})["exceptions"]] == ["2026-11-02", "2026-11-03"]


def test_today_is_that_of_the_persons_zone(ann: Client, app: App) -> None:
    put(ann, {"time_zone": "Pacific/Kiritimati", "week": {}})
    app.clock.ms = at("2026-12-01 11:00")
    put(
        ann,
        {"exceptions": [{"date": "2026-12-01", "intervals": []}, {"date": "2026-12-02", "intervals": []}]},
    )
    # On Kiritimati, 2 December has begun.
    assert [one["date"] for one in put(ann, {"exceptions": []})["exceptions"]] == ["2026-12-01"]


# ---------------------------------------------------------------------- own settings


def test_a_person_can_narrow_which_assignments_start_a_timer_from_now_on(app: App) -> None:
    browser, account = app.signed_in()
    ann = app.caller(app.token(browser))
    assert put(ann, {"assignment_starts": "self"})["assignment_starts"] == "self"
    assert not schedule_of(ann)["chosen"]
    app.clock.advance(60)
    assert put(ann, {"assignment_starts": None})["assignment_starts"] is None
    calendar = Calendars(app.table).of(account.id)
    assert [calendar.assignment_starts_at(app.clock.ms - ago) for ago in (61_000, 60_000, 1, 0)] == [
        "any",
        "self",
        "self",
        "any",
    ]


# ---------------------------------------------------------------------- conditional requests, credentials


def test_an_unchanged_schedule_is_not_sent_again(ann: Client, app: App) -> None:
    tag = ann("GET", "/api/schedule/").headers["etag"]
    assert ann("GET", "/api/schedule/", if_none_match=tag).status == 304
    app.clock.advance(3600)
    assert ann("GET", "/api/schedule/", if_none_match=tag).status == 304
    put(ann, BERLIN)
    assert ann("GET", "/api/schedule/", if_none_match=tag).status == 200


def test_a_change_can_require_that_nothing_has_changed(ann: Client) -> None:
    tag = ann("GET", "/api/schedule/").headers["etag"]
    changed = ann("PUT", "/api/schedule/", BERLIN, if_match=tag)
    assert changed.status == 200
    requests: list[tuple[str, str, Any]] = [
        ("PUT", "/api/schedule/", BERLIN | {"week": {}}),
        ("PUT", "/api/schedule/exceptions/2026-12-24/", {"intervals": []}),
        ("DELETE", "/api/schedule/2026-11-30/", None),
    ]
    for request in requests:
        late = ann(*request, if_match=tag)
        assert (late.status, late.json()["code"]) == (412, "changed_meanwhile")
    assert schedule_of(ann)["version"] == 1
    newer = changed.headers["etag"]
    assert ann("GET", "/api/schedule/", if_none_match=newer).status == 304
    # A cache that compresses a response may mark the tag as weak, or drop the mark.
    assert ann(*requests[0], if_match=newer.removeprefix("W/")).status == 200
    assert ann(*requests[1], if_match="*").status == 200


def test_only_a_change_of_the_own_part_refuses_a_change(ann: Client, admin: Client, app: App) -> None:
    """The answer also depends on the present and on the organization, which the request does not change."""
    put(ann, BERLIN | {"valid_from": "2026-12-01"})
    tag = ann("GET", "/api/schedule/").headers["etag"]
    app.clock.advance(2 * 86_400)
    admin("PUT", "/api/admin/settings/", {"overtime_hours": 3})
    again = ann("GET", "/api/schedule/", if_none_match=tag)
    assert (again.status, again.json()["current"]["valid_from"]) == (200, "2026-12-01")
    changed = ann("PUT", "/api/schedule/exceptions/2026-12-24/", {"intervals": []}, if_match=tag)
    assert changed.status == 200
    late = ann("DELETE", "/api/schedule/exceptions/2026-12-24/", if_match=tag)
    assert late.status == 412


def test_a_read_only_token_cannot_change_anything(app: App) -> None:
    browser, _ = app.signed_in(app.new_person(ADMIN))
    reader = app.caller(app.token(browser, scope="read"))
    assert reader("GET", "/api/schedule/").status == 200
    assert reader("GET", "/api/admin/settings/").status == 200
    for path in ("/api/schedule/", "/api/schedule/exceptions/2026-12-24/", "/api/admin/settings/"):
        assert reader("PUT", path, {}).status == 403
    assert reader("DELETE", "/api/schedule/2026-12-24/").status == 403


def test_nobody_gets_a_schedule_without_credentials(app: App) -> None:
    for method, path in (("GET", "/api/schedule/"), ("GET", "/api/admin/settings/")):
        assert app.browser()(method, path).status == 401


def test_other_methods_are_refused(ann: Client) -> None:
    answer = ann("POST", "/api/schedule/", {})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, PUT")
    assert ann("DELETE", "/api/schedule/holidays/").status == 405
    assert ann("HEAD", "/api/schedule/").status == 200


# ---------------------------------------------------------------------- preview


def preview(person: Client, body: Any) -> list[tuple[str, float, float]]:
    """Return the dates that a change would alter, with their hours before and after it."""
    answer = person("PUT", "/api/schedule/?preview=true", body)
    assert answer.status == 200, answer
    assert answer.json()["complete"]
    return [(one["date"], one["before"] / 3600, one["after"] / 3600) for one in answer.json()["days"]]


@pytest.fixture(params=["days derived", "days stored"])
def worker(app: App, request: pytest.FixtureRequest) -> Client:
    """A person with a timer that an assignment started on Friday, 27 November 2026, 14:00 UTC."""
    browser, account = app.signed_in()
    friday = at("2026-11-27 14:00")
    timer = Timer.start(
        user_id=account.id, ulid=new_ulid(friday), at_ms=friday, now_ms=friday, by="assigned", issue=None
    )
    item = timer_item(timer)
    app.table.write(Write("Put", item["pk"]["S"], item["sk"]["S"], item=item))
    if request.param == "days stored":
        timesheets = Timesheets(app.table, TimerQueries(app.table), Calendars(app.table))
        assert timesheets.refresh(account.id, now_ms=app.clock.ms)
    return app.caller(app.token(browser))


def test_a_preview_compares_the_days_that_a_change_alters_and_changes_nothing(worker: Client) -> None:
    # Without working hours, the timer is stale after 24 hours: on Saturday at 14:00 UTC, 15:00 in Berlin.
    # With them, Friday has 2 hours from 15:00 to 17:00, and Monday 1 hour from 09:00 to 10:00.
    assert preview(worker, BERLIN | {"valid_from": "2026-11-26"}) == [
        ("2026-11-27", 9, 2),
        ("2026-11-28", 15, 0),
        ("2026-11-30", 0, 1),
    ]
    assert schedule_of(worker)["version"] == 0


def test_a_preview_begins_at_the_first_instant_of_the_change(worker: Client) -> None:
    put(worker, BERLIN | {"valid_from": "2026-11-01"})
    longer = {"mon": [["08:00", "18:00"]], "fri": [["08:00", "18:00"]]}
    later = {"time_zone": "Europe/Berlin", "week": longer, "valid_from": "2026-11-28"}
    assert preview(worker, later) == [("2026-11-30", 1, 2)]
    assert preview(worker, later | {"valid_from": "2026-12-01"}) == []
    assert preview(worker, {"assignment_starts": "never"}) == []
    off = {"exceptions": [{"date": "2026-11-27", "intervals": [], "reason": "sick"}]}
    assert preview(worker, off) == [("2026-11-27", 2, 0)]


def test_a_preview_shows_what_the_removal_of_a_past_exception_alters(worker: Client) -> None:
    put(worker, BERLIN | {"valid_from": "2026-11-01"})
    put(worker, {"exceptions": [{"date": "2026-11-27", "intervals": [], "reason": "sick"}]})
    usual = {"exceptions": [{"date": "2026-11-27", "intervals": None}]}
    assert preview(worker, usual) == [("2026-11-27", 0, 2)]
    assert len(schedule_of(worker)["exceptions"]) == 1
    assert put(worker, usual)["exceptions"] == []


def test_a_change_has_the_effect_that_its_preview_showed(worker: Client) -> None:
    def totals() -> dict[str, float]:
        query = "since=2026-11-20T00:00:00Z&until=2026-11-30T09:00:00Z&time_zone=Europe/Berlin"
        found = worker("GET", f"/api/timelogs/totals/?{query}").json()["days"]
        return {one["date"]: one["working_duration"] / 3600 for one in found if one["working_duration"]}

    put(worker, BERLIN | {"valid_from": "2026-11-01"})
    change = {"time_zone": "Europe/Berlin", "week": {"fri": [["16:00", "20:00"]]}, "valid_from": "2026-11-27"}
    assert totals() == {"2026-11-27": 2, "2026-11-30": 1}
    assert preview(worker, change) == [("2026-11-27", 2, 4), ("2026-11-30", 1, 0)]
    assert totals() == {"2026-11-27": 2, "2026-11-30": 1}
    put(worker, change)
    assert totals() == {"2026-11-27": 4}


def test_a_preview_of_a_deletion_compares_the_days_that_it_alters(worker: Client) -> None:
    put(worker, BERLIN | {"valid_from": "2026-11-26"})
    before = schedule_of(worker)
    answer = worker("DELETE", "/api/schedule/2026-11-26/?preview=true")
    assert (answer.status, "etag" in answer.headers) == (200, False)
    altered = [(one["date"], one["after"] - one["before"]) for one in answer.json()["days"]]
    assert altered
    assert schedule_of(worker) == before
    assert worker("DELETE", "/api/schedule/2026-11-27/?preview=true").status == 404
    assert worker("DELETE", "/api/schedule/2026-11-26/").status == 200
    again = worker("PUT", "/api/schedule/?preview=true", BERLIN | {"valid_from": "2026-11-26"}).json()
    # The dates are those of the time zone after each change, and all dates together have the same time.
    put_back = sum(one["before"] - one["after"] for one in again["days"])
    assert put_back == sum(difference for _, difference in altered)


def test_a_preview_of_many_years_is_incomplete(worker: Client) -> None:
    answer = worker("PUT", "/api/schedule/?preview=true", BERLIN | {"valid_from": "2020-01-01"})
    assert answer.json() == {"days": [], "complete": False, "conflicts": []}


def test_an_invalid_change_is_refused_by_a_preview_too(worker: Client) -> None:
    invalid = {"time_zone": "Europe/Berlin", "week": {"mon": [["9:00", "17:00"]]}}
    assert worker("PUT", "/api/schedule/?preview=true", invalid).status == 400
    assert worker("PUT", "/api/schedule/?dry_run=true", BERLIN).status == 400
    assert schedule_of(worker)["version"] == 0


# ---------------------------------------------------------------------- confirmed days


@pytest.fixture
def confirmed(worker: Client, app: App) -> Client:
    """The worker, who has confirmed Thursday and Friday, 26 and 27 November."""
    put(worker, BERLIN | {"valid_from": "2026-11-01"})
    store = TimerQueries(app.table)
    (timer,) = worker("GET", "/api/timelogs/").json()["results"]
    for day in (26, 27):
        Timesheets(app.table, store, Calendars(app.table)).confirm(
            int(timer["id"].split("-")[0]), date(2026, 11, day), lambda _: None, now_ms=app.clock.ms
        )
    return worker


FRIDAY_OFF = {"intervals": [], "reason": "sick"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        (
            "PUT",
            "/api/schedule/",
            BERLIN | {"valid_from": "2026-11-27", "week": {"fri": [["09:00", "10:00"]]}},
        ),
        ("PUT", "/api/schedule/exceptions/2026-11-27/", FRIDAY_OFF),
    ],
)
def test_a_change_of_a_confirmed_day_is_refused(
    confirmed: Client, method: str, path: str, body: dict[str, Any]
) -> None:
    before = schedule_of(confirmed)
    answer = confirmed(method, path, body)
    assert (answer.status, answer.json()["code"], answer.json()["date"]) == (
        409,
        "day_confirmed",
        "2026-11-27",
    )
    assert schedule_of(confirmed) == before


def test_the_hours_of_a_confirmed_day_cannot_be_deleted(worker: Client, app: App) -> None:
    put(worker, BERLIN | {"valid_from": "2026-11-01"})
    assert worker("PUT", "/api/schedule/exceptions/2026-11-27/", FRIDAY_OFF).status == 200
    (timer,) = worker("GET", "/api/timelogs/").json()["results"]
    timesheets = Timesheets(app.table, TimerQueries(app.table), Calendars(app.table))
    person = int(timer["id"].split("-")[0])
    timesheets.confirm(person, date(2026, 11, 27), lambda _: None, now_ms=app.clock.ms)
    for path in ("2026-11-01/", "exceptions/2026-11-27/"):
        assert worker("DELETE", f"/api/schedule/{path}").status == 409
    timesheets.reopen(person, date(2026, 11, 27), lambda _: None, now_ms=app.clock.ms)
    for path in ("exceptions/2026-11-27/", "2026-11-01/"):
        assert worker("DELETE", f"/api/schedule/{path}").status == 200


def test_a_change_beside_confirmed_days_is_allowed(confirmed: Client) -> None:
    week = {"time_zone": "Europe/Berlin", "week": {}, "valid_from": "2026-11-28"}
    assert put(confirmed, week)["versions"][-1]["valid_from"] == "2026-11-28"
    assert confirmed("PUT", "/api/schedule/exceptions/2026-11-25/", FRIDAY_OFF).status == 200


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_another_zone_from_the_day_after_a_confirmed_one_begins_at_its_end(
    confirmed: Client, zone: str
) -> None:
    path = "/api/timesheets/?from=2026-11-26&to=2026-11-30"
    before = confirmed("GET", path).json()["days"]
    change = {"time_zone": zone, "week": NINE_TO_FIVE, "valid_from": "2026-11-28"}
    preview = confirmed("PUT", "/api/schedule/?preview=true", change)
    assert preview.json()["conflicts"] == []
    assert put(confirmed, change)["current"]["time_zone"] == zone
    after = confirmed("GET", path).json()["days"]
    assert after[:2] == before[:2]
    assert after[2]["since"] == before[1]["until"]
    assert [day["since"] for day in after[1:]] == [day["until"] for day in after[:-1]]
    assert {day["time_zone"] for day in after[2:]} == {zone}
    assert schedule_of(confirmed)["versions"][-1]["valid_from"] == "2026-11-28"


def test_a_preview_names_the_confirmed_days_and_does_not_change_them(confirmed: Client) -> None:
    week = {"fri": [["16:00", "20:00"]]}
    change = {"time_zone": "Europe/Berlin", "week": week, "valid_from": "2026-11-23"}
    answer = confirmed("PUT", "/api/schedule/?preview=true", change)
    assert answer.status == 200, answer
    shown = answer.json()
    assert shown["conflicts"] == ["2026-11-26", "2026-11-27"]
    assert [day["date"] for day in shown["days"]] == ["2026-11-30"]


# ---------------------------------------------------------------------- holidays


def holidays(person: Client, query: str) -> dict[str, str]:
    answer = person("GET", f"/api/schedule/holidays/?{query}")
    assert answer.status == 200, answer
    return {one["date"]: one["name"] for one in answer.json()["holidays"]}


def test_holidays_are_those_of_the_country_and_its_part(ann: Client) -> None:
    berlin = holidays(ann, "country=DE&subdivision=BE&year=2027")
    assert (berlin["2027-03-08"], berlin["2027-12-25"]) == (
        "Frauentag",
        "Erster Weihnachtstag",
    )
    assert "2027-03-08" not in holidays(ann, "country=de&year=2027")
    assert list(berlin) == sorted(berlin)


def test_holidays_have_names_in_the_requested_language_if_there_are_any(ann: Client) -> None:
    assert holidays(ann, "country=DE&year=2027&language=en")["2027-12-25"] == "Christmas Day"
    assert holidays(ann, "country=DE&year=2027&language=fi")["2027-12-25"] == "Erster Weihnachtstag"


def test_countries_and_their_parts_are_listed(ann: Client) -> None:
    countries = {
        one["country"]: one["subdivisions"]
        for one in ann("GET", "/api/schedule/holidays/countries/").json()["countries"]
    }
    assert {"DE", "US", "IN"} <= countries.keys()
    assert {"code": "BE", "name": "Berlin"} in countries["DE"]
    assert {"code": "Augsburg", "name": "Augsburg"} in countries["DE"]
    assert len(countries) > 200
    assert {len(country) for country in countries} == {2}


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("country=XX&year=2027", "country", "unknown_region"),
        ("country=DE&subdivision=CA&year=2027", "subdivision", "unknown_region"),
        ("country=DE&year=1999", "year", "out_of_range"),
        ("year=2027", "country", "required"),
        ("country=%C3%9F&year=2027", "country", "invalid_value"),
        ("country=D%C9%AA&year=2027", "country", "invalid_value"),
        ("country=D&year=2027", "country", "invalid_value"),
        ("country=DE%0A&year=2027", "country", "invalid_value"),
        ("country=DE&year=2027&language=DE", "language", "invalid_value"),
        ("country=DE&year=%C2%B2", "year", "invalid_value"),
        ("country=DE&subdivision=&year=2027", "subdivision", "unknown_region"),
        ("country=DE&year=2027&years=2026", "years", "unknown_field"),
    ],
)
def test_unknown_holidays_are_refused(ann: Client, query: str, field: str, code: str) -> None:
    answer = ann("GET", f"/api/schedule/holidays/?{query}")
    assert answer.status == 400
    (error,) = answer.json()["errors"]
    assert (error["loc"], error["code"]) == (["query", field], code)


# ---------------------------------------------------------------------- the organization's settings


def test_settings_have_defaults(admin: Client) -> None:
    defaults = {
        "working_hours": None,
        "concurrent_timers": "focus",
        "overtime_hours": 4.0,
        "assignment_starts": "any",
        "stale_after_hours": 24.0,
    }
    answer = admin("GET", "/api/admin/settings/")
    assert answer.json() == defaults | {"versions": [defaults | {"valid_from": None}]}


def test_a_change_of_settings_counts_from_its_moment_and_for_everybody(
    app: App, admin: Client, ann: Client
) -> None:
    hours = {"time_zone": "Europe/Berlin", "week": FULL_WEEK}
    assert admin("PUT", "/api/admin/settings/", {"working_hours": hours}).status == 200
    app.clock.advance(3600)
    shown = admin(
        "PUT", "/api/admin/settings/", {"concurrent_timers": "shared", "overtime_hours": 2.5}
    ).json()
    assert shown["working_hours"] == hours
    assert (shown["concurrent_timers"], shown["overtime_hours"]) == ("shared", 2.5)
    assert [(one["valid_from"], one["concurrent_timers"]) for one in shown["versions"]] == [
        ("2026-11-30T10:00:00.000Z", "shared"),
        ("2026-11-30T09:00:00.000Z", "focus"),
        (None, "focus"),
    ]
    assert admin("GET", "/api/admin/settings/").json() == shown
    of_ann = schedule_of(ann)
    assert (of_ann["source"], of_ann["current"]) == ("default", hours | {"valid_from": None})
    assert of_ann["default"] == hours
    assert of_ann["organization"]["concurrent_timers"] == "shared"
    assert admin("PUT", "/api/admin/settings/", {"working_hours": None}).json()["working_hours"] is None


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"overtime_hours": 25}, "overtime_hours", "out_of_range"),
        ({"overtime_hours": "4"}, "overtime_hours", "invalid_value"),
        ({"stale_after_hours": 0.5}, "stale_after_hours", "out_of_range"),
        ({"concurrent_timers": "exclusive"}, "concurrent_timers", "invalid_value"),
        ({"concurrent": "focus"}, "concurrent", "unknown_field"),
        ({"working_hours": {"week": {}}}, "working_hours.time_zone", "required"),
        (
            {"working_hours": {"time_zone": "Mars/Phobos", "week": {}}},
            "working_hours.time_zone",
            "unknown_time_zone",
        ),
        (
            {"working_hours": {"time_zone": "UTC", "week": {"mon": [["9", "10"]]}}},
            "working_hours.week.mon",
            "invalid_time_of_day",
        ),
    ],
)
def test_invalid_settings_are_refused(admin: Client, body: Any, field: str, code: str) -> None:
    assert refused(admin("PUT", "/api/admin/settings/", body)) == (field, code)
    assert len(admin("GET", "/api/admin/settings/").json()["versions"]) == 1


def test_only_admins_see_and_change_settings(ann: Client) -> None:
    assert ann("GET", "/api/admin/settings/").status == 403
    assert ann("PUT", "/api/admin/settings/", {"overtime_hours": 24}).status == 403
