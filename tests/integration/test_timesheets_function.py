"""The function that reads the table's stream, in this process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.integration.test_timesheets import FIRST, FixedPolicies, Owner
from tests.support.gateway import Context
from tests.support.handlers import Clock, loaded
from tests.support.stream import calendar_record
from tests.support.stream import timer_record as record
from timer_core.domain.calendar import HOUR_MS
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import Period, Timer
from timer_core.store.calendars import lower_dirty
from timer_core.store.items import timer_item
from timer_core.store.keys import CALENDAR_SK, user_pk
from timer_core.store.people import Person
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import Table, Write

NOW = FIRST + 5 * DAY_MS
EVENTS = Path(__file__).parents[2] / "events"


class Queue:
    """The messages that the function has sent."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send_message(self, **request: str) -> None:
        assert request["QueueUrl"] == "https://queue.example"
        self.sent.append(request["MessageBody"])


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def function(shared_table: Table, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    with loaded(
        "timesheets.refresh", shared_table.name, TIMESHEET_QUEUE_URL="https://queue.example"
    ) as module:
        monkeypatch.setattr(module, "now_ms", Clock(NOW))
        monkeypatch.setattr(module, "_sqs", lambda: queue)
        yield module


@pytest.fixture
def owner(shared_table: Table, new_person: Callable[[], Person]) -> Owner:
    owner = Owner(new_person().user_id, shared_table, FixedPolicies(shared_table))
    ulid = owner.start(FIRST + 9 * HOUR_MS)
    owner.write(owner.timers[ulid].stop(FIRST + 12 * HOUR_MS, "closed"), now_ms=FIRST + 12 * HOUR_MS)
    return owner


def message(user_id: int, number: str = "1") -> dict[str, Any]:
    body = json.dumps({"user_id": user_id, "from_ms": FIRST})
    return {"messageId": number, "eventSource": "aws:sqs", "body": body}


def send(function: ModuleType, *records: dict[str, Any]) -> list[str]:
    """Invoke the function; return the ids of the messages that failed."""
    response = function.handler({"Records": list(records)}, Context())
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def stored(owner: Owner) -> int:
    return StoredDays(owner.table).state(owner.user_id).valid_until_ms


def test_a_change_of_a_timer_stores_the_days(function: ModuleType, owner: Owner) -> None:
    (timer,) = owner.timers.values()
    assert send(function, record(None, timer)) == []
    assert stored(owner) == NOW - 2 * DAY_MS
    owner.check(Period(FIRST, NOW), now_ms=NOW)


@pytest.mark.parametrize(
    ("name", "from_ms"),
    [("TimesheetsFunction.json", 1_764_331_200_000), ("TimesheetsFunction.queue.json", 1_764_320_400_000)],
)
def test_the_sample_events_refresh_a_person(
    function: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, from_ms: int
) -> None:
    refreshed: list[tuple[int, int]] = []

    def note(user_id: int, *, changed_ms: int, **_: int) -> bool:
        refreshed.append((user_id, changed_ms))
        return True

    monkeypatch.setattr(function.timesheets, "refresh", note)
    records = json.loads((EVENTS / name).read_text())["Records"]
    assert send(function, *records) == []
    assert refreshed == [(583231, from_ms)]


def test_a_repeated_record_changes_nothing(function: ModuleType, owner: Owner) -> None:
    (timer,) = owner.timers.values()
    for _ in range(3):
        send(function, record(None, timer))
        owner.check(Period(FIRST, NOW), now_ms=NOW)


def test_days_become_right_even_if_the_write_did_not_mark_them(function: ModuleType, owner: Owner) -> None:
    (timer,) = owner.timers.values()
    send(function, record(None, timer))
    later = Timer.start(
        user_id=owner.user_id, ulid=timer.ulid[:-1] + "Z", at_ms=FIRST, now_ms=NOW, by="manual"
    )
    later = later.stop(FIRST + HOUR_MS, "manual")
    owner.table.write(Write("Put", user_pk(owner.user_id), f"timer#{later.ulid}", item=timer_item(later)))
    owner.timers[later.ulid] = later
    send(function, record(None, later))
    owner.check(Period(FIRST, NOW), now_ms=NOW)


def test_a_change_of_the_calendar_stores_the_days(function: ModuleType, owner: Owner) -> None:
    owner.table.write(lower_dirty(owner.user_id, FIRST))
    item = owner.table.get(user_pk(owner.user_id), CALENDAR_SK)
    assert item is not None
    send(function, calendar_record(owner.user_id, item))
    assert stored(owner) == NOW - 2 * DAY_MS


def test_the_records_of_a_person_are_one_refresh(
    function: ModuleType, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (timer,) = owner.timers.values()
    calls: list[int] = []

    def refresh(user_id: int, **_: int) -> bool:
        calls.append(user_id)
        return False

    monkeypatch.setattr(function.timesheets, "refresh", refresh)
    send(function, *[record(None, timer)] * 20)
    assert calls == [owner.user_id]


def test_deleted_items_store_nothing(function: ModuleType, owner: Owner) -> None:
    """The deletion of an account deletes its timers; nothing about the person may be stored again."""
    (timer,) = owner.timers.values()
    send(function, record(timer, None))
    assert stored(owner) == 0


def test_a_person_whose_days_cannot_be_stored_is_queued_and_others_are_stored(
    function: ModuleType, owner: Owner, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Timer.start(user_id=9, ulid="01HZZZZZZZZZZZZZZZZZZZZZZZ", at_ms=FIRST, now_ms=FIRST, by="manual")
    refresh = function.timesheets.refresh

    def fail(user_id: int, **options: Any) -> bool:
        return bool(1 / 0 if user_id == broken.user_id else refresh(user_id, **options))

    with monkeypatch.context() as patch:
        patch.setattr(function.timesheets, "refresh", fail)
        (timer,) = owner.timers.values()
        send(function, record(None, broken), record(None, timer))
        assert [json.loads(body) for body in queue.sent] == [{"user_id": 9, "from_ms": FIRST}]
        assert stored(owner) == NOW - 2 * DAY_MS
        assert send(function, message(9, "a"), message(owner.user_id, "b")) == ["a"]
    assert send(function, message(9, "a")) == []


def test_an_unreadable_record_does_not_hold_the_others(
    function: ModuleType, owner: Owner, queue: Queue
) -> None:
    """All days of its person are derived, or become a dead letter with the person's id."""
    (timer,) = owner.timers.values()
    other = Timer.start(user_id=9, ulid=timer.ulid, at_ms=FIRST, now_ms=FIRST, by="manual")
    unreadable = record(None, other)
    del unreadable["dynamodb"]["NewImage"]["start_ms"]
    item = unreadable["dynamodb"]["NewImage"]
    owner.table.write(Write("Put", item["pk"]["S"], item["sk"]["S"], item=item))
    assert send(function, unreadable, record(None, timer)) == []
    assert stored(owner) == NOW - 2 * DAY_MS
    (body,) = queue.sent
    assert json.loads(body) == {"user_id": 9, "from_ms": 0}
    letter = {"messageId": "a", "eventSource": "aws:sqs", "body": body}
    assert send(function, letter) == ["a"]
    owner.table.write(Write("Put", item["pk"]["S"], item["sk"]["S"], item=timer_item(other)))
    assert send(function, letter) == []


def test_a_record_without_an_owner_becomes_a_dead_letter(
    function: ModuleType, owner: Owner, queue: Queue
) -> None:
    (timer,) = owner.timers.values()
    unreadable = record(None, timer)
    unreadable["dynamodb"]["Keys"]["pk"]["S"] = "user#someone"
    assert send(function, unreadable, record(None, timer)) == []
    assert stored(owner) == NOW - 2 * DAY_MS
    (body,) = queue.sent
    assert json.loads(body)["record"]["pk"] == {"S": "user#someone"}
    assert send(function, {"messageId": "a", "eventSource": "aws:sqs", "body": body}) == ["a"]


@pytest.mark.parametrize(
    "body",
    ["no JSON", "7", "[]", "{}", '{"user_id": 9}', '{"detail": {}}', '{"user_id": [], "from_ms": "x"}'],
)
def test_a_message_of_another_form_fails_alone(function: ModuleType, owner: Owner, body: str) -> None:
    broken = {"messageId": "a", "eventSource": "aws:sqs", "body": body}
    assert send(function, broken, message(owner.user_id, "b")) == ["a"]
    assert stored(owner) == NOW - 2 * DAY_MS


def test_the_report_of_a_discarded_batch_is_logged_and_removed(
    function: ModuleType, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report as in AWS, "Retain discarded records for a DynamoDB event source in Lambda"."""
    report = {
        "requestContext": {
            "requestId": "9e2a3b5c-6d7f-4a1b-8c2d-3e4f5a6b7c8d",
            "functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:timesheets",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 6,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-03-06T00:01:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001573689847184-864758bb",
            "startSequenceNumber": "800000000003126276362",
            "endSequenceNumber": "800000000003126276362",
            "approximateArrivalOfFirstRecord": "2026-03-06T00:00:19Z",
            "approximateArrivalOfLastRecord": "2026-03-06T00:00:19Z",
            "batchSize": 1,
            "streamArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/timers/stream/2026-03-01T00:00",
        },
    }
    logged: list[dict[str, Any]] = []
    monkeypatch.setattr(function.logger, "warning", lambda _, extra: logged.append(extra))
    letter = {"messageId": "a", "eventSource": "aws:sqs", "body": json.dumps(report)}
    assert send(function, letter, message(owner.user_id, "b")) == []
    assert stored(owner) == NOW - 2 * DAY_MS
    assert logged == [{"report": report}]


def test_the_messages_of_a_person_are_one_refresh(
    function: ModuleType, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins at the earliest change; if it fails, each of the messages fails."""
    calls: list[tuple[int, int]] = []

    def refresh(user_id: int, *, changed_ms: int, **_: int) -> bool:
        calls.append((user_id, changed_ms))
        return bool(1 / 0 if user_id == 9 else True)

    monkeypatch.setattr(function.timesheets, "refresh", refresh)
    later = message(9, "b") | {"body": json.dumps({"user_id": 9, "from_ms": NOW})}
    assert send(function, later, message(owner.user_id, "a"), message(9, "c")) == ["b", "c"]
    assert sorted(calls) == sorted([(9, FIRST), (owner.user_id, FIRST)])


def test_without_time_the_rest_of_a_batch_is_queued(function: ModuleType, owner: Owner, queue: Queue) -> None:
    (timer,) = owner.timers.values()

    class Late(Context):
        def get_remaining_time_in_millis(self) -> int:
            return 1_000

    function.handler({"Records": [record(None, timer)]}, Late())
    assert len(queue.sent) == 1
    assert stored(owner) == 0
