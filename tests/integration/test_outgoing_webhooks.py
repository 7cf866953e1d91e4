"""Outgoing webhooks: the admins' routes, and the notifications that changes in the table make."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.test_timesheets import FIRST, FixedPolicies, Owner
from tests.support.app import ADMIN
from tests.support.gateway import Context
from tests.support.handlers import Clock, loaded
from tests.support.stream import calendar_record, deletion_record, timer_record
from timer_core.domain.calendar import HOUR_MS
from timer_core.domain.notifications import Happening
from timer_core.domain.outgoing_webhooks import MAX_WEBHOOKS, OutgoingWebhook, WebhookFormat
from timer_core.domain.schedule import DAY_MS, local_date
from timer_core.domain.visibility import Visibility
from timer_core.store.calendars import Calendars
from timer_core.store.items import tombstone
from timer_core.store.keys import CALENDAR_SK, timer_sk, user_pk
from timer_core.store.outgoing_webhooks import Attempt, Notifications, OutgoingWebhooks, Sending, SendingState
from timer_core.store.people import PeopleStore
from timer_core.store.queries import TimerQueries
from timer_core.store.timesheets import Timesheets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tests.support.app import App
    from tests.support.browser import Browser
    from timer_core.domain.timers import Timer
    from timer_core.store.people import Person
    from timer_core.store.table import RawItem, Table

HOOKS = "/api/admin/hooks/"
REQUEST = {"url": "https://example.com/told", "events": ["timer.stopped", "timer.started"]}
SECRET = "a secret of the receiver"


class Queue:
    """The messages that the functions have sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.fails = False

    def send_message(self, **request: Any) -> None:
        assert request["QueueUrl"].endswith("/hooks")
        if self.fails:
            raise ConnectionError
        self.sent.append(json.loads(request["MessageBody"]))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture(autouse=True)
def _no_webhooks(shared_table: Table) -> None:
    webhooks = OutgoingWebhooks(shared_table)
    for webhook in webhooks.all():
        webhooks.remove(webhook.id)


# ---------------------------------------------------------------------- the admins' routes


