"""The audit log: each change of a person's time by hand has exactly one entry, whatever the route."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from tests.support.app import ADMIN, App
from tests.support.gateway import Answer
from tests.support.repositories import identified
from timer_core.domain.errors import IdempotencyKeyReused
from timer_core.domain.events import Event
from timer_core.domain.ids import parse_timer_id
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS
from timer_core.observability import make_logger
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.stale_timers import StaleTimerStopper
from timer_core.store.audit import AuditLog
from timer_core.store.calendars import Calendars
from timer_core.store.retention import Retention
from timer_core.store.timers import TimerStore
from timer_core.store.timesheets import Timesheets

CHANGES = "/api/timelogs/changes/"
TIMERS = "/api/timelogs/"
HOUR_MS = 3_600_000
Client = Callable[..., Answer]


@pytest.fixture
def app(app: App) -> App:
    """The functions on Monday, 30 November 2026, 12:00 UTC."""
    app.clock.ms = round(datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp() * 1000)
    return app


def ticking(app: App, login: str = "") -> Client:
    """Return a client of a new person, before each of whose requests a millisecond passes."""
    client = app.caller(app.token(app.signed_in(app.new_person(login))[0]))

    def request(*args: Any, **parameters: Any) -> Answer:
        app.clock.advance(0.001)
        return client(*args, **parameters)

    return request


@pytest.fixture
def ann(app: App) -> Client:
    return ticking(app)


@pytest.fixture
def admin(app: App) -> Client:
    return ticking(app, ADMIN)


def add(person: Client, start: str = "09", end: str = "10", **body: Any) -> dict[str, Any]:
    times = {"start_time": f"2026-11-30T{start}:00:00Z", "end_time": f"2026-11-30T{end}:00:00Z"}
    answer = person("POST", TIMERS, {**times, **body})
    assert answer.status == 201, answer
    added: dict[str, Any] = answer.json()
    return added


def changes(person: Client, **query: Any) -> list[dict[str, Any]]:
    answer = person("GET", CHANGES + "?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert answer.status == 200, answer
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def last(person: Client) -> dict[str, Any]:
    return changes(person)[0]


def test_an_entry_has_author_time_kind_difference_and_reason(app: App, ann: Client) -> None:
    timer = add(ann)
    app.clock.ms += 60_000 - app.clock.ms % 60_000 - 1
    body = {"end_time": "2026-11-30T09:30:00Z", "description": "Review", "reason": "Left earlier"}
    assert ann("PATCH", f"{TIMERS}{timer['id']}/", body).status == 200
    entry = last(ann)
    assert entry.pop("id")
    assert entry == {
        "at": "2026-11-30T12:01:00.000Z",
        "kind": "corrected",
        "by": "self",
        "user": timer["user"],
        "reason": "Left earlier",
        "differences": [
            {
                "timer": timer["id"],
                "date": None,
                "from": {"end_time": "2026-11-30T10:00:00.000Z", "description": ""},
                "to": {"end_time": "2026-11-30T09:30:00.000Z", "description": "Review"},
            }
        ],
    }


def test_an_added_entry_was_nothing_before_and_a_deleted_one_is_nothing_afterwards(ann: Client) -> None:
    timer = add(ann, reason="Forgot to start", github_repo="octo-org/a", github_issue_number=1)
    assert ann("DELETE", f"{TIMERS}{timer['id']}/?reason=Twice").status == 204
    deleted, added = changes(ann)
    assert (added["kind"], added["reason"]) == ("added", "Forgot to start")
    assert (deleted["kind"], deleted["reason"]) == ("deleted", "Twice")
    (new,), (old,) = added["differences"], deleted["differences"]
    assert (new["from"], old["to"]) == (None, None)
    assert new["to"] == old["from"]
    assert {name: new["to"][name] for name in ("start_time", "github_repo", "github_issue_number")} == {
        "start_time": "2026-11-30T09:00:00.000Z",
        "github_repo": "octo-org/a",
        "github_issue_number": 1,
    }


def test_changes_of_pauses_name_the_pauses_that_differ(ann: Client) -> None:
    timer = add(ann, "08", "12")
    pauses = f"{TIMERS}{timer['id']}/pauses/"

    def pause(hour: int, minutes: int = 30) -> dict[str, str]:
        return {"start": f"2026-11-30T{hour:02}:00:00.000Z", "end": f"2026-11-30T{hour:02}:{minutes}:00.000Z"}

    def difference() -> list[Any]:
        (one,) = last(ann)["differences"]
        return [one["from"]["pauses"], one["to"]["pauses"]]

    ann("POST", pauses, pause(9))
    ann("POST", pauses, pause(10) | {"reason": "Lunch"})
    assert (difference(), last(ann)["reason"]) == ([[], [pause(10)]], "Lunch")
    ann("PUT", f"{pauses}1/", pause(10, 45))
    assert difference() == [[pause(10)], [pause(10, 45)]]
    ann("DELETE", f"{pauses}0/?reason=Worked")
    assert (difference(), last(ann)["reason"]) == ([[pause(9)], []], "Worked")


def test_a_division_shows_both_timers(ann: Client) -> None:
    timer = add(ann, "08", "12")
    halves = ann("POST", f"{TIMERS}{timer['id']}/split/", {"at": "2026-11-30T10:00:00Z"}).json()
    entry = last(ann)
    assert entry["kind"] == "divided"
    first, second = entry["differences"]
    assert first["to"] == {"end_time": "2026-11-30T10:00:00.000Z"}
    assert (second["timer"], second["from"]) == (halves["second"]["id"], None)


def test_undoing_a_correction_has_an_entry_with_the_opposite_difference(ann: Client) -> None:
    timer = add(ann)
    key = str(uuid4())
    ann("PATCH", f"{TIMERS}{timer['id']}/", {"description": "Wrong"}, idempotency_key=key)
    for _ in range(2):
        undo = {"idempotency_key": key, "reason": "Mistake"}
        assert ann("POST", f"{TIMERS}undo/", undo).status == 204
    undone, corrected, _ = changes(ann)
    assert (undone["kind"], undone["reason"]) == ("undone", "Mistake")
    (one,), (other,) = undone["differences"], corrected["differences"]
    assert (one["from"], one["to"]) == (other["to"], other["from"])


@pytest.mark.parametrize("times", [2, 3])
def test_a_repeated_request_has_one_entry(ann: Client, times: int) -> None:
    key = str(uuid4())
    for _ in range(times):
        timer = ann(
            "POST",
            TIMERS,
            {"start_time": "2026-11-30T09:00:00Z", "duration": 60},
            idempotency_key=key,
        ).json()
    for number, (method, path, body) in enumerate(
        [
            ("PATCH", "", {"end_time": "2026-11-30T10:00:00Z"}),
            ("POST", "pauses/", {"start": "2026-11-30T09:20:00Z", "end": "2026-11-30T09:30:00Z"}),
            ("DELETE", "pauses/0/", None),
            ("POST", "split/", {"at": "2026-11-30T09:40:00Z"}),
            ("DELETE", "", None),
        ]
    ):
        for _ in range(times):
            answer = ann(method, f"{TIMERS}{timer['id']}/{path}", body, idempotency_key=f"{key} {number}")
            assert answer.status in {200, 201, 204}, answer
    kinds = [entry["kind"] for entry in reversed(changes(ann))]
    assert kinds == ["added", "corrected", "corrected", "corrected", "divided", "deleted"]


def test_a_correction_that_changes_nothing_has_no_entry(ann: Client) -> None:
    timer = add(ann)
    for _ in range(2):
        assert ann("PATCH", f"{TIMERS}{timer['id']}/", {"description": "Same"}).status == 200
    assert [entry["kind"] for entry in changes(ann)] == ["corrected", "added"]
    refused = ann("PATCH", f"{TIMERS}{timer['id']}/", {"reason": "Nothing else"})
    assert refused.status == 400


@pytest.mark.parametrize("action", ["pause", "focus", "stop"])
def test_ordinary_transitions_have_no_entry(app: App, ann: Client, action: str) -> None:
    timer = ann("POST", f"{TIMERS}start/", {}).json()
    app.clock.advance(60)
    assert ann("POST", f"{TIMERS}{timer['id']}/{action}/").status == 200
    assert changes(ann) == []


def test_a_refused_correction_has_no_entry(ann: Client) -> None:
    timer = add(ann)
    assert ann("PATCH", f"{TIMERS}{timer['id']}/", {"end_time": "2026-11-30T08:00:00Z"}).status == 400
    assert len(changes(ann)) == 1


@pytest.mark.parametrize("reason", ["x" * 201, "a\x00b"])
def test_a_reason_has_at_most_200_printable_characters(ann: Client, reason: str) -> None:
    timer = add(ann)
    for method, path, body in (
        ("PATCH", "", {"description": "x", "reason": reason}),
        ("POST", "split/", {"at": "2026-11-30T09:30:00Z", "reason": reason}),
    ):
        answer = ann(method, f"{TIMERS}{timer['id']}/{path}", body)
        assert (answer.status, answer.json()["errors"][0]["loc"]) == (400, ["body", "reason"])


def test_confirming_and_reopening_a_day_have_entries(app: App, ann: Client) -> None:
    add(ann)
    app.clock.advance(86_400)
    path = "/api/timesheets/2026-11-30/confirm/"
    for method, query, body in (
        ("POST", "", {"reason": "As agreed"}),
        ("DELETE", "?reason=Forgot+one", None),
    ):
        week = ann("GET", "/api/timesheets/?from=2026-11-30&to=2026-11-30").json()
        answer = ann(method, path + query, body, if_match=week["days"][0]["etag"])
        assert answer.status == 200, answer
    reopened, confirmed, _ = changes(ann)
    over, frozen = {"state": "over"}, {"state": "confirmed", "working_duration": 3600.0}
    assert (confirmed["kind"], reopened["kind"]) == ("confirmed", "reopened")
    assert (confirmed["reason"], reopened["reason"]) == ("As agreed", "Forgot one")
    assert confirmed["differences"] == [{"timer": None, "date": "2026-11-30", "from": over, "to": frozen}]
    assert reopened["differences"] == [{"timer": None, "date": "2026-11-30", "from": frozen, "to": over}]


def test_an_admins_stop_names_the_admin(app: App, ann: Client, admin: Client) -> None:
    timer = ann("POST", f"{TIMERS}start/", {}).json()
    app.clock.advance(60)
    for _ in range(2):
        assert admin("POST", f"{TIMERS}{timer['id']}/stop/", idempotency_key="stop").status == 200
    (entry,) = changes(ann)
    author = admin("GET", "/api/auth/me/").json()["id"]
    assert (entry["kind"], entry["by"], entry["user"]) == ("stopped", "admin", author)
    (one,) = entry["differences"]
    assert (one["from"], one["to"]["end_time"]) == ({"end_time": None}, entry["at"])


def test_the_stop_of_a_stale_timer_and_its_undoing_have_entries(app: App, ann: Client) -> None:
    app.clock.ms -= 3 * DAY_MS
    timers, log = TimerStore(app.table), AuditLog(app.table)
    issues = IssueTimers(app.table, timers)
    calendars = Calendars(app.table)
    timesheets, retention = Timesheets(app.table, timers, calendars), Retention(app.table, calendars)
    stopper = StaleTimerStopper(timers, issues, timesheets, retention, 0, make_logger("test"))
    issue = identified(Issue("octo-org", "stale", app.clock.ms % 1000 + 1))
    named = {"github_repo": issue.full_name, "github_issue_number": issue.number}
    timer = ann("POST", f"{TIMERS}start/", named).json()
    user_id, start_ms = timer["user"], app.clock.ms
    stopper.run(after=None, now_ms=start_ms + 2 * DAY_MS, has_time=lambda: True, dry_run=False)
    # A comment of the first day becomes known late, so the timer was not stale then.
    comment = Event(str(uuid4()), "commented", start_ms + DAY_MS, frozenset({user_id}), actor=user_id)
    issues.apply(comment, issue, now_ms=start_ms + 2 * DAY_MS)
    ulid = (parse_timer_id(timer["id"]) or (0, ""))[1]
    reopened, expired = log.page(user_id, ulid=ulid, page_size=10).entries
    assert [(one.kind, one.by) for one in (expired, reopened)] == [("expired", 0), ("unexpired", 0)]
    (difference,) = expired.differences
    assert (difference.before, difference.after) == ({"end_time": None}, {"end_time": start_ms + DAY_MS})


class TestList:
    def test_it_has_pages_newest_first(self, app: App, ann: Client) -> None:
        for number in range(5):
            add(ann, description=str(number))
            app.clock.advance(1)
        found, path = list[str](), f"{CHANGES}?page_size=2"
        while path:
            page = ann("GET", path).json()
            assert len(page["results"]) <= 2
            found += [entry["differences"][0]["to"]["description"] for entry in page["results"]]
            path = page["next"] and page["next"][page["next"].index("/api/") :]
        assert found == ["4", "3", "2", "1", "0"]

    def test_it_has_the_changes_of_a_period(self, app: App, ann: Client) -> None:
        for number in range(3):
            add(ann, description=str(number))
            app.clock.advance(60)
        period = {"since": "2026-11-30T12:01:00Z", "until": "2026-11-30T12:02:00Z"}
        (entry,) = changes(ann, **period)
        assert entry["differences"][0]["to"]["description"] == "1"

    def test_it_has_the_changes_of_a_timer_also_of_a_deleted_one(self, ann: Client) -> None:
        first, second = add(ann), add(ann, "10", "11")
        ann("PATCH", f"{TIMERS}{first['id']}/", {"description": "x"})
        ann("DELETE", f"{TIMERS}{first['id']}/")
        kinds = [[one["kind"] for one in changes(ann, timer=timer["id"])] for timer in (first, second)]
        assert kinds == [["deleted", "corrected", "added"], ["added"]]

    def test_it_is_ones_own(self, app: App, ann: Client, admin: Client) -> None:
        timer = add(ann)
        bob = ticking(app)
        for other in (bob, admin):
            assert changes(other) == []
            assert other("GET", f"{CHANGES}?timer={timer['id']}").status == 403

    def test_entries_cannot_be_changed_or_deleted(self, ann: Client) -> None:
        add(ann)
        for method in ("DELETE", "PUT", "PATCH", "POST"):
            assert ann(method, CHANGES).status in {400, 404, 405}
        assert len(changes(ann)) == 1


def test_a_key_that_is_used_again_has_no_entry(ann: Client) -> None:
    timer = add(ann)
    ann("PATCH", f"{TIMERS}{timer['id']}/", {"description": "x"}, idempotency_key="one")
    refused = ann("PATCH", f"{TIMERS}{timer['id']}/", {"description": "y"}, idempotency_key="one")
    assert (refused.status, refused.json()["code"]) == (400, IdempotencyKeyReused.code)
    assert len(changes(ann)) == 2
