"""Of two processes that have read the same log, only one appends an event, also while TTL deletes the log."""

import pytest

from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.store.event_log import EventLog
from timer_core.store.issue_history import OVERLAP_S, IssueHistory
from timer_core.store.items import EVENT_DAYS
from timer_core.store.keys import event_sk, issue_pk
from timer_core.store.table import Conflict, Table, Write

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
EXPIRY_MS = T0 + EVENT_DAYS * 86_400_000
MINUTE = 60_000
OVERLAP_MS = OVERLAP_S * 1000
ISSUE = identified(Issue("octocat", "Hello-World", 7))


@pytest.fixture
def log(table: Table) -> EventLog:
    """The log of an issue with three events."""
    log = EventLog(table)
    for number in range(3):
        append(log, log.read(ISSUE), f"first-{number}", T0)
    return log


def append(log: EventLog, history: IssueHistory, delivery: str, now_ms: int) -> None:
    log.append(Event(delivery, "assigned", T0, frozenset({1})), history, now_ms=now_ms)


def deliveries(log: EventLog) -> set[str]:
    return {event.delivery for event in log.read(ISSUE).own_events()}


# Before, at and after the expiry of the log.
TIMES = [
    EXPIRY_MS + after_ms
    for after_ms in (-OVERLAP_MS - MINUTE, -OVERLAP_MS, -MINUTE, MINUTE, OVERLAP_MS, 5 * OVERLAP_MS)
]


@pytest.mark.parametrize("deleted", [(), (3,), (2, 3), (1, 3), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("now_ms", TIMES)
def test_one_of_two_processes_appends(
    log: EventLog, table: Table, deleted: tuple[int, ...], now_ms: int, is_reversed: bool
) -> None:
    histories = [log.read(ISSUE)]
    # TTL deletes between the reads of the two processes.
    if now_ms > EXPIRY_MS:
        for number in deleted:
            table.write(Write("Delete", issue_pk(ISSUE), event_sk(number)))
    histories.append(log.read(ISSUE))
    first, second = reversed(histories) if is_reversed else histories
    append(log, first, "first", now_ms - MINUTE)
    with pytest.raises(Conflict):
        append(log, second, "second", now_ms)
    for delivery in ("second", "third"):
        append(log, log.read(ISSUE), delivery, now_ms + MINUTE)
    assert {"first", "second", "third"} <= deliveries(log)


def test_the_numbers_begin_anew_when_the_log_has_expired(log: EventLog, table: Table) -> None:
    now_ms = EXPIRY_MS + 2 * OVERLAP_MS
    for number in range(5):
        append(log, log.read(ISSUE), f"next-{number}", now_ms)
    items = table.query_all(issue_pk(ISSUE))
    assert [item["delivery"]["S"] for item in items] == [f"next-{number}" for number in range(5)]