@pytest.fixture
def admin(app: App, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Browser:
    app.schedule.resolver()
    monkeypatch.setattr(sys.modules["schedule.webhook_routes"], "_sqs", lambda: queue)
    browser, _ = app.signed_in(app.new_person(ADMIN))
    return browser


def add(admin: Browser, **members: Any) -> str:
    made = admin("POST", HOOKS, REQUEST | members)
    assert made.status == 201, made
    number: str = made.json()["id"]
    assert made.headers["location"] == f"{HOOKS}{number}/"
    return number


def test_there_is_no_outgoing_webhook_by_default(admin: Browser) -> None:
    assert admin("GET", HOOKS).json() == {"hooks": []}


def test_an_admin_adds_a_webhook_whose_secret_is_never_returned(admin: Browser) -> None:
    number = add(admin, secret=SECRET)
    listed = admin("GET", HOOKS)
    (shown,) = listed.json()["hooks"]
    created = shown.pop("created")
    assert re.fullmatch(r"20\d\d-.*Z", created)
    assert shown == {
        "id": number,
        "url": "https://example.com/told",
        "events": ["timer.started", "timer.stopped"],
        "format": "json",
        "is_signed": True,
    }
    assert SECRET not in listed.body


def test_a_webhook_without_a_secret_is_not_signed(admin: Browser) -> None:
    number = add(admin, secret=None)
    (shown,) = admin("GET", HOOKS).json()["hooks"]
    assert (shown["id"], shown["is_signed"]) == (number, False)


def test_a_change_keeps_the_secret_unless_it_has_another_one(admin: Browser, shared_table: Table) -> None:
    number = add(admin, secret=SECRET)
    path = f"{HOOKS}{number}/"
    changed = admin(
        "PUT", path, {"url": "https://example.org/", "events": ["timer.paused"], "format": "slack"}
    )
    assert (changed.status, changed.json()["url"]) == (200, "https://example.org/")
    assert OutgoingWebhooks(shared_table).get(number).secret == SECRET
    admin("PUT", path, REQUEST | {"secret": "another secret of it"})
    assert OutgoingWebhooks(shared_table).get(number).secret == "another secret of it"


def test_a_webhook_can_be_removed(admin: Browser) -> None:
    path = f"{HOOKS}{add(admin)}/"
    assert admin("DELETE", path).status == 204
    assert admin("DELETE", path).status == 404
    assert admin("PUT", path, REQUEST).status == 404
    assert admin("POST", f"{path}test/").status == 404
    assert admin("GET", f"{path}deliveries/").status == 404
    assert admin("GET", HOOKS).json() == {"hooks": []}


@pytest.mark.parametrize(
    ("members", "field", "code"),
    [
        ({"url": "http://example.com/"}, "url", "not_an_address"),
        ({"url": "https://169.254.169.254/"}, "url", "not_an_address"),
        ({"url": "http://localhost:4570/"}, "url", "not_an_address"),
        ({"events": []}, "events", "too_short"),
        ({"events": ["ping"]}, "events", "invalid_value"),
        ({"events": ["timer.exploded"]}, "events.0", "invalid_value"),
        ({"format": "xml"}, "format", "invalid_value"),
        ({"secret": "short"}, "secret", "too_short"),
        ({"active": True}, "active", "unknown_field"),
    ],
)
def test_a_webhook_that_cannot_be_used_is_refused(
    admin: Browser, members: dict[str, Any], field: str, code: str
) -> None:
    answer = admin("POST", HOOKS, REQUEST | members)
    errors = {".".join(map(str, one["loc"][1:])): one["code"] for one in answer.json()["errors"]}
    assert (answer.status, errors.get(field)) == (400, code)


def test_there_are_twenty_webhooks_at_most(admin: Browser) -> None:
    for _ in range(MAX_WEBHOOKS):
        add(admin)
    answer = admin("POST", HOOKS, REQUEST)
    assert (answer.status, answer.json()["errors"][0]["code"]) == (400, "too_many_values")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", HOOKS, None),
        ("POST", HOOKS, REQUEST),
        ("PUT", f"{HOOKS}x/", REQUEST),
        ("DELETE", f"{HOOKS}x/", None),
        ("POST", f"{HOOKS}x/test/", None),
        ("GET", f"{HOOKS}x/deliveries/", None),
        ("POST", f"{HOOKS}x/deliveries/y/repeat/", None),
    ],
)
def test_only_admins_have_access(app: App, method: str, path: str, body: Any) -> None:
    browser, _ = app.signed_in()
    assert browser(method, path, body).status == 403


def test_a_test_queues_a_ping_that_names_no_person(admin: Browser, queue: Queue, shared_table: Table) -> None:
    number = add(admin)
    answer = admin("POST", f"{HOOKS}{number}/test/")
    (order,) = queue.sent
    assert (answer.status, answer.json()) == (202, {"id": order["notification"]})
    read = Notifications(shared_table).read([(number, order["user"], order["notification"])])
    notification = read.notification(order["user"], order["notification"])
    assert notification is not None
    assert notification.body["event"] == "ping"
    assert "person" not in notification.body
    assert notification.body["hook"] == {"id": number, "events": ["timer.started", "timer.stopped"]}


def test_the_attempts_of_a_notification_are_listed_and_it_can_be_repeated(
    admin: Browser, queue: Queue, shared_table: Table
) -> None:
    number = add(admin)
    notifications, at_ms = Notifications(shared_table), 1_764_331_200_000
    sending = Sending("01KB4V1MM0GZ8Q4T1M6V7X0Y2B", Happening.STOPPED, 583_231, SendingState.WAITING)
    notifications.record(number, sending, Attempt(at_ms, 10_001, failure="timeout"), now_ms=at_ms)
    notifications.record(number, sending, Attempt(at_ms + 60_000, 31, 500), now_ms=at_ms)
    assert admin("GET", f"{HOOKS}{number}/deliveries/").json() == {
        "deliveries": [
            {
                "id": sending.id,
                "event": "timer.stopped",
                "state": "waiting",
                "attempts": [
                    {
                        "at": "2025-11-28T12:00:00.000Z",
                        "duration": 10.001,
                        "status": None,
                        "failure": "timeout",
                    },
                    {"at": "2025-11-28T12:01:00.000Z", "duration": 0.031, "status": 500, "failure": None},
                ],
            }
        ]
    }
    assert admin("POST", f"{HOOKS}{number}/deliveries/{sending.id}/repeat/").status == 202
    assert queue.sent == [{"webhook": number, "user": 583_231, "notification": sending.id, "again": True}]
    assert admin("POST", f"{HOOKS}{number}/deliveries/x/repeat/").status == 404


