"""The lifetime of slots, on Amazon's DynamoDB Local."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.queries import Filters
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

if TYPE_CHECKING:
    from collections.abc import Callable

    from timer_core.domain.timers import Timer
    from timer_core.store.table import RawItem, Table

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
DAY = 86_400_000
KEPT_DAYS = 38
_numbers = count(1)


class TwoSlots:
    """One person's slots on two new issues, and a clock that advances with each step."""

    def __init__(self, table: Table) -> None:
        self.number = next(_numbers)
        self.table = table
        self.store = TimerStore(table)
        self.issue_timers = IssueTimers(table, self.store)
        self.now = T0
        self.here, self.there = (
            identified(Issue("octo-org", name, self.number)) for name in ("here", "there")
        )

    def item(self, issue: Issue | None = None) -> RawItem | None:
        return self.table.get(f"issue#{(issue or self.here).key}", f"user#{self.number}")

    def kept_ms(self, issue: Issue | None = None) -> int | None:
        """Return the remaining lifetime of a slot; None if it does not expire."""
        item = self.item(issue)
        assert item is not None
        assert ("open_ulid" in item) is not ("expires_at" in item)
        return int(item["expires_at"]["N"]) * 1000 - self.now if "expires_at" in item else None

    def delete_expired(self, issue: Issue | None = None) -> None:
        """Delete a slot as TTL does."""
        key = {"pk": {"S": f"issue#{(issue or self.here).key}"}, "sk": {"S": f"user#{self.number}"}}
        self.table.connection.dispatch("DeleteItem", {"TableName": self.table.name, "Key": key})

    def start(self) -> Timer:
        self.now += 1_000
        return self.store.start(user_id=self.number, now_ms=self.now, issue=self.here)[0]

    def stop(self, timer: Timer) -> Timer:
        self.now += 1_000
        return self.store.stop(self.number, timer.ulid, now_ms=self.now, by="manual", cause="stop")

    def deliver(self, kind: str, *, late_ms: int = 0, delivery: str = "") -> None:
        self.now += 1_000
        users = None if kind == "closed" else frozenset({self.number})
        at_ms = self.now - late_ms
        event = Event(delivery or f"{kind} {at_ms}", kind, at_ms, users)
        self.issue_timers.apply(event, self.here, now_ms=self.now)

    def timers(self) -> list[Timer]:
        """Return the person's timers, oldest first."""
        return [*self.store.page(self.number, Filters(), page_size=100).timers][::-1]


@pytest.fixture
def slots(shared_table: Table) -> TwoSlots:
    return TwoSlots(shared_table)


def test_a_slot_is_kept_while_it_has_an_open_timer(slots: TwoSlots) -> None:
    timer = slots.start()
    assert slots.kept_ms() is None
    slots.stop(timer)
    assert slots.kept_ms() == KEPT_DAYS * DAY
    timer = slots.start()
    assert slots.kept_ms() is None
    slots.store.delete(slots.number, timer.ulid, now_ms=slots.now)
    assert slots.kept_ms() == KEPT_DAYS * DAY


def test_a_timer_that_the_sweeper_ends_frees_its_slot(slots: TwoSlots) -> None:
    timer = slots.start()
    slots.now += 3 * DAY
    assert slots.store.expire(
        slots.number, timer.ulid, end_ms=slots.now - DAY, sign_ms=timer.start_ms, now_ms=slots.now
    )
    assert slots.kept_ms() == KEPT_DAYS * DAY


def test_a_timer_that_is_moved_manually_frees_one_slot_and_takes_another(slots: TwoSlots) -> None:
    timer = slots.start()
    slots.store.patch(slots.number, timer.ulid, Patch(issue=(slots.there,)), now_ms=slots.now)
    assert (slots.kept_ms(slots.here), slots.kept_ms(slots.there)) == (KEPT_DAYS * DAY, None)


def test_events_take_and_free_slots_too(slots: TwoSlots) -> None:
    for _ in range(2):
        slots.deliver("assigned")
        assert slots.kept_ms() is None
        slots.deliver("closed")
        assert slots.kept_ms() == KEPT_DAYS * DAY


def test_a_timer_that_has_already_ended_when_it_is_derived_frees_its_slot(slots: TwoSlots) -> None:
    slots.deliver("closed", late_ms=60_000)
    slots.deliver("assigned", late_ms=120_000)
    (timer,) = slots.timers()
    assert not timer.is_open
    assert slots.kept_ms() == KEPT_DAYS * DAY


@pytest.mark.parametrize("is_open", [False, True])
def test_an_issue_that_moves_frees_its_slots(slots: TwoSlots, is_open: bool) -> None:
    slots.deliver("assigned")
    if not is_open:
        slots.deliver("closed")
    slots.now += DAY
    slots.issue_timers.move(
        Move(f"move-{slots.number}", slots.here, slots.there, slots.now), now_ms=slots.now
    )
    assert slots.kept_ms(slots.here) == KEPT_DAYS * DAY
    assert slots.kept_ms(slots.there) == (None if is_open else KEPT_DAYS * DAY)


@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("begin", [TwoSlots.start, lambda slots: slots.deliver("assigned")])
def test_a_slot_that_has_expired_is_taken_again(
    slots: TwoSlots, begin: Callable[[TwoSlots], object], is_deleted: bool
) -> None:
    """TTL deletes items within a few days of their expiry, so an expired slot may still exist."""
    before = slots.stop(slots.start())
    slots.now += (KEPT_DAYS + 1) * DAY
    if is_deleted:
        slots.delete_expired()
    begin(slots)
    assert slots.kept_ms() is None
    old, new = slots.timers()
    assert (old, new.is_open, new.start_ms) == (before, True, slots.now)
    # Another start returns the new timer, so the slot contains it.
    assert slots.start().ulid == new.ulid


@pytest.mark.parametrize("is_deleted", [False, True])
def test_events_from_before_a_slot_expired_change_nothing(slots: TwoSlots, is_deleted: bool) -> None:
    slots.deliver("assigned", delivery="first")
    slots.deliver("closed", delivery="second")
    before = slots.timers()
    age = slots.now - T0
    slots.now += (KEPT_DAYS + 1) * DAY
    if is_deleted:
        slots.delete_expired()
    late_ms = slots.now - T0
    # By then, the logged events may or may not have been deleted.
    slots.deliver("assigned", late_ms=late_ms - age)
    slots.deliver("closed", late_ms=late_ms)
    slots.deliver("unassigned")
    slots.deliver("closed")
    assert slots.timers() == before
