"""Two versions that write to one table, and the migration from one schema version to the next.

CloudFormation updates functions one after another, so two versions run side by side for a while. The same
happens during a rollback. These tests simulate the older version, which writes timers without ``end_key``
and with schema version 0.
"""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import cast

import pytest
from pynamodb.connection import Connection

from tests.support.connection import REGION, connect
from tests.support.gateway import Context
from tests.support.handlers import loaded
from tests.support.repositories import identified
from timer_core.domain.errors import TransitionNotAllowed
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, Status
from timer_core.domain.timers import Period, Timer
from timer_core.github.messages import IssueEvent, to_json
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.calendars import update_calendar
from timer_core.store.items import TIMER_SCHEMA_VERSION, CalendarItem
from timer_core.store.keys import end_key, issue_pk, timer_sk, user_pk
from timer_core.store.migration import Migrated, migrate
from timer_core.store.queries import Filters
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import RawItem, Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000
ANN = 21031067


class OlderTable(Table):
    """Writes whole timers as the older version does."""

    def write(self, write: Write) -> RawItem:
        return super().write(_of_the_older_version(write))

    def transact(self, writes: Sequence[Write]) -> None:
        super().transact([_of_the_older_version(write) for write in writes])


def _of_the_older_version(write: Write) -> Write:
    if write.operation != "Put" or "schema_version" not in write.item:
        return write
    item = {name: value for name, value in write.item.items() if name != "end_key"}
    return replace(write, item=item | {"schema_version": {"N": "0"}})


@dataclass(frozen=True)
class Version:
    """The stores of one version of the product."""

    timers: TimerStore
    events: IssueTimers

    def all_timers(self, user_id: int) -> list[Timer]:
        return list(self.timers.page(user_id, Filters(), page_size=100).timers)


def _version(table: Table) -> Version:
    timers = TimerStore(table)
    return Version(timers, IssueTimers(table, timers))


@pytest.fixture
def present(table: Table) -> Version:
    return _version(table)


@pytest.fixture
def older(table_name: str, dynamodb: str) -> Version:
    connection = Connection(region=REGION, host=dynamodb, max_pool_connections=64)
    return _version(OlderTable(table_name, connection))


@pytest.fixture
def store(present: Version) -> TimerStore:
    return present.timers


@pytest.fixture
def events(present: Version) -> IssueTimers:
    return present.events


@pytest.fixture
def items(dynamodb: str, table_name: str) -> Callable[[], list[RawItem]]:
    """Return a function that reads the items of all timers as they are stored."""

    def stored() -> list[RawItem]:
        scan = connect(dynamodb).scan(TableName=table_name, ConsistentRead=True)
        found = cast("list[RawItem]", scan["Items"])
        return sorted((item for item in found if "clock_ms" in item), key=lambda item: str(item["sk"]["S"]))

    return stored


def issue(number: int) -> Issue:
    return identified(Issue("octocat", "Hello-World", number))


