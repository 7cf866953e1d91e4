"""Stopping stale timers, on Amazon's DynamoDB Local."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.account_deletion import delete_account
from tests.support.connection import connect
from tests.support.gateway import Context, ExpiringContext
from tests.support.handlers import loaded
from timer_core.clock import now_ms
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DayException, local_date
from timer_core.domain.timers import Timer
from timer_core.store.account_deletion import PendingDeletion
from timer_core.store.calendars import lower_dirty
from timer_core.store.derived_days import stored_until
from timer_core.store.keys import OPEN_SHARDS, PENDING_DELETIONS_PK, PEOPLE_PK
from timer_core.store.people import PeopleStore, Person
from timer_core.store.queries import Filters
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.tokens import TokenStore
from timer_core.store.writes import Patch

HOUR = 3_600_000
_people = count(21_031_067, 100)
NOTHING = {
    "dry_run": False,
    "stale": 0,
    "stopped": 0,
    "failed": 0,
    "redelivery": None,
    "reconcile": None,
    "lead_teams": None,
    "complete": True,
}


@dataclass
class Sweeper:
    module: ModuleType
    store: TimerStore
    now_ms: int
    ann: int = field(default_factory=lambda: next(_people))

    def run(self, event: dict[str, Any] | None = None, context: Context | None = None) -> dict[str, Any]:
        summary: dict[str, Any] = self.module.handler(event or {}, context or Context())
        return summary

    def started(self, hours_ago: float, number: int = 1) -> Timer:
        """Start a timer of the person with this number."""
        at_ms = self.now_ms - round(hours_ago * HOUR)
        timer, _ = self.store.start(
            user_id=self.ann + number - 1, now_ms=at_ms, issue=Issue("octocat", "Hello-World", number)
        )
        return timer

    def seen(self, timer: Timer) -> Timer:
        return self.store.get(timer.user_id, timer.ulid)


@pytest.fixture(scope="module")
def module(shared_table: Table) -> Iterator[ModuleType]:
    with loaded("stale_sweeper.sweep", shared_table.name) as module:
        yield module


@pytest.fixture
def sweeper(module: ModuleType, shared_table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeper]:
    """The sweeper on a table without open timers."""
    now = now_ms()
    monkeypatch.setattr(module, "now_ms", lambda: now)
    store = TimerStore(shared_table)
    yield Sweeper(module, store, now)
    for timer in list(store.open_timers()):
        store.delete(timer.user_id, timer.ulid, now_ms=now)
    for pk in (PEOPLE_PK, PENDING_DELETIONS_PK):
        for item in list(shared_table.query_all(pk)):
            shared_table.write(Write("Delete", pk, item["sk"]["S"]))


def test_without_open_timers_nothing_happens(sweeper: Sweeper) -> None:
    assert sweeper.run() == NOTHING


def test_a_timer_at_the_limit_keeps_running(sweeper: Sweeper) -> None:
    timers = [sweeper.started(24, 1), sweeper.started(0.5, 2)]
    assert sweeper.run() == NOTHING
    assert all(sweeper.seen(timer) == timer for timer in timers)


def test_a_stale_timer_stops_at_the_limit(sweeper: Sweeper) -> None:
    timer = sweeper.started(100)
    assert sweeper.run() == NOTHING | {"stale": 1, "stopped": 1}
    ended = sweeper.seen(timer)
    assert (ended.status, ended.stopped_by, ended.source) == ("stopped", "sweeper", "manual")
    assert ended.end_ms == timer.start_ms + 24 * HOUR
    assert (ended.clock_ms, ended.paused_ms) == (24 * HOUR, 0)


def test_a_sign_of_life_moves_the_stop_to_a_later_time(sweeper: Sweeper) -> None:
    timer = sweeper.started(100)
    sweeper.store.pause(sweeper.ann, timer.ulid, now_ms=timer.start_ms + HOUR, by="manual", cause="a")
    sweeper.store.resume(sweeper.ann, timer.ulid, now_ms=timer.start_ms + 11 * HOUR, by="manual", cause="b")
    sweeper.run()
    ended = sweeper.seen(timer)
    assert ended.end_ms == timer.start_ms + 35 * HOUR
    assert (ended.clock_ms, ended.paused_ms) == (25 * HOUR, 10 * HOUR)


def test_a_paused_timer_is_never_stale(sweeper: Sweeper) -> None:
    timer = sweeper.started(1000)
    sweeper.store.pause(sweeper.ann, timer.ulid, now_ms=timer.start_ms + 3 * HOUR, by="unassigned", cause="a")
    assert sweeper.run() == NOTHING


def test_a_timer_that_waits_for_the_focus_is_not_stale(sweeper: Sweeper) -> None:
    focused = sweeper.started(40)
    waiting, _ = sweeper.store.start(user_id=sweeper.ann, now_ms=sweeper.now_ms - 50 * HOUR)
    sweeper.run()
    assert sweeper.seen(focused).end_ms == focused.start_ms + 24 * HOUR
    # It counted for ten hours before the other one got the focus, and again after the other one had ended.
    assert sweeper.seen(waiting).end_ms == waiting.start_ms + 48 * HOUR


class TestLaterKnowledge:
    """A stop is undone if the timeline, as it is known later, has another stale end or none."""

    @pytest.fixture
    def stopped(self, sweeper: Sweeper) -> Timer:
        """A timer that was stopped at the limit, 76 hours ago."""
        timer = sweeper.started(100)
        sweeper.run()
        assert sweeper.seen(timer).end_ms == timer.start_ms + 24 * HOUR
        return timer

    def focused(self, sweeper: Sweeper, since: float, until: float) -> None:
        """Add a timer that had the focus for some hours, of which an offline action reports late."""
        start_ms = sweeper.now_ms - round(since * HOUR)
        other, _ = sweeper.store.start(user_id=sweeper.ann, now_ms=sweeper.now_ms, at_ms=start_ms)
        at_ms = sweeper.now_ms - round(until * HOUR)
        sweeper.store.stop(
            sweeper.ann, other.ulid, now_ms=sweeper.now_ms, by="manual", cause="x", at_ms=at_ms
        )

    @pytest.mark.parametrize("stored", [False, True])
    def test_a_timer_that_waited_for_another_one_ends_later(
        self, sweeper: Sweeper, stopped: Timer, stored: bool
    ) -> None:
        self.focused(sweeper, 90, 80)
        if stored:
            sweeper.module.timesheets.refresh(sweeper.ann, now_ms=sweeper.now_ms)
        sweeper.run()
        assert sweeper.seen(stopped).end_ms == stopped.start_ms + 34 * HOUR
        before = sweeper.seen(stopped)
        assert sweeper.run() == NOTHING
        assert sweeper.seen(stopped) == before

    def test_a_timer_that_has_waited_since_is_open_again(self, sweeper: Sweeper, stopped: Timer) -> None:
        other, _ = sweeper.store.start(
            user_id=sweeper.ann, now_ms=sweeper.now_ms, at_ms=sweeper.now_ms - 90 * HOUR
        )
        for hours in (70, 50, 30, 10):
            at_ms = sweeper.now_ms - hours * HOUR
            sweeper.store.focus(sweeper.ann, other.ulid, now_ms=at_ms, cause=f"{hours}", at_ms=at_ms)
        assert sweeper.run() == NOTHING
        found = sweeper.seen(stopped)
        assert (found.status, found.end_ms, found.history) == ("running", None, stopped.history)
        again, created = sweeper.store.start(user_id=sweeper.ann, now_ms=sweeper.now_ms, issue=stopped.issue)
        assert (again.ulid, created) == (stopped.ulid, False)

    def test_a_timer_without_an_issue_ends_later(self, sweeper: Sweeper) -> None:
        timer, _ = sweeper.store.start(user_id=sweeper.ann, now_ms=sweeper.now_ms - 100 * HOUR)
        sweeper.run()
        self.focused(sweeper, 90, 80)
        sweeper.run()
        assert sweeper.seen(timer).end_ms == timer.start_ms + 34 * HOUR

    def test_other_working_hours_move_the_end(self, sweeper: Sweeper, stopped: Timer) -> None:
        day_off = local_date("UTC", stopped.start_ms + 12 * HOUR)
        sweeper.module.timesheets._calendars.change(
            sweeper.ann, lambda own: own.with_exceptions({day_off: DayException()}), now_ms=sweeper.now_ms
        )
        sweeper.run()
        assert (sweeper.seen(stopped).end_ms or 0) > stopped.start_ms + 24 * HOUR

    def test_a_corrected_end_stays(self, sweeper: Sweeper, stopped: Timer) -> None:
        end_ms = stopped.start_ms + 23 * HOUR
        sweeper.store.patch(sweeper.ann, stopped.ulid, Patch(end_ms=end_ms), now_ms=sweeper.now_ms)
        self.focused(sweeper, 90, 80)
        sweeper.run()
        assert sweeper.seen(stopped).end_ms == end_ms


def test_a_sweep_stores_the_days_of_timers_that_run_on(sweeper: Sweeper, shared_table: Table) -> None:
    sweeper.started(200, 77)
    days = StoredDays(shared_table)
    assert days.state(sweeper.ann + 76).stored_until_ms == 0
    sweeper.run({"dry_run": True})
    assert days.state(sweeper.ann + 76).stored_until_ms == 0
    sweeper.run()
    assert days.state(sweeper.ann + 76).valid_until_ms == stored_until(sweeper.now_ms)


def test_a_sweep_stores_days_that_are_behind(sweeper: Sweeper, shared_table: Table) -> None:
    timer = sweeper.started(200, 78)
    sweeper.run()
    days, user_id = StoredDays(shared_table), timer.user_id
    shared_table.write(lower_dirty(user_id, timer.start_ms))
    assert not days.state(user_id).is_valid
    sweeper.run()
    assert days.state(user_id).is_valid


@pytest.mark.parametrize("dry_run", [True, False])
def test_every_sweep_but_a_dry_run_finishes_account_deletions(
    sweeper: Sweeper, shared_table: Table, dry_run: bool
) -> None:
    people, leaving = PeopleStore(shared_table), sweeper.module.account_deletion
    people.register(sweeper.ann, "ann", now_ms=sweeper.now_ms)
    TokenStore(shared_table).mint(Person(sweeper.ann, "ann"), name="kept", now_ms=sweeper.now_ms)
    delete_account(leaving, sweeper.ann, now_ms=sweeper.now_ms, has_time=lambda: False)
    timer = sweeper.started(1)
    summary = sweeper.run({"stop_stale": False, "redeliver": False, "dry_run": dry_run})
    assert summary == NOTHING | {"dry_run": dry_run}
    found = sweeper.store.page(sweeper.ann, Filters(), page_size=100).timers
    assert (timer.ulid in {one.ulid for one in found}) is dry_run
    assert len(list(leaving.pending_deletions())) == 1


def test_a_failed_account_deletion_does_not_block_others_and_is_retried(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leaving = sweeper.module.account_deletion
    for user_id in (sweeper.ann, sweeper.ann + 1):
        delete_account(leaving, user_id, now_ms=sweeper.now_ms - HOUR)
    finish = leaving.finish

    def fail_for_ann(pending: PendingDeletion, **options: Any) -> bool:
        if pending.user_id == sweeper.ann:
            raise ConnectionError
        done: bool = finish(pending, **options)
        return done

    monkeypatch.setattr(leaving, "finish", fail_for_ann)
    assert sweeper.run()["complete"]
    assert [pending.user_id for pending in leaving.pending_deletions()] == [sweeper.ann]
    assert '"SweepFailures":[1.0]' in capsys.readouterr().out
    monkeypatch.setattr(leaving, "finish", finish)
    sweeper.run()
    assert list(leaving.pending_deletions()) == []


def test_the_summary_survives_unreadable_account_deletions(
    sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweeper.started(100)

    def fail() -> Iterator[PendingDeletion]:
        raise ConnectionError
        yield

    monkeypatch.setattr(sweeper.module.account_deletion, "pending_deletions", fail)
    assert sweeper.run() == NOTHING | {"stale": 1, "stopped": 1, "complete": False}
    assert '"SweepFailures":[1.0]' in capsys.readouterr().out


def test_without_time_account_deletions_wait_for_the_next_run(sweeper: Sweeper) -> None:
    leaving = sweeper.module.account_deletion
    delete_account(leaving, sweeper.ann, now_ms=sweeper.now_ms - HOUR)
    assert not sweeper.run({"stop_stale": False}, Context(remaining_ms=0))["complete"]
    assert len(list(leaving.pending_deletions())) == 1
    assert sweeper.run({"stop_stale": False}) == NOTHING
    assert list(leaving.pending_deletions()) == []


def test_a_swept_issue_can_be_started_again(sweeper: Sweeper) -> None:
    timer = sweeper.started(100)
    sweeper.run()
    assert sweeper.started(0).ulid != timer.ulid


def test_a_second_run_changes_nothing(sweeper: Sweeper) -> None:
    timer = sweeper.started(100)
    sweeper.run()
    ended = sweeper.seen(timer)
    assert sweeper.run() == NOTHING
    assert sweeper.seen(timer) == ended


def test_a_stopped_timer_does_not_change(sweeper: Sweeper) -> None:
    timer = sweeper.started(100)
    stopped = sweeper.store.stop(
        sweeper.ann, timer.ulid, now_ms=timer.start_ms + HOUR, by="manual", cause="a"
    )
    assert sweeper.run() == NOTHING
    assert sweeper.seen(timer) == stopped


def test_timers_of_every_shard_and_without_an_issue_are_found(sweeper: Sweeper) -> None:
    for number in range(8 * OPEN_SHARDS):
        sweeper.store.start(user_id=sweeper.ann + number, now_ms=sweeper.now_ms - 100 * HOUR)
    assert sweeper.run() == NOTHING | {"stale": 64, "stopped": 64}
    assert sweeper.run() == NOTHING


class TestOptions:
    def test_the_sample_event_is_a_dry_run(self, sweeper: Sweeper) -> None:
        event = json.loads((Path(__file__).parents[2] / "events" / "StaleSweeperFunction.json").read_text())
        assert sweeper.run(event)["dry_run"] is True

    def test_a_dry_run_counts_and_changes_nothing(self, sweeper: Sweeper) -> None:
        timer = sweeper.started(100)
        assert sweeper.run({"dry_run": True}) == NOTHING | {"dry_run": True, "stale": 1}
        assert sweeper.seen(timer) == timer

    def test_stopping_can_be_disabled(self, sweeper: Sweeper) -> None:
        timer = sweeper.started(100)
        assert sweeper.run({"stop_stale": False}) == NOTHING
        assert sweeper.seen(timer) == timer

    @pytest.mark.parametrize(
        "event",
        [
            {"dry_run": "true"},
            {"dry_run": 1},
            {"dry_run": None},
            {"stop_stale": "no"},
            {"resume": "yes"},
            {"stale_after_hours": 1},
            {"dryrun": True},
        ],
    )
    def test_an_invalid_option_is_refused_and_changes_nothing(
        self, sweeper: Sweeper, event: dict[str, Any]
    ) -> None:
        timer = sweeper.started(100)
        with pytest.raises(InvalidInput) as refused:
            sweeper.run(event)
        assert refused.value.field in event
        assert sweeper.seen(timer) == timer


class TestTimeLimit:
    def test_the_next_run_stops_the_remaining_timers(self, sweeper: Sweeper) -> None:
        for number in range(1, 31):
            sweeper.started(100, number)
        first = sweeper.run(context=ExpiringContext(readings=3))
        assert first == NOTHING | {"stale": 16, "stopped": 16, "complete": False}
        assert sweeper.run() == NOTHING | {"stale": 14, "stopped": 14}
        assert sweeper.run() == NOTHING

    def test_the_number_of_stale_timers_is_that_of_all_parts_of_a_sweep(
        self, sweeper: Sweeper, module: ModuleType
    ) -> None:
        for number in range(1, 31):
            sweeper.started(100, number)
        sweeper.run(context=ExpiringContext(readings=3))
        assert module.health.read(now_ms=sweeper.now_ms).stale_timers == 16
        sweeper.run()
        assert module.health.read(now_ms=sweeper.now_ms).stale_timers == 30
        sweeper.run()
        assert module.health.read(now_ms=sweeper.now_ms).stale_timers == 0

    def test_a_run_with_resume_continues_the_unfinished_work(self, sweeper: Sweeper) -> None:
        hourly = {"stop_stale": False, "stop_closed": False, "redeliver": False, "resume": True}
        for number in range(1, 12):
            sweeper.started(100, number)
        assert sweeper.run(hourly) == NOTHING
        assert sweeper.run(context=ExpiringContext(readings=2))["complete"] is False
        assert sweeper.run({"dry_run": True}) == NOTHING | {"dry_run": True, "stale": 3}
        assert sweeper.run(hourly | {"resume": False}) == NOTHING
        assert sweeper.run(hourly) == NOTHING | {"stale": 3, "stopped": 3}
        sweeper.started(100, 12)
        assert sweeper.run(hourly) == NOTHING

    def test_without_time_no_timer_is_stopped(self, sweeper: Sweeper) -> None:
        timer = sweeper.started(100)
        assert sweeper.run(context=Context(remaining_ms=14_000)) == NOTHING | {"complete": False}
        assert sweeper.seen(timer) == timer


def test_a_timer_that_cannot_be_stopped_does_not_block_others(
    sweeper: Sweeper, shared_table: Table, dynamodb: str
) -> None:
    """The sweeper stops the other timers, and retries the failed one in the next run."""
    damaged, sound = sweeper.started(100, 1), sweeper.started(100, 2)
    history = damage(dynamodb, shared_table, damaged, [{"S": "unreadable"}])
    assert sweeper.run() == NOTHING | {"stale": 1, "stopped": 1, "failed": 1}
    assert sweeper.seen(sound).status == "stopped"
    damage(dynamodb, shared_table, damaged, history)
    assert sweeper.run() == NOTHING | {"stale": 1, "stopped": 1}


def damage(dynamodb: str, table: Table, timer: Timer, history: list[Any]) -> list[Any]:
    """Replace the history in a timer's item, and return the previous one."""
    answer = connect(dynamodb).update_item(
        TableName=table.name,
        Key={"pk": {"S": f"user#{timer.user_id}"}, "sk": {"S": f"timer#{timer.ulid}"}},
        UpdateExpression="SET history = :history",
        ExpressionAttributeValues={":history": {"L": history}},
        ReturnValues="UPDATED_OLD",
    )
    return list(answer["Attributes"]["history"]["L"])
