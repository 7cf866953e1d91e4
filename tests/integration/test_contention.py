"""Conflicts, throttling and lost responses, which occur in DynamoDB on AWS but not in emulators."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.connection import connect
from tests.support.network import (
    Fault,
    Network,
    conflict,
    lost_request,
    lost_response,
    refusal,
    throttled,
)
from tests.support.repositories import identified
from tests.support.table import empty_table
from timer_core.domain.errors import TooMuchContention
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, finished
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.keys import issue_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

ANN = 21031067
ISSUE = identified(Issue("octocat", "Hello-World", 7))
OTHER = identified(Issue("octocat", "Hello-World", 8))
# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000


@dataclass
class Bench:
    """A store, with the network, the table and the waits that tests inspect."""

    store: TimerStore
    issue_timers: IssueTimers
    network: Network
    table: Table
    waits: list[float]

    def timers(self, user_id: int = ANN) -> list[Timer]:
        return list(self.store.page(user_id, Filters(), page_size=100).timers)

    def slot(self, issue: Issue = ISSUE) -> str | None:
        items, _, _ = self.table.query(issue_pk(issue))
        found = [item["open_ulid"]["S"] for item in items if "open_ulid" in item]
        return found[0] if found else None


@pytest.fixture
def bench(shared_table: Table, dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    store = TimerStore(shared_table)
    network = Network(shared_table.connection)
    yield Bench(store, IssueTimers(shared_table, store), network, shared_table, waits)
    network.close()
    empty_table(connect(dynamodb), shared_table.name)


@dataclass(frozen=True)
class Request:
    """A request to the store, and a check that the request took effect exactly once."""

    name: str
    issue: Issue | None
    prepare: Callable[[Bench, Issue | None], str]
    ask: Callable[[Bench, Issue | None, str], object]
    done: Callable[[Bench, list[Timer], object], bool]

    def __str__(self) -> str:
        return f"{self.name}{'' if self.issue else '-without-issue'}"


def nothing(_bench: Bench, _issue: Issue | None) -> str:
    return ""


def running(bench: Bench, issue: Issue | None) -> str:
    return bench.store.start(user_id=ANN, now_ms=T0, issue=issue)[0].ulid


def paused(bench: Bench, issue: Issue | None) -> str:
    ulid = running(bench, issue)
    bench.store.pause(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="before")
    return ulid


def stopped(bench: Bench, issue: Issue | None) -> str:
    ulid = running(bench, issue)
    bench.store.stop(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="before")
    return ulid


def start(bench: Bench, issue: Issue | None, _ulid: str) -> object:
    return bench.store.start(user_id=ANN, now_ms=T0, issue=issue)


def start_with_key(bench: Bench, issue: Issue | None, _ulid: str) -> object:
    return bench.store.start(user_id=ANN, now_ms=T0, issue=issue, idempotency=Idempotency("k" * 32, "r" * 32))


def add(bench: Bench, issue: Issue | None, _ulid: str) -> object:
    timer = finished(
        user_id=ANN,
        ulid="01ARZ3NDEKTSV4RRFFQ69G5FAV",
        start_ms=T0,
        end_ms=T0 + MINUTE,
        now_ms=T0 + MINUTE,
        issue=issue,
        organization=None,
        description="",
    )
    return bench.store.add(timer)


def pause(bench: Bench, _issue: Issue | None, ulid: str) -> object:
    return bench.store.pause(ANN, ulid, now_ms=T0 + 2 * MINUTE, by="manual", cause="this")


def resume(bench: Bench, _issue: Issue | None, ulid: str) -> object:
    return bench.store.resume(ANN, ulid, now_ms=T0 + 2 * MINUTE, by="manual", cause="this")


def stop(bench: Bench, _issue: Issue | None, ulid: str) -> object:
    return bench.store.stop(ANN, ulid, now_ms=T0 + 2 * MINUTE, by="manual", cause="this")


def delete(bench: Bench, _issue: Issue | None, ulid: str) -> None:
    bench.store.delete(ANN, ulid, now_ms=T0 + 2 * MINUTE)


def patch_times(bench: Bench, _issue: Issue | None, ulid: str) -> object:
    return bench.store.patch(ANN, ulid, Patch(start_ms=T0 - MINUTE), now_ms=T0 + 2 * MINUTE)


def move(bench: Bench, _issue: Issue | None, ulid: str) -> object:
    return bench.store.patch(ANN, ulid, Patch(issue=(OTHER,)), now_ms=T0 + 2 * MINUTE)


def deliver(bench: Bench, issue: Issue | None, _ulid: str) -> object:
    assert issue is not None
    event = Event("d", "closed", T0 + 2 * MINUTE)
    return bench.issue_timers.apply(event, issue, now_ms=T0 + 2 * MINUTE)


def is_started(bench: Bench, timers: list[Timer], response: object) -> bool:
    (timer,) = timers
    return (
        timer.status == "running"
        and response == (timer, True)
        and bench.slot() == (timer.ulid if timer.issue else None)
    )


def has_active(minutes: int, status: str) -> Callable[[Bench, list[Timer], object], bool]:
    def check(bench: Bench, timers: list[Timer], response: object) -> bool:
        (timer,) = timers
        open_ulid = timer.ulid if timer.is_open and timer.issue == ISSUE else None
        return (
            timer.active_ms(T0 + 3 * MINUTE) == minutes * MINUTE
            and timer.status == status
            and (response == timer or response == [timer])
            and bench.slot() == open_ulid
        )

    return check


def is_moved(bench: Bench, timers: list[Timer], response: object) -> bool:
    (timer,) = timers
    open_ulid = timer.ulid if timer.is_open else None
    slots = (bench.slot(ISSUE), bench.slot(OTHER))
    return timer.issue == OTHER and slots == (None, open_ulid) and isinstance(response, Timer)


def is_patched(_bench: Bench, timers: list[Timer], response: object) -> bool:
    (timer,) = timers
    return timer.clock_ms == 2 * MINUTE and response == timer


def is_gone(bench: Bench, timers: list[Timer], _answer: object) -> bool:
    return timers == [] and bench.slot() is None


REQUESTS = [
    request
    for issue in (ISSUE, None)
    for request in (
        Request("start", issue, nothing, start, is_started),
        Request("start-with-key", issue, nothing, start_with_key, is_started),
        Request("add", issue, nothing, add, has_active(1, "stopped")),
        Request("pause", issue, running, pause, has_active(2, "paused")),
        Request("resume", issue, paused, resume, has_active(2, "running")),
        Request("stop", issue, running, stop, has_active(2, "stopped")),
        Request("delete-open", issue, running, delete, is_gone),
        Request("delete-stopped", issue, stopped, delete, is_gone),
        Request("patch-times", issue, stopped, patch_times, is_patched),
        Request("move-open", issue, running, move, is_moved),
        Request("move-stopped", issue, stopped, move, is_moved),
    )
] + [Request("deliver", ISSUE, running, deliver, has_active(2, "stopped"))]


@pytest.fixture(params=REQUESTS, ids=str)
def request_(request: pytest.FixtureRequest) -> Request:
    asked: Request = request.param
    return asked


class TestEveryRequest:
    @pytest.mark.parametrize(("fault", "times"), [(conflict, 1), (conflict, 5), (throttled, 3)])
    def test_is_retried_after_conflicts_and_throttling(
        self, bench: Bench, request_: Request, fault: Fault, times: int
    ) -> None:
        ulid = request_.prepare(bench, request_.issue)
        bench.network.next_writes = [fault] * times
        response = request_.ask(bench, request_.issue, ulid)
        assert request_.done(bench, bench.timers(), response)
        assert bench.network.next_writes == []
        assert len(bench.waits) >= times

    def test_fails_after_some_attempts_without_having_written(self, bench: Bench, request_: Request) -> None:
        ulid = request_.prepare(bench, request_.issue)
        before, slot, sent = bench.timers(), bench.slot(), len(bench.network.requests)
        bench.network.every_write = conflict
        with pytest.raises(TooMuchContention):
            request_.ask(bench, request_.issue, ulid)
        bench.network.every_write = None
        assert (bench.timers(), bench.slot()) == (before, slot)
        assert len(bench.network.requests) - sent < 30

    @pytest.mark.parametrize(
        "fault",
        [lost_request, lost_response, refusal("InternalServerError", 500), refusal("ThrottlingException")],
        ids=["lost-request", "lost-response", "server-error", "throttled"],
    )
    def test_is_done_once_when_the_network_or_dynamodb_fails(
        self, bench: Bench, request_: Request, fault: Fault
    ) -> None:
        ulid = request_.prepare(bench, request_.issue)
        bench.network.next_writes = [fault]
        response = request_.ask(bench, request_.issue, ulid)
        assert request_.done(bench, bench.timers(), response)
        assert bench.network.next_writes == []
