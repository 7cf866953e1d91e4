"""If the process that handles a delivery is killed at any moment, the next attempt finishes the work."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

import pytest

from tests.support.network import Fault, Killed, Network, killed_after, killed_before
from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.keys import issue_pk, user_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

ANN, BOB = 21031067, 583231
# This time is far in the future, so that no back end's TTL deletes the tests' items.
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
class Scenario:
    """Some earlier deliveries, and the delivery during which the process is killed."""

    name: str
    before: Sequence[Event]
    delivery: Event
    manual_elsewhere: bool = False

    def __str__(self) -> str:
        return self.name


SCENARIOS = [
    Scenario("first-start", [], assigned(10)),
    Scenario("pause", [assigned(10)], unassigned(20)),
    Scenario("resume", [assigned(10), unassigned(20)], assigned(30)),
    Scenario("close-for-two", [assigned(10), assigned(15, BOB)], closed(50)),
    Scenario("reopen-for-two", [assigned(10), assigned(15, BOB), closed(50)], reopened(60)),
    Scenario("late-close-splits", [assigned(10), assigned(12, BOB), reopened(60)], closed(50)),
    Scenario("late-start-merges", [closed(20), assigned(30), unassigned(40)], assigned(25)),
    Scenario("late-unassign", [assigned(10), closed(50)], unassigned(20)),
    Scenario("nothing-to-do", [assigned(10)], assigned(20)),
    Scenario("start-beside-another", [], assigned(10), manual_elsewhere=True),
    Scenario("late-close-splits-one", [assigned(10), reopened(60)], closed(50)),
]


@pytest.fixture
def network(shared_table: Table) -> Iterator[Network]:
    between = Network(shared_table.connection)
    yield between
    between.close()


class Slots:
    """The slots of two people on a new issue, for deliveries with and without faults."""

    def __init__(self, table: Table, scenario: Scenario) -> None:
        number = next(_numbers)
        self.table = table
        self.users = {ANN: 10 * number, BOB: 10 * number + 1}
        # The first delivery of the repository also stores its name.
        self.issue = identified(Issue("octocat", f"Hello-{number}", number))
        self.timers = TimerStore(table)
        self.issue_timers = IssueTimers(table, self.timers)
        if scenario.manual_elsewhere:
            elsewhere = Issue("octocat", "Elsewhere", number)
            self.timers.start(user_id=self.users[ANN], now_ms=T0, issue=elsewhere)
        for event in scenario.before:
            self.deliver(event)

    def deliver(self, event: Event) -> None:
        users = None if event.users is None else frozenset(self.users[user] for user in event.users)
        mine = Event(event.delivery, event.kind, event.at_ms, users)
        self.issue_timers.apply(mine, self.issue, now_ms=NOW)

    def state(self) -> list[tuple[object, ...]]:
        """Return all visible attributes except ids, which differ between issues."""

        def is_elsewhere(timer: Timer) -> bool:
            return timer.issue is None or timer.issue.key != self.issue.key

        seen: list[tuple[object, ...]] = []
        for who, user_id in self.users.items():
            timers = self.timers.page(user_id, Filters(), page_size=100).timers
            still_open = {timer.ulid: timer.start_ms for timer in timers if timer.is_open}
            indexed, _, _ = self.table.query(user_pk(user_id), index="by-end")
            # The index may also contain the calendar.
            open_items = [item for item in indexed if "clock_ms" in item and "end_ms" not in item]
            assert {item["sk"]["S"].removeprefix("timer#") for item in open_items} == still_open.keys()
            seen += [
                (who, is_elsewhere(t), t.start_ms, t.end_ms, t.status, t.active_ms(NOW), t.source)
                for t in timers
            ]
            items = [
                item
                for item in self.table.query(issue_pk(self.issue))[0]
                if item["sk"]["S"] == user_pk(user_id)
            ]
            seen += [
                (who, "slot", still_open[slot["open_ulid"]["S"]] if "open_ulid" in slot else None)
                for slot in items
            ]
        return seen


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_redelivery_after_a_kill_at_any_moment_produces_the_same_timers(
    shared_table: Table, network: Network, scenario: Scenario
) -> None:
    undisturbed = Slots(shared_table, scenario)
    sent = len(network.requests)
    undisturbed.deliver(scenario.delivery)
    calls = len(network.requests) - sent
    assert calls >= 2
    for call in range(calls):
        for fault in (killed_before, killed_after):
            slots = Slots(shared_table, scenario)
            kill(network, call, fault, partial(slots.deliver, scenario.delivery))
            slots.deliver(scenario.delivery)
            assert slots.state() == undisturbed.state(), (call, fault)
            again = slots.state()
            slots.deliver(scenario.delivery)
            assert slots.state() == again


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_delivery_succeeds_in_the_end_if_each_attempt_is_killed_one_call_later(
    shared_table: Table, network: Network, scenario: Scenario
) -> None:
    undisturbed, slots = Slots(shared_table, scenario), Slots(shared_table, scenario)
    undisturbed.deliver(scenario.delivery)
    for call in range(20):
        network.faults = {len(network.requests) + call: killed_after}
        try:
            slots.deliver(scenario.delivery)
        except Killed:
            continue
        break
    network.faults = {}
    assert slots.state() == undisturbed.state()


def kill(network: Network, call: int, fault: Fault, deliver: Callable[[], None]) -> None:
    network.faults = {len(network.requests) + call: fault}
    with pytest.raises(Killed):
        deliver()
    network.faults = {}
