"""Releases run side by side while one replaces the other, and after a rollback: nobody notices.

Lambda replaces its functions one after another, so for a while both write into one table.
"""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.connection import connect
from tests.support.gateway import Context
from tests.support.handlers import loaded
from tests.support.release import RELEASES, Refused, Release
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.replay import Fact
from timer_core.domain.timers import Action, Status, Timer
from timer_core.github.messages import IssueEvent, to_json
from timer_core.store.facts import FactStore
from timer_core.store.items import TIMER_SHAPE, issue_pk, timer_sk, user_pk
from timer_core.store.migration import Migrated, migrate
from timer_core.store.queries import Filters
from timer_core.store.table import RawItem, Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

VERSIONS = sorted(path.stem.removeprefix("timer_core-") for path in RELEASES.glob("*.zip"))
# Far ahead, so that no back end takes what the tests keep for expired (TTL).
T0 = 4_000_000_000_000
MINUTE = 60_000
ANN = 21031067


@pytest.fixture
def store(table: Table) -> TimerStore:
    return TimerStore(table)


@pytest.fixture
def facts(table: Table, store: TimerStore) -> FactStore:
    return FactStore(table, store)


@pytest.fixture(params=VERSIONS)
def former(request: pytest.FixtureRequest, table_name: str) -> Iterator[Release]:
    with Release(request.param, table_name) as release:
        assert RELEASES.name in release.ask("where")
        yield release


@pytest.fixture
def present(table_name: str) -> Iterator[Release]:
    with Release(None, table_name) as release:
        assert RELEASES.name not in release.ask("where")
        yield release


@pytest.fixture
def items(dynamodb: str, table_name: str) -> Callable[[], list[RawItem]]:
    """Return the items of all timers, as they are stored."""

    def stored() -> list[RawItem]:
        found = connect(dynamodb).scan(TableName=table_name, ConsistentRead=True)["Items"]
        return [item for item in found if "clock_ms" in item]

    return stored


def issue(number: int, repo: str = "Hello-World") -> Issue:
    return Issue("octocat", repo, number)


class TestSideBySide:
    def test_each_reads_and_goes_on_with_what_the_other_wrote(
        self, former: Release, present: Release
    ) -> None:
        for number, (first, second) in enumerate([(former, present), (present, former)], start=1):
            timer = first.ask("start", user_id=ANN, number=number, now_ms=T0)
            steps = [
                (second, "pause", 1),
                (first, "resume", 2),
                (first, "pause", 4),
                (second, "resume", 5),
                (second, "stop", 9),
            ]
            for release, action, minute in steps:
                release.ask(
                    "change",
                    action=action,
                    user_id=ANN,
                    ulid=timer["ulid"],
                    now_ms=T0 + minute * MINUTE,
                    cause=f"c{minute}",
                )
            seen = first.ask("timers", user_id=ANN)
            assert seen == second.ask("timers", user_id=ANN)
            assert (seen[0]["status"], seen[0]["clock_ms"]) == ("stopped", 7 * MINUTE)

    def test_deliveries_shared_among_both_end_with_the_timers_of_the_right_order(
        self, former: Release, present: Release
    ) -> None:
        told = [
            ("assigned", 1, [ANN]),
            ("unassigned", 3, [ANN]),
            ("assigned", 5, [ANN]),
            ("closed", 9, None),
            ("reopened", 12, [ANN]),
        ]
        choices = random.Random(2026)
        for number in range(1, 13):
            for kind, minute, users in choices.sample(told, len(told)):
                choices.choice((former, present)).ask(
                    "deliver",
                    delivery=f"{kind}-{minute}-{number}",
                    kind=kind,
                    number=number,
                    at_ms=T0 + minute * MINUTE,
                    users=users,
                )
        seen = former.ask("timers", user_id=ANN)
        assert seen == present.ask("timers", user_id=ANN)
        assert len(seen) == 24
        for timer in seen:
            if timer["status"] == "stopped":
                assert (timer["start_ms"], timer["clock_ms"]) == (T0 + MINUTE, 6 * MINUTE)
            else:
                assert (timer["start_ms"], timer["status"]) == (T0 + 12 * MINUTE, "running")

    def test_both_write_and_the_timers_are_migrated_at_once_and_nothing_is_lost_or_refused(
        self,
        former: Release,
        present: Release,
        table: Table,
        store: TimerStore,
        items: Callable[[], list[RawItem]],
    ) -> None:
        people = range(1_000, 1_008)
        acknowledged: dict[str, list[str]] = {}
        refusals: list[str] = []
        done = False

        def work(release: Release, name: str) -> None:
            choices = random.Random(name)
            for step in range(1, 80):
                user_id, now_ms = choices.choice(people), T0 + step * MINUTE
                timer = release.ask("start", user_id=user_id, number=user_id, now_ms=now_ms)
                acknowledged.setdefault(timer["ulid"], [])
                action, cause = choices.choice(("pause", "resume", "stop")), f"{name}-{step}"
                try:
                    release.ask(
                        "change",
                        action=action,
                        user_id=user_id,
                        ulid=timer["ulid"],
                        now_ms=now_ms,
                        cause=cause,
                    )
                except Refused as refused:
                    refusals.append(str(refused))
                else:
                    acknowledged[timer["ulid"]].append(cause)

        def keep_migrating() -> int:
            written = 0
            while not done:
                written += migrate(table).written
            return written

        with ThreadPoolExecutor(3) as pool:
            migrating = pool.submit(keep_migrating)
            workers = [pool.submit(work, former, "former"), pool.submit(work, present, "present")]
            try:
                for worker in workers:
                    worker.result()
            finally:
                done = True
            assert migrating.result() > 0

        # Refused was only what another request had made impossible, such as pausing what is paused.
        assert set(refusals) <= {"TransitionNotAllowed"}
        kept = {
            timer.ulid: timer
            for user_id in people
            for timer in store.page(user_id, Filters(), page_size=100).timers
        }
        assert kept.keys() == acknowledged.keys()
        for ulid, causes in acknowledged.items():
            timer = kept[ulid]
            assert set(causes) <= {transition.cause for transition in timer.history}
            assert timer.snapshot is None
            assert timer.active_ms(timer.changed_ms) == _active_ms_as_told(timer)
        for user_id in people:
            still_open = [timer.ulid for timer in kept.values() if timer.user_id == user_id and timer.is_open]
            slot = table.get(issue_pk(issue(user_id)), user_pk(user_id)) or {}
            assert still_open == ([slot["open_ulid"]["S"]] if "open_ulid" in slot else [])

        migrate(table)
        open_items = [item for item in items() if "open_shard" in item]
        assert all(item["shape"]["N"] == str(TIMER_SHAPE) for item in open_items)
        assert all(item["open_repo"]["S"] == "octocat/hello-world" for item in open_items)
        assert migrate(table) == Migrated(seen=len(open_items), written=0)


