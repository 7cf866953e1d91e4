"""Deliveries around what people moved by hand, and requests around clocks that do not agree."""

from dataclasses import dataclass
from itertools import count

import pytest

from timer_core.domain.errors import IdempotencyKeyReused
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Event
from timer_core.domain.timers import Status, Timer
from timer_core.store.events import EventStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

# Far ahead, so that no back end takes what the tests keep for expired (TTL).
T0 = 4_000_000_000_000
SECOND = 1_000
_numbers = count(1)


@dataclass
class Desk:
    """One person with two issues of their own."""

    store: TimerStore
    event_store: EventStore
    user_id: int
    here: Issue
    there: Issue

    def start(self, issue: Issue, at: float) -> str:
        return self.store.start(user_id=self.user_id, now_ms=moment(at), issue=issue)[0].ulid

    def stop(self, ulid: str, at: float) -> Timer:
        return self.store.stop(self.user_id, ulid, now_ms=moment(at), by="manual", cause=f"stop-{at}")

    def move(self, ulid: str, issue: Issue, at: float) -> None:
        self.store.patch(self.user_id, ulid, Patch(issue=(issue,)), now_ms=moment(at))

    def deliver(self, kind: str, issue: Issue, at: float) -> None:
        users = None if kind == "closed" else frozenset({self.user_id})
        self.event_store.apply(Event(f"{kind}-{at}", kind, moment(at), users), issue, now_ms=moment(at + 1))

    def get(self, ulid: str) -> Timer:
        return self.store.get(self.user_id, ulid)


def moment(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


@pytest.fixture
def desk(shared_table: Table) -> Desk:
    number = next(_numbers)
    store = TimerStore(shared_table)
    here, there = (Issue("octocat", "Hello-World", 2 * number + n) for n in range(2))
    return Desk(store, EventStore(shared_table, store), number, here, there)


def test_a_timer_that_was_moved_to_where_an_older_one_ended_follows_the_events_there(desk: Desk) -> None:
    moved = desk.start(desk.here, 0)
    ended = desk.stop(desk.start(desk.there, 5), 15)
    desk.move(moved, desk.there, 20)
    desk.deliver("unassigned", desk.there, 30)
    timer = desk.get(moved)
    assert (timer.status, timer.clock_ms) == (Status.PAUSED, 30 * SECOND)
    assert desk.get(ended.ulid) == ended


def test_what_happened_on_an_issue_before_a_timer_was_moved_there_does_not_touch_it(desk: Desk) -> None:
    moved = desk.start(desk.here, 0)
    desk.deliver("closed", desk.there, 10)
    desk.move(moved, desk.there, 20)
    desk.deliver("assigned", desk.there, 30)
    timer = desk.get(moved)
    assert (timer.status, timer.active_ms(moment(40))) == (Status.RUNNING, 40 * SECOND)
    desk.deliver("closed", desk.there, 50)
    assert desk.get(moved).clock_ms == 50 * SECOND


def test_a_timer_started_on_a_machine_whose_clock_is_behind_follows_the_next_events(desk: Desk) -> None:
    ended = desk.stop(desk.start(desk.here, 1.0), 1.0)
    started = desk.start(desk.here, 0.95)
    desk.deliver("unassigned", desk.here, 2)
    assert (desk.get(started).status, desk.get(started).clock_ms) == (Status.PAUSED, 1_050)
    assert desk.get(ended.ulid) == ended


def test_a_key_says_that_its_request_made_the_timer_while_that_is_open(desk: Desk) -> None:
    key = Idempotency("k" * 32, "r" * 32)
    first, again = (
        desk.store.start(user_id=desk.user_id, now_ms=T0, issue=desk.here, idempotency=key) for _ in range(2)
    )
    assert again == first
    other = Idempotency("k" * 32, "other")
    with pytest.raises(IdempotencyKeyReused):
        desk.store.start(user_id=desk.user_id, now_ms=T0, issue=desk.here, idempotency=other)