class TestSideBySide:
    def test_each_version_changes_timers_that_the_other_wrote(self, older: Version, present: Version) -> None:
        for number, (first, second) in enumerate([(older, present), (present, older)], start=1):
            timer, _ = first.timers.start(user_id=ANN, now_ms=T0, issue=issue(number))
            steps = [
                (second.timers.pause, 1),
                (first.timers.resume, 2),
                (first.timers.pause, 4),
                (second.timers.resume, 5),
                (second.timers.stop, 9),
            ]
            for act, minute in steps:
                act(ANN, timer.ulid, now_ms=T0 + minute * MINUTE, by="manual", cause=f"c{minute}")
            seen = first.all_timers(ANN)
            assert seen == second.all_timers(ANN)
            assert (seen[0].status, seen[0].clock_ms) == (Status.STOPPED, 7 * MINUTE)

    def test_deliveries_to_both_versions_produce_the_timers_of_the_right_order(
        self, older: Version, present: Version
    ) -> None:
        deliveries = [
            ("assigned", 1, frozenset({ANN})),
            ("unassigned", 3, frozenset({ANN})),
            ("assigned", 5, frozenset({ANN})),
            ("closed", 9, None),
            ("reopened", 12, frozenset({ANN})),
        ]
        choices = random.Random(2026)
        for number in range(1, 13):
            for kind, minute, users in choices.sample(deliveries, len(deliveries)):
                at_ms = T0 + minute * MINUTE
                event = Event(f"{kind}-{minute}-{number}", kind, at_ms, users)
                choices.choice((older, present)).events.apply(event, issue(number), now_ms=at_ms)
        seen = older.all_timers(ANN)
        assert seen == present.all_timers(ANN)
        assert len(seen) == 24
        for timer in seen:
            if timer.status is Status.STOPPED:
                assert (timer.start_ms, timer.clock_ms) == (T0 + MINUTE, 6 * MINUTE)
            else:
                assert (timer.start_ms, timer.status) == (T0 + 12 * MINUTE, Status.RUNNING)

    def test_no_write_is_lost_or_refused_while_both_versions_write_and_a_migration_runs(
        self,
        older: Version,
        present: Version,
        table: Table,
        items: Callable[[], list[RawItem]],
    ) -> None:
        people = range(1_000, 1_008)
        acknowledged: dict[str, list[str]] = {}
        done = False

        def work(version: Version, name: str) -> None:
            choices = random.Random(name)
            for step in range(1, 80):
                user_id, now_ms = choices.choice(people), T0 + step * MINUTE
                timer, _ = version.timers.start(user_id=user_id, now_ms=now_ms, issue=issue(user_id))
                acknowledged.setdefault(timer.ulid, [])
                act = choices.choice((version.timers.pause, version.timers.resume, version.timers.stop))
                cause = f"{name}-{step}"
                try:
                    act(user_id, timer.ulid, now_ms=now_ms, by="manual", cause=cause)
                except TransitionNotAllowed:
                    # The request was refused, for example because the timer is already paused. Any other
                    # error fails the test.
                    continue
                acknowledged[timer.ulid].append(cause)

        def keep_migrating() -> int:
            written = 0
            while not done:
                written += migrate(table).written
            return written

        with ThreadPoolExecutor(3) as pool:
            migrating = pool.submit(keep_migrating)
            workers = [pool.submit(work, older, "older"), pool.submit(work, present, "present")]
            try:
                for worker in workers:
                    worker.result()
            finally:
                done = True
            assert migrating.result() > 0

        kept = {timer.ulid: timer for user_id in people for timer in present.all_timers(user_id)}
        assert kept.keys() == acknowledged.keys()
        for ulid, causes in acknowledged.items():
            timer = kept[ulid]
            assert set(causes) <= {transition.cause for transition in timer.history}
            assert timer.active_ms(timer.changed_ms) == _active_ms_by_history(timer)
        for user_id in people:
            still_open = [timer.ulid for timer in kept.values() if timer.user_id == user_id and timer.is_open]
            slot = table.get(issue_pk(issue(user_id)), user_pk(user_id)) or {}
            assert still_open == ([slot["open_ulid"]["S"]] if "open_ulid" in slot else [])

        migrate(table)
        open_items = [item for item in items() if "open_shard" in item]
        assert all(item["schema_version"]["N"] == str(TIMER_SCHEMA_VERSION) for item in open_items)
        assert all(item["end_key"]["S"] == end_key(int(item["start_ms"]["N"]), None) for item in open_items)
        assert migrate(table) == Migrated(seen=len(open_items), written=0)


def _active_ms_by_history(timer: Timer) -> int:
    """Return the active time up to the last change, derived only from the transitions."""
    active_ms, since_ms = 0, None
    for transition in timer.history:
        if transition.action in {Action.PAUSE, Action.STOP} and since_ms is not None:
            active_ms, since_ms = active_ms + transition.at_ms - since_ms, None
        elif transition.action is Action.RESUME or transition is timer.history[0]:
            since_ms = transition.at_ms
        if transition.action is Action.STOP:
            break
    return active_ms if since_ms is None else active_ms + timer.changed_ms - since_ms


class TestMigration:
    def test_migrated_timers_of_the_older_version_are_found_in_their_period(
        self, older: Version, present: Version, table: Table
    ) -> None:
        timer, _ = older.timers.start(user_id=ANN, now_ms=T0, issue=issue(7))
        later = Filters(period=Period(T0 + MINUTE, T0 + 2 * MINUTE))
        assert present.timers.page(ANN, later, page_size=10).timers == ()

        assert migrate(table) == Migrated(seen=1, written=1)
        (found,) = present.timers.page(ANN, later, page_size=10).timers
        assert found.ulid == timer.ulid

    def test_a_migration_changes_only_the_schema_version_and_derived_attributes(
        self, older: Version, table: Table, items: Callable[[], list[RawItem]]
    ) -> None:
        for number in range(1, 8):
            timer, _ = older.timers.start(user_id=ANN, now_ms=T0 + number, issue=issue(number))
            if number % 3:
                act = older.timers.pause if number % 3 == 1 else older.timers.stop
                act(ANN, timer.ulid, now_ms=T0 + MINUTE, by="manual", cause="c")
        before, seen = items(), older.all_timers(ANN)

        assert migrate(table) == Migrated(seen=5, written=5)
        migrated = [replace(timer, version=timer.version + 1) if timer.is_open else timer for timer in seen]
        assert older.all_timers(ANN) == migrated
        for old, new in zip(before, items(), strict=True):
            if "open_shard" not in old:
                assert new == old
                continue
            added = {
                "schema_version": {"N": str(TIMER_SCHEMA_VERSION)},
                "end_key": {"S": end_key(int(old["start_ms"]["N"]), None)},
                "version": {"N": str(int(old["version"]["N"]) + 1)},
            }
            assert new == {**old, **added}

    def test_a_migration_notes_that_a_start_has_moved(self, older: Version, table: Table) -> None:
        timer, _ = older.timers.start(user_id=ANN, now_ms=T0, issue=issue(7))
        older.timers.patch(ANN, timer.ulid, Patch(start_ms=T0 - MINUTE), now_ms=T0)
        # A version that has no use for it does not write it.
        table.write(update_calendar(ANN, [CalendarItem.has_moved_starts.remove()]))
        assert migrate(table) == Migrated(seen=1, written=1)
        assert StoredDays(table).state(ANN).has_moved_starts

    def test_after_a_rollback_and_a_second_upgrade_timers_are_migrated_again(
        self, older: Version, present: Version, table: Table, items: Callable[[], list[RawItem]]
    ) -> None:
        timer, _ = present.timers.start(user_id=ANN, now_ms=T0, issue=issue(7))
        # The older version writes a whole timer when a late event changes it.
        late = Event("d", "assigned", T0 - MINUTE, frozenset({ANN}))
        older.events.apply(late, issue(7), now_ms=T0 - MINUTE)
        (item,) = items()
        assert item["schema_version"]["N"] == "0"

        assert migrate(table) == Migrated(seen=1, written=1)
        (item,) = items()
        assert item["end_key"]["S"] == end_key(T0 - MINUTE, None)
        again = present.timers.get(ANN, timer.ulid)
        assert (again.start_ms, again.status) == (T0 - MINUTE, Status.RUNNING)


