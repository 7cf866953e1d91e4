"""Concurrent workers process each delivery three times, in any order, and produce the right timers."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.examples import examples
from tests.support.repositories import identified
from timer_core.domain.errors import TooMuchContention
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.keys import issue_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
NOW = T0 + 100_000_000
PEOPLE = range(1, 6)
ISSUES = [identified(Issue("octocat", "Hello-World", number)) for number in range(1, 6)]
WORKERS = 8


def random_events(seed: int, number: int = 200) -> list[tuple[Event, Issue]]:
    """Return events of some issues in chronological order, one per minute."""
    chance = random.Random(seed)
    found = []
    for second in range(number):
        kind = chance.choices(["assigned", "unassigned", "closed", "reopened"], [5, 4, 2, 2])[0]
        users: frozenset[int] | None = None
        if kind in ("assigned", "unassigned"):
            users = frozenset({chance.choice(PEOPLE)})
        elif kind == "reopened":
            users = frozenset(chance.sample(PEOPLE, 2))
        event = Event(f"delivery-{second}", kind, T0 + 1_000 * chance.randrange(60) + 60_000 * second, users)
        found.append((event, chance.choice(ISSUES)))
    return found


def right_timers(deliveries: Sequence[tuple[Event, Issue]], user_id: int) -> list[tuple[object, ...]]:
    """Derive the timers in one pass over the events in chronological order."""
    open_timers: dict[str, list[int | None]] = {}
    timers: list[tuple[object, ...]] = []

    def end(key: str, at: int) -> None:
        start, active, since = open_timers.pop(key)
        assert start is not None
        assert active is not None
        timers.append((key, start, at, active + (0 if since is None else at - since)))

    for event, issue in deliveries:
        timer = open_timers.get(issue.key)
        if event.kind == "closed":
            if timer:
                end(issue.key, event.at_ms)
        elif event.concerns(user_id):
            if event.kind == "unassigned" and timer and timer[2] is not None:
                timer[1], timer[2] = (timer[1] or 0) + event.at_ms - timer[2], None
            elif event.kind != "unassigned" and not timer:
                open_timers[issue.key] = [event.at_ms, 0, event.at_ms]
            elif event.kind == "assigned" and timer and timer[2] is None:
                timer[2] = event.at_ms
    for key, (start, active, since) in open_timers.items():
        timers.append((key, start, None, (active or 0) + (0 if since is None else NOW - since)))
    return sorted(timers, key=str)


def stored_timers(store: TimerStore, user_id: int) -> list[tuple[object, ...]]:
    timers = store.page(user_id, Filters(), page_size=100).timers
    return sorted(
        (
            (timer.issue.key if timer.issue else "", timer.start_ms, timer.end_ms, timer.active_ms(NOW))
            for timer in timers
        ),
        key=str,
    )


@pytest.mark.parametrize("seed", range(examples(0.01)))
def test_shuffled_and_tripled_deliveries_produce_the_timers_of_the_right_order_once(
    table: Table, seed: int
) -> None:
    store = TimerStore(table)
    issue_timers = IssueTimers(table, store)
    deliveries = random_events(seed)
    queue = deliveries * 3
    random.Random(seed).shuffle(queue)

    def process(delivery: tuple[Event, Issue]) -> None:
        """Process a delivery, and retry it after a failure as the queue does."""
        event, issue = delivery
        for _ in range(5):
            try:
                issue_timers.apply(event, issue, now_ms=NOW)
            except TooMuchContention:
                continue
            return
        raise AssertionError("The delivery was not processed.")

    # Several workers process the same issue, as when a message becomes visible again while it is processed.
    with ThreadPoolExecutor(WORKERS) as workers:
        list(workers.map(process, queue))

    for user_id in PEOPLE:
        assert stored_timers(store, user_id) == right_timers(deliveries, user_id)
    for issue in ISSUES:
        slots = {
            (int(item["sk"]["S"].removeprefix("user#")), item["open_ulid"]["S"])
            for item in table.query(issue_pk(issue))[0]
            if "open_ulid" in item
        }
        still_open = {
            (user_id, timer.ulid)
            for user_id in PEOPLE
            for timer in store.page(user_id, Filters(is_open=True), page_size=100).timers
            if timer.issue == issue
        }
        assert slots == still_open
