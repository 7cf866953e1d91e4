"""How long a person's place on an issue is kept, on the real store."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.replay import Event
from timer_core.store.events import EventStore
from timer_core.store.queries import Filters
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Patch

if TYPE_CHECKING:
    from collections.abc import Callable

    from timer_core.domain.timers import Timer
    from timer_core.store.table import RawItem, Table

# Far ahead, so that no back end takes what the tests keep for expired (TTL).
T0 = 4_000_000_000_000
DAY = 86_400_000
KEPT_DAYS = 38
_numbers = count(1)


class Desk:
    """One person with two issues of their own, at a time that moves on with each step."""

    def __init__(self, table: Table) -> None:
        self.number = next(_numbers)
        self.table = table
        self.store = TimerStore(table)
        self.event_store = EventStore(table, self.store)
        self.now = T0
        self.here, self.there = (Issue("octo-org", name, self.number) for name in ("here", "there"))

    def place(self, issue: Issue | None = None) -> RawItem | None:
        return self.table.get(f"issue#{(issue or self.here).key}", f"user#{self.number}")

    def kept_ms(self, issue: Issue | None = None) -> int | None:
        """Return for how long from now a place is kept; None if without end."""
        place = self.place(issue)
        assert place is not None
        assert ("open_ulid" in place) is not ("expires_at" in place)
        return int(place["expires_at"]["N"]) * 1000 - self.now if "expires_at" in place else None

    def lose(self, issue: Issue | None = None) -> None:
        """Let TTL delete a place."""
        key = {"pk": {"S": f"issue#{(issue or self.here).key}"}, "sk": {"S": f"user#{self.number}"}}
        self.table.connection.dispatch("DeleteItem", {"TableName": self.table.name, "Key": key})

    def start(self) -> Timer:
        self.now += 1_000
        return self.store.start(user_id=self.number, now_ms=self.now, issue=self.here)[0]

    def stop(self, timer: Timer) -> Timer:
        self.now += 1_000
        return self.store.stop(self.number, timer.ulid, now_ms=self.now, by="manual", cause="stop")

    def hear(self, kind: str, *, late_ms: int = 0, delivery: str = "") -> None:
        self.now += 1_000
        users = None if kind == "closed" else frozenset({self.number})
        at_ms = self.now - late_ms
        event = Event(delivery or f"{kind} {at_ms}", kind, at_ms, users)
        self.event_store.apply(event, self.here, now_ms=self.now)

    def timers(self) -> list[Timer]:
        """Return the person's timers, oldest first."""
        return [*self.store.page(self.number, Filters(), page_size=100).timers][::-1]


@pytest.fixture
def desk(shared_table: Table) -> Desk:
    return Desk(shared_table)


def test_a_place_is_kept_while_a_timer_is_open_there(desk: Desk) -> None:
    timer = desk.start()
    assert desk.kept_ms() is None
    desk.stop(timer)
    assert desk.kept_ms() == KEPT_DAYS * DAY
    timer = desk.start()
    assert desk.kept_ms() is None
    desk.store.delete(desk.number, timer.ulid, now_ms=desk.now)
    assert desk.kept_ms() == KEPT_DAYS * DAY


def test_what_the_sweeper_ends_leaves_its_place(desk: Desk) -> None:
    timer = desk.start()
    desk.now += 3 * DAY
    assert desk.store.expire(desk.number, timer.ulid, limit_ms=DAY, now_ms=desk.now, by="sweeper")
    assert desk.kept_ms() == KEPT_DAYS * DAY


def test_a_timer_that_is_moved_by_hand_leaves_one_place_and_takes_another(desk: Desk) -> None:
    timer = desk.start()
    desk.store.patch(desk.number, timer.ulid, Patch(issue=(desk.there,)), now_ms=desk.now)
    assert (desk.kept_ms(desk.here), desk.kept_ms(desk.there)) == (KEPT_DAYS * DAY, None)


def test_events_take_and_leave_places_too(desk: Desk) -> None:
    for _ in range(2):
        desk.hear("assigned")
        assert desk.kept_ms() is None
        desk.hear("closed")
        assert desk.kept_ms() == KEPT_DAYS * DAY


def test_time_that_is_told_of_when_it_is_over_leaves_its_place_at_once(desk: Desk) -> None:
    desk.hear("closed", late_ms=60_000)
    desk.hear("assigned", late_ms=120_000)
    (timer,) = desk.timers()
    assert not timer.is_open
    assert desk.kept_ms() == KEPT_DAYS * DAY


@pytest.mark.parametrize("is_open", [False, True])
def test_an_issue_that_moves_leaves_its_places(desk: Desk, is_open: bool) -> None:
    desk.hear("assigned")
    if not is_open:
        desk.hear("closed")
    desk.now += DAY
    desk.event_store.move_issue(Move(f"move-{desk.number}", desk.here, desk.there, desk.now), now_ms=desk.now)
    assert desk.kept_ms(desk.here) == KEPT_DAYS * DAY
    assert desk.kept_ms(desk.there) == (None if is_open else KEPT_DAYS * DAY)


@pytest.mark.parametrize("is_deleted", [False, True])
@pytest.mark.parametrize("begin", [Desk.start, lambda desk: desk.hear("assigned")])
def test_a_place_that_has_expired_is_taken_again(
    desk: Desk, begin: Callable[[Desk], object], is_deleted: bool
) -> None:
    """TTL deletes within a few days, so it may still be there."""
    before = desk.stop(desk.start())
    desk.now += (KEPT_DAYS + 1) * DAY
    if is_deleted:
        desk.lose()
    begin(desk)
    assert desk.kept_ms() is None
    old, new = desk.timers()
    assert (old, new.is_open, new.start_ms) == (before, True, desk.now)
    # It is the only open one.
    assert desk.start().ulid == new.ulid


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_happened_before_a_place_expired_changes_nothing_any_more(desk: Desk, is_deleted: bool) -> None:
    desk.hear("assigned", delivery="first")
    desk.hear("closed", delivery="second")
    before = desk.timers()
    age = desk.now - T0
    desk.now += (KEPT_DAYS + 1) * DAY
    if is_deleted:
        desk.lose()
    late_ms = desk.now - T0
    # The log is gone by then; or not yet, which makes no difference.
    desk.hear("assigned", late_ms=late_ms - age)
    desk.hear("closed", late_ms=late_ms)
    desk.hear("unassigned")
    desk.hear("closed")
    assert desk.timers() == before