# ---------------------------------------------------------------------- changes in the table

NOW = FIRST + 5 * DAY_MS


@pytest.fixture
def function(shared_table: Table, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with loaded(
        "timesheets.refresh",
        shared_table.name,
        TIMESHEET_QUEUE_URL="https://timesheets.example",
        HOOK_QUEUE_URL="https://queue.example/hooks",
    ) as module:
        monkeypatch.setattr(module, "now_ms", Clock(NOW))
        monkeypatch.setattr(module, "_sqs", lambda: queue)
        yield module


@pytest.fixture
def person(shared_table: Table, new_person: Callable[[], Person]) -> Person:
    person = new_person()
    PeopleStore(shared_table).register(person.user_id, person.login, now_ms=FIRST)
    return person


@pytest.fixture
def owner(shared_table: Table, person: Person) -> Owner:
    return Owner(person.user_id, shared_table, FixedPolicies(shared_table))


def hook(table: Table, *happenings: Happening) -> OutgoingWebhook:
    webhook = OutgoingWebhook(
        id="01KB4V1MM0GZ8Q4T1M6V7X0Y2C",
        url="https://example.com/",
        secret="",
        happenings=frozenset(happenings or Happening),
        format=WebhookFormat.JSON,
        created_ms=FIRST,
    )
    OutgoingWebhooks(table).add(webhook)
    return webhook


def send(function: ModuleType, *records: dict[str, Any]) -> None:
    function.handler({"Records": list(records)}, Context())


def bodies(table: Table, queue: Queue) -> list[dict[str, Any]]:
    """Return the bodies of the queued notifications."""
    read = Notifications(table).read(
        (order["webhook"], order["user"], order["notification"]) for order in queue.sent
    )
    found = [read.notification(order["user"], order["notification"]) for order in queue.sent]
    return [dict(one.body) for one in found if one]


def finished(owner: Owner) -> tuple[Timer, Timer]:
    """Return a timer of three hours before and after its stop."""
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    running = owner.timers[ulid]
    stopped = running.stop(FIRST + 12 * HOUR_MS, "closed")
    owner.write(stopped, now_ms=FIRST + 12 * HOUR_MS)
    return running, owner.timers[ulid]


def test_a_stopped_timer_is_told_as_the_api_shows_it(
    function: ModuleType, owner: Owner, person: Person, queue: Queue, shared_table: Table, api: Any
) -> None:
    webhook = hook(shared_table)
    running, stopped = finished(owner)
    send(function, timer_record(running, stopped))
    assert [(order["webhook"], order["user"]) for order in queue.sent] == [(webhook.id, person.user_id)]
    (body,) = bodies(shared_table, queue)
    timer = body.pop("timer")
    assert body == {
        "event": "timer.stopped",
        "id": queue.sent[0]["notification"],
        "at": timer["end_time"],
        "person": {"id": person.user_id, "login": person.login},
    }
    assert (timer["id"], timer["working_duration"], timer["status"]) == (stopped.id, 3 * 3600, "stopped")
    schemas = json.loads(api.nobody("GET", "/api/openapi.json").body)["components"]["schemas"]
    assert timer.keys() == schemas["TimeLog"]["properties"].keys()


def test_a_repeated_record_makes_the_same_notification(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    record = timer_record(*finished(owner))
    send(function, record)
    send(function, record)
    first, second = queue.sent
    assert first == second


def test_each_write_of_a_timer_makes_a_notification_of_its_own(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    running, stopped = finished(owner)
    send(function, timer_record(None, running), timer_record(running, stopped))
    assert {body["event"] for body in bodies(shared_table, queue)} == {"timer.started", "timer.stopped"}
    assert len({order["notification"] for order in queue.sent}) == 2


def test_a_webhook_gets_only_the_events_that_it_wants(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table, Happening.STARTED)
    running, stopped = finished(owner)
    send(function, timer_record(running, stopped))
    assert queue.sent == []
    send(function, timer_record(None, running))
    assert len(queue.sent) == 1


@pytest.mark.parametrize(
    ("visibility", "is_told"),
    [(None, True), (Visibility.LEADS, True), (Visibility.EVERYONE, True), (Visibility.NOBODY, False)],
)
def test_only_people_whose_time_leads_see_are_told_about(
    function: ModuleType,
    owner: Owner,
    queue: Queue,
    shared_table: Table,
    visibility: Visibility | None,
    is_told: bool,
) -> None:
    hook(shared_table)
    PeopleStore(shared_table).choose_visibility(owner.user_id, visibility)
    send(function, timer_record(*finished(owner)))
    assert bool(queue.sent) is is_told


def test_a_person_who_never_signed_in_is_not_told_about(
    function: ModuleType, queue: Queue, shared_table: Table, new_person: Callable[[], Person]
) -> None:
    hook(shared_table)
    unknown = Owner(new_person().user_id, shared_table, FixedPolicies(shared_table))
    send(function, timer_record(*finished(unknown)))
    assert queue.sent == []


def test_a_deleted_timer_is_told_as_it_was(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    _, stopped = finished(owner)
    gone: RawItem = tombstone(user_pk(owner.user_id), timer_sk(stopped.ulid), NOW, None)
    send(function, deletion_record(stopped, gone))
    (body,) = bodies(shared_table, queue)
    assert (body["event"], body["timer"]["id"]) == ("timer.deleted", stopped.id)


def test_a_confirmed_day_is_told_with_its_working_time(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    finished(owner)
    before = shared_table.get(user_pk(owner.user_id), CALENDAR_SK) or {}
    day = local_date("UTC", FIRST)
    function.timesheets.confirm(owner.user_id, day, lambda _day: None, now_ms=NOW)
    after = shared_table.get(user_pk(owner.user_id), CALENDAR_SK)
    assert after is not None
    send(function, calendar_record(owner.user_id, after, before))
    (body,) = bodies(shared_table, queue)
    assert body["event"] == "timesheet.confirmed"
    assert body["day"] == {"date": day.isoformat(), "working_duration": 3 * 3600}


def test_a_day_that_a_lock_has_frozen_is_not_told(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    finished(owner)
    before = shared_table.get(user_pk(owner.user_id), CALENDAR_SK) or {}
    calendars = Calendars(shared_table)
    calendars.lock(local_date("UTC", FIRST), by=1, reason="", now_ms=NOW)
    Timesheets(shared_table, TimerQueries(shared_table), calendars).apply_lock(owner.user_id, now_ms=NOW)
    calendars.lock(None, by=1, reason="", now_ms=NOW)
    after = shared_table.get(user_pk(owner.user_id), CALENDAR_SK)
    assert after is not None
    send(function, calendar_record(owner.user_id, after, before))
    assert queue.sent == []


def test_without_a_webhook_a_batch_reads_nothing_more(
    function: ModuleType, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    client = function.table.connection.client
    call = client._make_api_call

    def note(operation: str, parameters: Any) -> Any:
        made.append(str(parameters))
        return call(operation, parameters)

    monkeypatch.setattr(client, "_make_api_call", note)
    record = timer_record(*finished(owner))
    for _ in range(3):
        send(function, record)
    assert sum("outgoing-webhooks" in one for one in made) == 1
    assert not any("profile" in one for one in made)


def test_if_notifications_cannot_be_queued_the_batch_is_repeated_after_its_days_are_stored(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    queue.fails = True
    with pytest.raises(ConnectionError):
        send(function, timer_record(*finished(owner)))
    calendar = shared_table.get(user_pk(owner.user_id), CALENDAR_SK)
    assert calendar is not None
    assert "stored_until_ms" in calendar


def test_a_record_that_cannot_be_read_stops_no_other(
    function: ModuleType, owner: Owner, queue: Queue, shared_table: Table
) -> None:
    hook(shared_table)
    broken = timer_record(None, finished(owner)[1])
    del broken["dynamodb"]["NewImage"]["start_ms"]
    send(function, broken, timer_record(*finished(owner)))
    assert [body["event"] for body in bodies(shared_table, queue)] == ["timer.stopped"]