class TestALaterVersion:
    """During an update and after a rollback, the present version keeps data that a later version wrote."""

    KEPT: RawItem = {"estimate": {"M": {"hours": {"N": "8"}}}, "schema_version": {"N": "99"}}  # noqa: RUF012

    @pytest.fixture
    def ulid(self, store: TimerStore, dynamodb: str, table_name: str) -> str:
        timer, _ = store.start(user_id=ANN, now_ms=T0, issue=issue(7))
        connect(dynamodb).update_item(
            TableName=table_name,
            Key={"pk": {"S": user_pk(ANN)}, "sk": {"S": timer_sk(timer.ulid)}},
            UpdateExpression="SET estimate = :estimate, schema_version = :schema_version",
            ExpressionAttributeValues={
                ":estimate": self.KEPT["estimate"],
                ":schema_version": self.KEPT["schema_version"],
            },
        )
        return timer.ulid

    @pytest.mark.parametrize("way", ["manual", "event", "late-event", "swept", "moved", "many-transitions"])
    def test_unknown_attributes_of_a_timer_are_kept(
        self, ulid: str, way: str, store: TimerStore, events: IssueTimers, items: Callable[[], list[RawItem]]
    ) -> None:
        later_ms = T0 + 40 * 3_600_000
        match way:
            case "manual":
                store.pause(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="c1")
                store.resume(ANN, ulid, now_ms=T0 + 2 * MINUTE, by="manual", cause="c2")
                store.stop(ANN, ulid, now_ms=T0 + 3 * MINUTE, by="manual", cause="c3")
                store.patch(ANN, ulid, Patch(description="Corrected", start_ms=T0 - 1), now_ms=later_ms)
            case "event":
                events.apply(Event("d", "closed", T0 + MINUTE), issue(7), now_ms=later_ms)
            case "late-event":
                early = Event("d", "assigned", T0 - MINUTE, frozenset({ANN}))
                events.apply(early, issue(7), now_ms=later_ms)
            case "swept":
                store.expire(ANN, ulid, end_ms=T0 + 24 * 3_600_000, sign_ms=T0, now_ms=later_ms)
            case "moved":
                store.patch(ANN, ulid, Patch(issue=(issue(8),)), now_ms=later_ms)
            case _:
                for minute in range(1, 80):
                    act = store.pause if minute % 2 else store.resume
                    act(ANN, ulid, now_ms=T0 + minute * MINUTE, by="manual", cause=f"c{minute}")
        (item,) = items()
        assert item["estimate"] == self.KEPT["estimate"]

    def test_a_migration_does_not_change_timers_of_a_later_schema_version(
        self, ulid: str, table: Table, items: Callable[[], list[RawItem]]
    ) -> None:
        before = items()
        assert migrate(table) == Migrated(seen=1, written=0)
        assert items() == before
        assert before[0]["sk"]["S"] == timer_sk(ulid)

    def test_a_message_with_an_unknown_field_stays_in_the_queue(
        self, table: Table, store: TimerStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        known = to_json([IssueEvent("d1", "assigned", 1296269, "octocat/Hello-World", 7, T0, (ANN,))])
        later = known.replace('"type":"issue"', '"type":"issue","estimate":8').replace('"d1"', '"d2"')
        records = [
            {
                "messageId": f"m{number}",
                "receiptHandle": "r",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "eventSource": "aws:sqs",
            }
            for number, body in enumerate((later, known))
        ]
        queue = {"DELIVERY_QUEUE_URL": "http://127.0.0.1:9/queue", "TRACK_UNREGISTERED": "true"}
        with loaded("webhook.process", table.name, **queue) as process:
            response = process.handler({"Records": records}, Context())
        assert response == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
        (timer,) = store.page(ANN, Filters(), page_size=10).timers
        assert timer.history[0].cause == "d1"
        assert "unexpected keyword argument 'estimate'" in caplog.text
