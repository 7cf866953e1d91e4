"""What queues an issue, so that its time is written to GitHub."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tests.integration.test_timesheets import FIRST, FixedPolicies, Owner
from tests.support.gateway import Context
from tests.support.handlers import Clock, loaded
from tests.support.product import ago
from tests.support.stream import calendar_record, timer_record
from tests.support.write_back import QUEUE_URL, WriteBackMessages
from timer_core.domain.calendar import HOUR_MS
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS
from timer_core.domain.timers import Claim, Timer
from timer_core.services.write_back_queue import NotQueued, WriteBackMessage, WriteBackQueue
from timer_core.store.items import timer_item, tombstone
from timer_core.store.keys import timer_sk, user_pk
from timer_core.store.people import Person
from timer_core.store.table import RawItem, Table, Write
from timer_core.store.timers import TimerStore

NOW = FIRST + 5 * DAY_MS


def issue(number: int) -> Issue:
    return Issue("octo-org", "app", number, repo_id=7)


def key(number: int) -> str:
    return issue(number).key


@pytest.fixture
def messages() -> WriteBackMessages:
    return WriteBackMessages()


# ---------------------------------------------------------------------- the queue


def test_an_issue_is_queued_once_and_its_owner_is_its_group() -> None:
    requests: list[dict[str, str]] = []

    class Sqs:
        def send_message_batch(self, **request: Any) -> dict[str, object]:
            requests.extend(request["Entries"])
            return {}

    other = replace(issue(2), owner="Octo-Org")
    WriteBackQueue(Sqs, QUEUE_URL).send([issue(1), issue(1), other, Issue("a", "b", 1)])
    assert [one["MessageDeduplicationId"] for one in requests] == [key(1), key(2)]
    assert len({one["MessageGroupId"] for one in requests}) == 1
    assert WriteBackMessage.from_json(requests[0]["MessageBody"]) == WriteBackMessage(issue(1))


def test_many_issues_are_sent_in_batches(messages: WriteBackMessages) -> None:
    messages.queue.send(issue(number) for number in range(1, 26))
    assert messages.take_keys() == {key(number) for number in range(1, 26)}


def test_a_message_that_sqs_refuses_is_an_error() -> None:
    class Sqs:
        def send_message_batch(self, **_: object) -> dict[str, object]:
            return {"Failed": [{"Id": "0"}]}

    with pytest.raises(NotQueued):
        WriteBackQueue(Sqs, QUEUE_URL).send([issue(1)])


# ---------------------------------------------------------------------- changes of timers


@pytest.fixture
def function(
    shared_table: Table, messages: WriteBackMessages, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    with loaded("timesheets.refresh", shared_table.name, WRITE_BACK_QUEUE_URL=QUEUE_URL) as module:
        monkeypatch.setattr(module, "now_ms", Clock(NOW))
        monkeypatch.setattr(module, "write_back_queue", messages.queue)
        yield module


@pytest.fixture
def owner(shared_table: Table, new_person: Callable[[], Person]) -> Owner:
    return Owner(new_person().user_id, shared_table, FixedPolicies(shared_table))


def started(owner: Owner, number: int, at_ms: int) -> Timer:
    """Start a timer on an issue, and return it."""
    ulid = owner.start(at_ms)
    return written(owner, replace(owner.timers[ulid], issue=issue(number)))


def written(owner: Owner, timer: Timer) -> Timer:
    owner.write(timer, now_ms=NOW)
    return timer


def finished(owner: Owner, number: int, since_ms: int, until_ms: int) -> Timer:
    return written(owner, started(owner, number, since_ms).stop(until_ms, "closed"))


def queued(
    function: ModuleType, messages: WriteBackMessages, before: Timer | None, after: Timer | None
) -> set[str]:
    function.handler({"Records": [timer_record(before, after)]}, Context())
    return messages.take_keys()


def test_a_stop_queues_the_issue(function: ModuleType, messages: WriteBackMessages, owner: Owner) -> None:
    running = started(owner, 1, NOW - HOUR_MS)
    stopped = written(owner, running.stop(NOW, "manual"))
    assert queued(function, messages, running, stopped) == {key(1)}


def test_a_start_and_a_pause_queue_nothing(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    finished(owner, 2, NOW - 3 * HOUR_MS, NOW - 2 * HOUR_MS)
    running = started(owner, 1, NOW - HOUR_MS)
    paused = written(owner, running.pause(NOW, "manual"))
    assert queued(function, messages, None, running) == set()
    assert queued(function, messages, running, paused) == set()


def test_a_new_description_queues_nothing(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    timer = finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    described = written(owner, replace(timer, description="Tests"))
    assert queued(function, messages, timer, described) == set()


def test_a_correction_queues_the_issues_of_all_timers_that_it_may_alter(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    """Time that is claimed for one timer is taken from others that ended later."""
    finished(owner, 1, NOW - 9 * HOUR_MS, NOW - 8 * HOUR_MS)
    finished(owner, 2, NOW - 7 * HOUR_MS, NOW - HOUR_MS)
    started(owner, 3, NOW - 7 * HOUR_MS)
    timer = finished(owner, 4, NOW - 7 * HOUR_MS, NOW - 6 * HOUR_MS)
    claim = Claim(NOW - 5 * HOUR_MS, NOW - 4 * HOUR_MS, NOW, counts=True)
    corrected = written(owner, replace(timer, claims=(claim,)))
    assert queued(function, messages, timer, corrected) == {key(2), key(4)}


def test_a_moved_timer_queues_both_issues(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    timer = finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    moved = written(owner, replace(timer, issue=issue(2)))
    assert queued(function, messages, timer, moved) == {key(1), key(2)}


def test_a_deleted_timer_queues_its_issue(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    timer = finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    record = timer_record(None, timer)
    images = record["dynamodb"]
    pk, sk = user_pk(owner.user_id), timer_sk(timer.ulid)
    owner.table.write(Write("Delete", pk, sk))
    images["OldImage"], images["NewImage"] = timer_item(timer), tombstone(pk, sk, NOW, None)
    function.handler({"Records": [record]}, Context())
    assert messages.take_keys() == {key(1)}


def test_a_change_of_the_calendar_queues_what_ended_since(
    function: ModuleType, messages: WriteBackMessages, owner: Owner
) -> None:
    finished(owner, 1, FIRST, FIRST + HOUR_MS)
    finished(owner, 2, FIRST + 3 * DAY_MS, FIRST + 3 * DAY_MS + HOUR_MS)
    item: RawItem = {"dirty_days": {"NS": [str(FIRST + 2 * DAY_MS)]}, "dirty_changes": {"N": "1"}}
    function.handler({"Records": [calendar_record(owner.user_id, item)]}, Context())
    assert messages.take_keys() == {key(2)}


def test_stored_days_queue_nothing(function: ModuleType, messages: WriteBackMessages, owner: Owner) -> None:
    finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    record = calendar_record(owner.user_id, {"stored_until_ms": {"N": str(FIRST)}})
    record["dynamodb"]["OldImage"] = {"dirty_days": {"NS": [str(FIRST)]}}
    function.handler({"Records": [record]}, Context())
    assert messages.take_keys() == set()


def test_if_issues_cannot_be_queued_the_batch_is_repeated(
    function: ModuleType, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sqs:
        def send_message_batch(self, **_: object) -> dict[str, object]:
            return {"Failed": [{"Id": "0"}]}

    monkeypatch.setattr(function, "write_back_queue", WriteBackQueue(Sqs, QUEUE_URL))
    timer = finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    with pytest.raises(NotQueued):
        function.handler({"Records": [timer_record(None, timer)]}, Context())


def test_if_nothing_is_written_back_nothing_is_read(
    shared_table: Table, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    timer = finished(owner, 1, NOW - 2 * HOUR_MS, NOW - HOUR_MS)
    with loaded("timesheets.refresh", shared_table.name) as module:
        monkeypatch.setattr(module, "now_ms", Clock(NOW))
        monkeypatch.setattr(module.timers, "stopped_issues", lambda *_: pytest.fail("Read."))
        assert module.handler({"Records": [timer_record(None, timer)]}, Context()) == {
            "batchItemFailures": []
        }


# ---------------------------------------------------------------------- the day's end


@pytest.fixture
def sweeper(
    shared_table: Table, messages: WriteBackMessages, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    with loaded("stale_sweeper.sweep", shared_table.name, WRITE_BACK_QUEUE_URL=QUEUE_URL) as module:
        monkeypatch.setattr(module, "write_back_queue", messages.queue)
        yield module


@pytest.mark.parametrize(
    ("event", "is_queued"),
    [
        ({}, True),
        ({"stop_stale": False, "stop_closed": False, "resume": True}, False),
        ({"dry_run": True}, False),
    ],
    ids=["daily", "hourly", "dry run"],
)
def test_the_daily_sweep_queues_the_issues_of_open_timers(
    sweeper: ModuleType,
    messages: WriteBackMessages,
    shared_table: Table,
    new_person: Callable[[], Person],
    event: dict[str, bool],
    is_queued: bool,
) -> None:
    store, user_id = TimerStore(shared_table), new_person().user_id
    store.start(user_id=user_id, now_ms=ago(60), issue=issue(user_id))
    sweeper.handler(event, Context())
    assert (key(user_id) in messages.take_keys()) is is_queued


def test_if_the_queue_fails_the_sweep_goes_on(sweeper: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise NotQueued

    monkeypatch.setattr(WriteBackQueue, "send", lambda _, issues: fail(issues))
    assert sweeper.handler({"stop_closed": False, "redeliver": False}, Context())["complete"]
