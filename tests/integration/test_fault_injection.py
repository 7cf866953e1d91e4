"""Whoever processes a delivery may be killed at any moment; the next attempt finishes the work."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest

from tests.support.network import Fault, Killed, Network, killed_after, killed_before
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Event
from timer_core.store.events import EventStore
from timer_core.store.keys import issue_pk, user_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

ANN, BOB = 21031067, 583231
# Far ahead, so that no back end takes what the tests keep for expired (TTL).
T0 = 4_000_000_000_000
SECOND = 1_000
NOW = T0 + 1_000 * SECOND
_numbers = count(1)


def assigned(at: int, user: int = ANN) -> Event:
    return Event(f"assigned-{user}-{at}", "assigned", T0 + at * SECOND, frozenset({user}))


def unassigned(at: int, user: int = ANN) -> Event:
    return Event(f"unassigned-{user}-{at}", "unassigned", T0 + at * SECOND, frozenset({user}))


def closed(at: int) -> Event:
    return Event(f"closed-{at}", "closed", T0 + at * SECOND)


def reopened(at: int) -> Event:
    return Event(f"reopened-{at}", "reopened", T0 + at * SECOND, frozenset({ANN, BOB}))


@dataclass(frozen=True)
class Story:
    """What was delivered before, and the delivery during which the process is killed."""

    name: str
    before: Sequence[Event]
    delivery: Event
    exclusive: bool = False
    by_hand_elsewhere: bool = False

    def __str__(self) -> str:
        return f"{self.name}{'-exclusive' if self.exclusive else ''}"


STORIES = [
    Story("first-start", [], assigned(10)),
    Story("pause", [assigned(10)], unassigned(20)),
    Story("resume", [assigned(10), unassigned(20)], assigned(30)),
    Story("close-for-two", [assigned(10), assigned(15, BOB)], closed(50)),
    Story("reopen-for-two", [assigned(10), assigned(15, BOB), closed(50)], reopened(60)),
    Story("late-close-splits", [assigned(10), assigned(12, BOB), reopened(60)], closed(50)),
    Story("late-start-merges", [closed(20), assigned(30), unassigned(40)], assigned(25)),
    Story("late-unassign", [assigned(10), closed(50)], unassigned(20)),
    Story("nothing-to-do", [assigned(10)], assigned(20)),
    Story("exclusive-start", [], assigned(10), exclusive=True, by_hand_elsewhere=True),
    Story("late-close-splits", [assigned(10), reopened(60)], closed(50), exclusive=True),
]


@pytest.fixture
def network(shared_table: Table) -> Iterator[Network]:
    between = Network(shared_table.connection)
    yield between
    between.close()


class Desk:
    """An issue of its own on a shared table, for deliveries with and without accidents."""

    def __init__(self, table: Table, story: Story) -> None:
        number = next(_numbers)
        self.table = table
        self.users = {ANN: 10 * number, BOB: 10 * number + 1}
        self.issue = Issue("octocat", "Hello-World", number)
        self.timers = TimerStore(table, exclusive=story.exclusive)
        self.event_store = EventStore(table, self.timers)
        if story.by_hand_elsewhere:
            elsewhere = Issue("octocat", "Elsewhere", number)
            self.timers.start(user_id=self.users[ANN], now_ms=T0, issue=elsewhere)
        for event in story.before:
            self.deliver(event)

    def deliver(self, event: Event) -> None:
        users = None if event.users is None else frozenset(self.users[user] for user in event.users)
        mine = Event(event.delivery, event.kind, event.at_ms, users)
        self.event_store.apply(mine, self.issue, now_ms=NOW)

    def state(self) -> list[tuple[object, ...]]:
        """Everything that can be seen, without names that differ between desks."""
        seen: list[tuple[object, ...]] = []
        for who, user_id in self.users.items():
            timers = self.timers.page(user_id, Filters(), page_size=100).timers
            still_open = {timer.ulid: timer.start_ms for timer in timers if timer.is_open}
            indexed, _, _ = self.table.query(user_pk(user_id), index="open-by-user")
            assert {item["sk"]["S"].removeprefix("timer#") for item in indexed} == still_open.keys()
            seen += [
                (who, t.issue and t.issue.repo, t.start_ms, t.end_ms, t.status, t.active_ms(NOW), t.source)
                for t in timers
            ]
            slots = [
                item
                for item in self.table.query(issue_pk(self.issue))[0]
                if item["sk"]["S"] == user_pk(user_id)
            ]
            seen += [
                (who, "slot", still_open[slot["open_ulid"]["S"]] if "open_ulid" in slot else None)
                for slot in slots
            ]
        return seen


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_killed_at_any_moment_and_delivered_again_the_timers_are_those_of_an_undisturbed_run(
    shared_table: Table, network: Network, story: Story
) -> None:
    undisturbed = Desk(shared_table, story)
    sent = len(network.requests)
    undisturbed.deliver(story.delivery)
    calls = len(network.requests) - sent
    assert calls >= 2
    for call in range(calls):
        for accident in (killed_before, killed_after):
            desk = Desk(shared_table, story)
            kill(network, call, accident, partial(desk.deliver, story.delivery))
            desk.deliver(story.delivery)
            assert desk.state() == undisturbed.state(), (call, accident)
            again = desk.state()
            desk.deliver(story.delivery)
            assert desk.state() == again


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_killed_at_every_attempt_a_little_later_it_is_done_in_the_end(
    shared_table: Table, network: Network, story: Story
) -> None:
    undisturbed, desk = Desk(shared_table, story), Desk(shared_table, story)
    undisturbed.deliver(story.delivery)
    for call in range(20):
        network.faults = {len(network.requests) + call: killed_after}
        try:
            desk.deliver(story.delivery)
        except Killed:
            continue
        break
    network.faults = {}
    assert desk.state() == undisturbed.state()


def kill(network: Network, call: int, accident: Fault, deliver: Callable[[], None]) -> None:
    network.faults = {len(network.requests) + call: accident}
    with pytest.raises(Killed):
        deliver()
    network.faults = {}