def _active_ms_as_told(timer: Timer) -> int:
    """Return the active time up to the last change, as the transitions alone tell it."""
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
    @pytest.fixture(params=["0.1.0"])
    def former(self, request: pytest.FixtureRequest, table_name: str) -> Iterator[Release]:
        with Release(request.param, table_name) as release:
            yield release

    def test_timers_of_the_old_shape_follow_a_renamed_repository_once_they_are_migrated(
        self, former: Release, table: Table, store: TimerStore, facts: FactStore
    ) -> None:
        timer = former.ask("start", user_id=ANN, number=7, now_ms=T0)
        rename = [Move(f"d{i}", issue(1), issue(1, "Hello"), T0 + i, T0 + i) for i in (1, 2)]
        assert facts.move_repository(rename[0], now_ms=T0 + MINUTE) == []

        assert migrate(table) == Migrated(seen=1, written=1)
        (moved,) = facts.move_repository(rename[1], now_ms=T0 + MINUTE)
        assert moved.ulid == timer["ulid"]
        assert store.get(ANN, moved.ulid).issue == issue(7, "Hello")

    def test_it_changes_nothing_but_the_shape(
        self, former: Release, table: Table, items: Callable[[], list[RawItem]]
    ) -> None:
        for number in range(1, 8):
            timer = former.ask("start", user_id=ANN, number=number, now_ms=T0 + number)
            if number % 3:
                former.ask(
                    "change",
                    action=("", "pause", "stop")[number % 3],
                    user_id=ANN,
                    ulid=timer["ulid"],
                    now_ms=T0 + MINUTE,
                    cause="c",
                )
        before, seen = items(), former.ask("timers", user_id=ANN)

        assert migrate(table) == Migrated(seen=5, written=5)
        assert former.ask("timers", user_id=ANN) == seen
        for old, new in zip(_sorted(before), _sorted(items()), strict=True):
            if "open_shard" not in old:
                assert new == old
                continue
            added = {
                "shape": {"N": "2"},
                "open_repo": old["repo_key"],
                "version": {"N": str(int(old["version"]["N"]) + 1)},
            }
            assert {**new, "causes": set(new["causes"]["SS"])} == {
                **old,
                **added,
                "causes": set(old["causes"]["SS"]),
            }

    @pytest.mark.parametrize("way", ["by-hand", "told"])
    def test_a_place_that_was_taken_again_after_a_rollback_does_not_expire_any_more(
        self, former: Release, table: Table, store: TimerStore, way: str
    ) -> None:
        timer, _ = store.start(user_id=ANN, now_ms=T0, issue=issue(7))
        store.stop(ANN, timer.ulid, now_ms=T0 + MINUTE, by="manual", cause="c")
        if way == "by-hand":
            former.ask("start", user_id=ANN, number=7, now_ms=T0 + 2 * MINUTE)
        else:
            former.ask("deliver", delivery="d", kind="assigned", number=7, at_ms=T0 + 2 * MINUTE, users=[ANN])
        key = (issue_pk(issue(7)), user_pk(ANN))
        assert "expires_at" in (before := table.get(*key) or {})

        assert migrate(table) == Migrated(seen=1, written=1)
        assert table.get(*key) == {name: value for name, value in before.items() if name != "expires_at"}

    def test_after_a_rollback_and_a_second_upgrade_they_are_migrated_again(
        self, former: Release, table: Table, store: TimerStore, items: Callable[[], list[RawItem]]
    ) -> None:
        timer, _ = store.start(user_id=ANN, now_ms=T0, issue=issue(7))
        # The release before writes a timer as a whole when something that was told late changes it.
        former.ask("deliver", delivery="d", kind="assigned", number=7, at_ms=T0 - MINUTE, users=[ANN])
        (item,) = items()
        assert "shape" not in item

        assert migrate(table) == Migrated(seen=1, written=1)
        (item,) = items()
        assert item["open_repo"]["S"] == "octocat/hello-world"
        again = store.get(ANN, timer.ulid)
        assert (again.start_ms, again.status) == (T0 - MINUTE, Status.RUNNING)


