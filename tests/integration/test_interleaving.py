"""A process that runs between any two calls of another one does not change the resulting timers."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, permutations

import pytest
from botocore.awsrequest import AWSResponse
from pynamodb.connection import Connection

from tests.support.connection import REGION
from tests.support.network import Network, Send
from timer_core.domain.errors import TransitionNotAllowed, TransitionTooEarly
from timer_core.domain.events import Event, guid_time_at
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.offline import OfflineActions
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
NOW = T0 + 1_000_000
_numbers = count(1)


@dataclass
class World:
    """Two people and an issue of their own, with the events that are known before two processes run.

    Attributes
    ----------
    table
        The table through which a process makes its calls.
    """

    table: Table
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def ann(self) -> int:
        return 10 * self.number

    @property
    def bob(self) -> int:
        return 10 * self.number + 1

    @property
    def issue(self) -> Issue:
        return Issue("octocat", f"interleaved-{self.number}", 1, repo_id=2 * self.number)

    @property
    def target(self) -> Issue:
        return Issue("octocat", f"target-{self.number}", 2, repo_id=2 * self.number + 1)

    @property
    def issue_timers(self) -> IssueTimers:
        return IssueTimers(self.table, TimerStore(self.table))

    @property
    def offline(self) -> OfflineActions:
        return OfflineActions(self.table, TimerStore(self.table))

    def deliver(self, kind: str, second: int, *users: int, issue: Issue | None = None) -> None:
        event = Event(f"{kind}-{second}", kind, T0 + second * 1000, frozenset(users) or None, received_ms=NOW)
        self.issue_timers.apply(event, issue or self.issue, now_ms=NOW)

    def timers(self) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        for user_id in (self.ann, self.bob):
            page = TimerStore(self.table).page(user_id, Filters(), page_size=100)
            found += [
                (
                    "ann" if user_id == self.ann else "bob",
                    timer.issue and timer.issue.repo.rpartition("-")[0],
                    (timer.start_ms - T0) / 1000,
                    timer.end_ms and (timer.end_ms - T0) / 1000,
                    timer.status.value,
                    timer.active_ms(T0 + 100_000) / 1000,
                )
                for timer in sorted(page.timers, key=lambda timer: timer.start_ms)
            ]
        return found


Act = Callable[[World], None]


def assigned(world: World) -> None:
    world.deliver("assigned", 10, world.ann)


def unassigned(world: World) -> None:
    world.deliver("unassigned", 20, world.ann)


def assigned_again(world: World) -> None:
    world.deliver("assigned", 30, world.ann)


def closed(world: World) -> None:
    world.deliver("closed", 50)


def reopened(world: World) -> None:
    world.deliver("reopened", 60, world.ann, world.bob)


def assigned_under_the_target(world: World) -> None:
    world.deliver("assigned", 80, world.bob, issue=world.target)


def closed_under_the_target(world: World) -> None:
    world.deliver("closed", 90, issue=world.target)


def started_offline(world: World) -> None:
    world.offline.start(user_id=world.ann, at_ms=T0 + 5_000, now_ms=NOW, issue=world.issue)


def resumed_offline(world: World) -> None:
    store = TimerStore(world.table)
    (timer,) = store.page(world.ann, Filters(), page_size=1).timers
    with contextlib.suppress(TransitionNotAllowed, TransitionTooEarly):
        # The API refuses the request if the timer was changed before.
        store.resume(world.ann, timer.ulid, now_ms=NOW, at_ms=T0 + 22_000, by="manual", cause="resume")
        world.offline.rederive(timer, now_ms=NOW)


def started_by_url(world: World) -> None:
    named = replace(world.issue, repo_id=0)
    world.offline.start(user_id=world.ann, at_ms=T0 + 5_000, now_ms=NOW, issue=named)


def transferred(world: World) -> None:
    world.issue_timers.move(Move("moved", world.issue, world.target, T0 + 70_000), now_ms=NOW)


def archived(world: World) -> None:
    event = Event("archived", "archived", T0 + 55_000, received_ms=NOW)
    world.issue_timers.apply_to_repository(event, world.issue.repository, now_ms=NOW)


def named(world: World) -> None:
    world.issue_timers.observe(world.issue.repository, guid_time_at(T0), now_ms=NOW)


# The acts that have been done before, and two acts that concern each other.
PAIRS: list[tuple[list[Act], Act, Act]] = [
    ([named], assigned, unassigned),
    ([named], assigned, closed),
    ([named, assigned], unassigned, assigned_again),
    ([named, assigned], unassigned, closed),
    ([named, assigned], closed, reopened),
    ([named, assigned, closed], reopened, assigned_again),
    ([named], started_offline, closed),
    ([named], started_offline, unassigned),
    ([named, assigned, unassigned], resumed_offline, closed),
    ([named, assigned, unassigned], resumed_offline, assigned_again),
    ([], started_by_url, closed),
    ([], started_by_url, unassigned),
    ([named], transferred, assigned),
    ([named, assigned], transferred, closed),
    ([named, assigned], transferred, closed_under_the_target),
    ([named, transferred, assigned], closed, closed_under_the_target),
    ([named, transferred], closed, assigned_under_the_target),
    ([named], archived, assigned),
    ([named, assigned, closed], archived, assigned_again),
]


def _name(value: object) -> str:
    acts = value if isinstance(value, list) else [value]
    return "+".join(getattr(act, "__name__", "") for act in acts) or "nothing"


@pytest.fixture
def other_table(shared_table: Table, dynamodb: str) -> Table:
    """The table, through the connection of another process."""
    return Table(shared_table.name, Connection(region=REGION, host=dynamodb))


@pytest.fixture
def network(shared_table: Table) -> Iterator[Network]:
    between = Network(shared_table.connection)
    yield between
    between.close()


def prepared(table: Table, before: list[Act]) -> World:
    world = World(table)
    for act in before:
        act(world)
    return world


def timers_at_last(world: World, acts: tuple[Act, Act]) -> list[tuple[object, ...]]:
    """Return the timers after a move or an event of a repository was applied again, as the processor does."""
    for act in acts:
        if act in (archived, transferred):
            act(world)
    return world.timers()


@pytest.mark.parametrize(("before", "one", "two"), PAIRS, ids=_name)
def test_two_processes_at_once_produce_the_timers_of_one_after_the_other(
    shared_table: Table, other_table: Table, network: Network, before: list[Act], one: Act, two: Act
) -> None:
    expected = []
    for first, second in permutations((one, two)):
        world = prepared(shared_table, before)
        first(world)
        second(world)
        expected.append(timers_at_last(world, (one, two)))
    # The API refuses to resume a timer before its last change.
    assert expected[0] == expected[1] or resumed_offline in (one, two)
    assert all(expected)
    for running, other in permutations((one, two)):
        for call in range(30):
            world = prepared(shared_table, before)
            sent = len(network.requests)

            def interrupt(_: str, send: Send, world: World = world, other: Act = other) -> AWSResponse:
                other(replace(world, table=other_table))
                return send()

            network.faults = {sent + call: interrupt}
            running(world)
            network.faults = {}
            if len(network.requests) <= sent + call:
                break
            assert timers_at_last(world, (one, two)) in expected, (_name(running), call)
        assert call > 1
