"""Events for manually moved timers, and requests to machines whose clocks differ."""

from dataclasses import dataclass
from itertools import count

import pytest

from tests.support.repositories import identified
from timer_core.domain.errors import IdempotencyKeyReused
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.state import Status
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
SECOND = 1_000
_numbers = count(1)


@dataclass
class TwoSlots:
    """One person's slots on two new issues."""

    store: TimerStore
    issue_timers: IssueTimers
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
        self.issue_timers.apply(Event(f"{kind}-{at}", kind, moment(at), users), issue, now_ms=moment(at + 1))

    def get(self, ulid: str) -> Timer:
        return self.store.get(self.user_id, ulid)


def moment(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


@pytest.fixture
def slots(shared_table: Table) -> TwoSlots:
    number = next(_numbers)
    store = TimerStore(shared_table)
    here, there = (identified(Issue("octocat", "Hello-World", 2 * number + n)) for n in range(2))
    return TwoSlots(store, IssueTimers(shared_table, store), number, here, there)


def test_a_timer_that_was_moved_to_an_issue_where_an_older_one_ended_follows_its_events(
    slots: TwoSlots,
) -> None:
    moved = slots.start(slots.here, 0)
    ended = slots.stop(slots.start(slots.there, 5), 15)
    slots.move(moved, slots.there, 20)
    slots.deliver("unassigned", slots.there, 30)
    timer = slots.get(moved)
    assert (timer.status, timer.clock_ms) == (Status.PAUSED, 30 * SECOND)
    assert slots.get(ended.ulid) == ended


def test_events_from_before_a_timer_was_moved_to_an_issue_do_not_change_it(slots: TwoSlots) -> None:
    moved = slots.start(slots.here, 0)
    slots.deliver("closed", slots.there, 10)
    slots.move(moved, slots.there, 20)
    slots.deliver("assigned", slots.there, 30)
    timer = slots.get(moved)
    assert (timer.status, timer.active_ms(moment(40))) == (Status.RUNNING, 40 * SECOND)
    slots.deliver("closed", slots.there, 50)
    assert slots.get(moved).clock_ms == 50 * SECOND


def test_a_timer_started_on_a_machine_with_a_slow_clock_follows_the_next_events(slots: TwoSlots) -> None:
    ended = slots.stop(slots.start(slots.here, 1.0), 1.0)
    started = slots.start(slots.here, 0.95)
    slots.deliver("unassigned", slots.here, 2)
    assert (slots.get(started).status, slots.get(started).clock_ms) == (Status.PAUSED, 1_050)
    assert slots.get(ended.ulid) == ended


def test_repeating_a_start_with_its_key_while_the_timer_is_open_gives_the_same_response(
    slots: TwoSlots,
) -> None:
    key = Idempotency("k" * 32, "r" * 32)
    first, again = (
        slots.store.start(user_id=slots.user_id, now_ms=T0, issue=slots.here, idempotency=key)
        for _ in range(2)
    )
    assert again == first
    other = Idempotency("k" * 32, "other")
    with pytest.raises(IdempotencyKeyReused):
        slots.store.start(user_id=slots.user_id, now_ms=T0, issue=slots.here, idempotency=other)