def _sorted(items: list[RawItem]) -> list[RawItem]:
    return sorted(items, key=lambda item: str(item["sk"]["S"]))


class TestALaterRelease:
    """What it will write, this release must not destroy: functions lag behind, and are rolled back."""

    KEPT: RawItem = {"estimate": {"M": {"hours": {"N": "8"}}}, "shape": {"N": "99"}}  # noqa: RUF012

    @pytest.fixture
    def ulid(self, store: TimerStore, dynamodb: str, table_name: str) -> str:
        timer, _ = store.start(user_id=ANN, now_ms=T0, issue=issue(7))
        connect(dynamodb).update_item(
            TableName=table_name,
            Key={"pk": {"S": user_pk(ANN)}, "sk": {"S": timer_sk(timer.ulid)}},
            UpdateExpression="SET estimate = :estimate, shape = :shape",
            ExpressionAttributeValues={
                ":estimate": self.KEPT["estimate"],  # type: ignore[dict-item]
                ":shape": self.KEPT["shape"],  # type: ignore[dict-item]
            },
        )
        return timer.ulid

    @pytest.mark.parametrize("way", ["by-hand", "told", "late", "forgotten", "moved", "shortened"])
    def test_what_it_keeps_with_a_timer_stays(
        self, ulid: str, way: str, store: TimerStore, facts: FactStore, items: Callable[[], list[RawItem]]
    ) -> None:
        later_ms = T0 + 40 * 3_600_000
        match way:
            case "by-hand":
                store.pause(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="c1")
                store.resume(ANN, ulid, now_ms=T0 + 2 * MINUTE, by="manual", cause="c2")
                store.stop(ANN, ulid, now_ms=T0 + 3 * MINUTE, by="manual", cause="c3")
                store.patch(ANN, ulid, Patch(description="Corrected", start_ms=T0 - 1), now_ms=later_ms)
            case "told":
                facts.apply(Fact("d", "closed", T0 + MINUTE), issue(7), now_ms=later_ms)
            case "late":
                early = Fact("d", "assigned", T0 - MINUTE, frozenset({ANN}))
                facts.apply(early, issue(7), now_ms=later_ms)
            case "forgotten":
                store.expire(ANN, ulid, limit_ms=24 * 3_600_000, now_ms=later_ms, by="sweeper")
            case "moved":
                store.patch(ANN, ulid, Patch(issue=(issue(8),)), now_ms=later_ms)
            case _:
                for minute in range(1, 80):
                    act = store.pause if minute % 2 else store.resume
                    act(ANN, ulid, now_ms=T0 + minute * MINUTE, by="manual", cause=f"c{minute}")
        (item,) = items()
        assert item["estimate"] == self.KEPT["estimate"]

    def test_a_migration_leaves_what_is_of_a_later_shape(
        self, ulid: str, table: Table, items: Callable[[], list[RawItem]]
    ) -> None:
        before = items()
        assert migrate(table) == Migrated(seen=1, written=0)
        assert items() == before
        assert before[0]["sk"]["S"] == timer_sk(ulid)

    def test_a_message_with_more_than_this_one_understands_waits_in_the_queue(
        self, table: Table, store: TimerStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        known = to_json([IssueEvent("d1", "assigned", "octocat/Hello-World", 7, T0, (ANN,))])
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
            answer = process.handler({"Records": records}, Context())
        assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
        (timer,) = store.page(ANN, Filters(), page_size=10).timers
        assert timer.history[0].cause == "d1"
        assert "unexpected keyword argument 'estimate'" in caplog.text
