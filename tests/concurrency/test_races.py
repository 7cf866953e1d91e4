"""Fifty simultaneous requests result in one consistent state, and their responses agree with that state."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.concurrency.conftest import THREADS
from tests.support.repositories import identified
from timer_core.domain.corrections import Halves, with_pause
from timer_core.domain.errors import (
    InvalidInput,
    IssueTimerError,
    NotFound,
    OtherTimerOpen,
    TooMuchContention,
    TransitionNotAllowed,
)
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, State, Status
from timer_core.domain.timers import Timer, pauses
from timer_core.store.items import TimerItem
from timer_core.store.keys import end_keys_of_open, issue_pk, user_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

ANN, BOB = 21031067, 583231
ISSUE = identified(Issue("octocat", "Hello-World", 7))
OTHER = identified(Issue("octocat", "Hello-World", 8))
# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000


@pytest.fixture
def store(table: Table) -> TimerStore:
    return TimerStore(table)


def race(threads: ThreadPoolExecutor, racers: Sequence[Callable[..., object]]) -> list[object]:
    """Call all racers simultaneously and return the result of each: a response or an error."""
    line = threading.Barrier(len(racers))

    def run(racer: Callable[..., object]) -> object:
        line.wait()
        try:
            return racer()
        except IssueTimerError as error:
            return error

    return list(threads.map(run, racers))


def timers_of(store: TimerStore, user_id: int = ANN) -> list[Timer]:
    return list(store.page(user_id, Filters(), page_size=100).timers)


def open_in_slots(table: Table, *issues: Issue) -> list[str]:
    slots = [slot for issue in issues for slot in table.query(issue_pk(issue))[0]]
    return [slot["open_ulid"]["S"] for slot in slots if "open_ulid" in slot]


def open_in_indexes(table: Table) -> list[str]:
    items, _, _ = table.query(user_pk(ANN), TimerItem.end_key.between(*end_keys_of_open()), index="by-end")
    return [item["sk"]["S"].removeprefix("timer#") for item in items]


def active_by_history(timer: Timer, now_ms: int) -> int:
    """Derive the active time from the accepted transitions, and check that the transitions alternate."""
    active, since = 0, None
    expected = {Action.START}
    for transition in timer.history:
        assert transition.action in expected, timer.history
        match transition.action:
            case Action.START | Action.RESUME:
                since = transition.at_ms
                expected = {Action.PAUSE, Action.STOP}
            case Action.PAUSE:
                assert since is not None
                active += transition.at_ms - since
                since = None
                expected = {Action.RESUME, Action.STOP}
            case Action.STOP:
                active += 0 if since is None else transition.at_ms - since
                since = None
                expected = set()
    return active if since is None else active + now_ms - since


def test_of_fifty_starts_on_an_issue_one_starts_a_timer_and_all_return_it(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    responses = race(
        threads, [lambda n=n: store.start(user_id=ANN, now_ms=T0 + n, issue=ISSUE) for n in range(THREADS)]
    )
    (timer,) = timers_of(store)
    given = Counter((response[0].ulid, response[1]) for response in responses if isinstance(response, tuple))
    assert given == {(timer.ulid, True): 1, (timer.ulid, False): THREADS - 1}
    # The history contains each start, in case a late event shows that the open timer had already ended.
    history = store.get(ANN, timer.ulid).history
    assert sorted(start.at_ms for start in history) == list(range(T0, T0 + THREADS))
    assert open_in_slots(table, ISSUE) == open_in_indexes(table) == [timer.ulid]


@pytest.mark.parametrize("issue", [ISSUE, None])
def test_fifty_starts_with_one_key_start_one_timer(
    store: TimerStore, threads: ThreadPoolExecutor, issue: Issue | None
) -> None:
    key = Idempotency("k" * 32, "r" * 32)
    responses = race(
        threads, [lambda: store.start(user_id=ANN, now_ms=T0, issue=issue, idempotency=key)] * THREADS
    )
    (timer,) = timers_of(store)
    assert set(responses) == {(timer, True)}


def test_starts_of_several_people_do_not_affect_each_other(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    race(
        threads,
        [lambda n=n: store.start(user_id=1 + n % 10, now_ms=T0, issue=ISSUE) for n in range(THREADS)],
    )
    found = [timers_of(store, user_id) for user_id in range(1, 11)]
    assert [len(timers) for timers in found] == [1] * 10
    assert sorted(open_in_slots(table, ISSUE)) == sorted(timer.ulid for (timer,) in found)


@pytest.mark.parametrize("action", [Action.PAUSE, Action.RESUME, Action.STOP])
def test_of_fifty_equal_transitions_exactly_one_succeeds(
    store: TimerStore, threads: ThreadPoolExecutor, action: Action
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    if action is Action.RESUME:
        store.pause(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="before")
    act = getattr(store, action)
    responses = race(
        threads,
        [
            lambda n=n: act(ANN, ulid, now_ms=T0 + MINUTE + n, by="manual", cause=f"r{n}")
            for n in range(THREADS)
        ],
    )
    won = [response for response in responses if isinstance(response, Timer)]
    lost = [response for response in responses if isinstance(response, TransitionNotAllowed)]
    assert (len(won), len(lost)) == (1, THREADS - 1)
    assert won == timers_of(store)
    assert {str(error) for error in lost} == {f"Cannot {action} a timer that is {won[0].status}."}


def test_a_mix_of_transitions_alternates_and_the_time_is_exact(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    actions = [Action.PAUSE, Action.RESUME] * (THREADS // 2 - 1) + [Action.STOP] * 2
    responses = race(
        threads,
        [
            lambda n=n, action=action: getattr(store, action)(
                ANN, ulid, now_ms=T0 + 1_000 + 7 * n, by="manual", cause=f"r{n}"
            )
            for n, action in enumerate(actions)
        ],
    )
    timer = store.get(ANN, ulid)
    assert timer.status is Status.STOPPED
    assert timer.clock_ms == active_by_history(timer, 0)
    accepted = {f"r{n}" for n, response in enumerate(responses) if isinstance(response, Timer)}
    assert accepted == {transition.cause for transition in timer.history[1:]}
    assert all(isinstance(a, Timer | TransitionNotAllowed) for a in responses)
    times = [transition.at_ms for transition in timer.history]
    assert times == sorted(times)
    assert open_in_slots(table, ISSUE) == open_in_indexes(table) == []


def test_each_response_is_the_state_after_its_own_transition(
    store: TimerStore, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    responses = race(
        threads,
        [
            lambda n=n: (store.resume if n % 2 else store.pause)(
                ANN, ulid, now_ms=T0 + 1_000, by="manual", cause=f"r{n}"
            )
            for n in range(THREADS)
        ],
    )
    for number, response in enumerate(responses):
        if isinstance(response, Timer):
            own = next(i for i, t in enumerate(response.history) if t.cause == f"r{number}")
            assert response.history[: own + 1] == store.get(ANN, ulid).history[: own + 1]


@pytest.mark.parametrize("open_first", [True, False])
def test_of_fifty_deletions_one_finds_the_timer(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor, open_first: bool
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    if not open_first:
        store.stop(ANN, ulid, now_ms=T0 + 1, by="manual", cause="a")
    responses = race(
        threads, [lambda n=n: store.delete(ANN, ulid, now_ms=T0 + 2 + n) for n in range(THREADS)]
    )
    assert Counter(map(type, responses)) == {type(None): 1, NotFound: THREADS - 1}
    assert timers_of(store) == []
    assert open_in_slots(table, ISSUE) == open_in_indexes(table) == []
    store.start(user_id=ANN, now_ms=T0 + MINUTE, issue=ISSUE)


def test_corrections_of_one_timer_keep_its_times_consistent(
    store: TimerStore, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    store.pause(ANN, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
    store.resume(ANN, ulid, now_ms=T0 + 15 * MINUTE, by="manual", cause="b")
    store.stop(ANN, ulid, now_ms=T0 + 30 * MINUTE, by="manual", cause="c")
    patches = [
        [
            Patch(start_ms=T0 + n * MINUTE),
            Patch(end_ms=T0 + (30 - n) * MINUTE),
            Patch(start_ms=T0 + n * MINUTE, end_ms=T0 + (n + 10) * MINUTE),
            Patch(description=str(n)),
            Patch(issue=(OTHER,)),
        ][n % 5]
        for n in range(THREADS)
    ]
    responses = race(
        threads, [lambda p=p: store.patch(ANN, ulid, p, now_ms=T0 + 60 * MINUTE) for p in patches]
    )
    (timer,) = timers_of(store)
    assert timer.end_ms is not None
    assert timer.clock_ms == timer.end_ms - timer.start_ms - 5 * MINUTE >= 0
    assert timer.version == 4 + sum(isinstance(response, Timer) for response in responses)
    assert timer.issue == OTHER
    seen = [response for response in responses if isinstance(response, Timer)]
    assert all(t.end_ms is not None and t.clock_ms == t.end_ms - t.start_ms - 5 * MINUTE for t in seen)


def test_simultaneous_deletions_corrections_and_transitions_leave_consistent_items(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    acts: list[Callable[[int], object]] = [
        lambda n: store.patch(ANN, ulid, Patch(issue=(OTHER if n % 2 else ISSUE,)), now_ms=T0 + n),
        lambda n: store.pause(ANN, ulid, now_ms=T0 + n, by="manual", cause=f"p{n}"),
        lambda n: store.resume(ANN, ulid, now_ms=T0 + n, by="manual", cause=f"r{n}"),
        lambda n: store.patch(ANN, ulid, Patch(description=str(n)), now_ms=T0 + n),
        lambda n: store.delete(ANN, ulid, now_ms=T0 + n) if n > 44 else None,
    ]
    responses = race(threads, [lambda n=n: acts[n % 5](n) for n in range(THREADS)])
    allowed = Timer | TransitionNotAllowed | NotFound | TooMuchContention | None
    assert all(isinstance(response, allowed) for response in responses), responses
    assert timers_of(store) == []
    assert open_in_slots(table, ISSUE, OTHER) == open_in_indexes(table) == []


def test_moves_to_one_issue_and_starts_on_it_leave_one_timer_there(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    issues = [identified(Issue("octocat", "Hello-World", 100 + n)) for n in range(10)]
    ulids = [store.start(user_id=ANN, now_ms=T0, issue=issue)[0].ulid for issue in issues]
    racers: list[Callable[[], object]] = [
        lambda ulid=ulid: store.patch(ANN, ulid, Patch(issue=(ISSUE,)), now_ms=T0 + 1) for ulid in ulids
    ] + [lambda: store.start(user_id=ANN, now_ms=T0 + 1, issue=ISSUE)] * 10
    responses = race(threads, racers)
    there = [timer for timer in timers_of(store) if timer.issue == ISSUE]
    assert len(there) == 1
    assert open_in_slots(table, ISSUE) == [there[0].ulid]
    assert all(isinstance(response, Timer | OtherTimerOpen | tuple) for response in responses)
    assert sorted(open_in_slots(table, ISSUE, *issues)) == sorted(open_in_indexes(table))


def test_of_a_focus_a_pause_and_a_stop_each_finds_the_state_that_it_needs(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    """A focus succeeds until the timer is paused or stopped, and changes no time."""
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    acts: list[Callable[[int], object]] = [
        lambda n: store.focus(ANN, ulid, now_ms=T0 + 1_000 + n, cause=f"f{n}"),
        lambda n: store.pause(ANN, ulid, now_ms=T0 + 1_000 + n, by="manual", cause=f"p{n}"),
        lambda n: store.focus(ANN, ulid, now_ms=T0 + 1_000 + n, cause=f"f{n}", overtime=True),
        lambda n: store.resume(ANN, ulid, now_ms=T0 + 1_000 + n, by="manual", cause=f"r{n}"),
        lambda n: (
            store.stop(ANN, ulid, now_ms=T0 + 1_000 + n, by="manual", cause=f"s{n}")
            if n > 40
            else store.get(ANN, ulid)
        ),
    ]
    responses = race(threads, [lambda n=n: acts[n % 5](n) for n in range(THREADS)])
    assert all(isinstance(one, Timer | TransitionNotAllowed) for one in responses), responses
    timer = store.get(ANN, ulid)
    assert timer.status is Status.STOPPED
    state = State.started(T0)
    for transition in timer.history[1:]:
        # Each transition was allowed when it was written.
        state = state.apply(transition)
    assert (state.clock_ms, state.changed_ms) == (timer.clock_ms, timer.end_ms)
    done = {transition.cause for transition in timer.history[1:]}
    won = {
        f"{'fpfrs'[n % 5]}{n}"
        for n, one in enumerate(responses)
        if isinstance(one, Timer) and (n % 5 < 4 or n > 40)
    }
    assert done == won
    assert open_in_slots(table, ISSUE) == open_in_indexes(table) == []


def test_of_fifty_splits_each_leaves_two_timers_and_no_time_is_lost(
    store: TimerStore, table: Table, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    now_ms = T0 + THREADS * MINUTE
    responses = race(
        threads,
        [lambda n=n: store.split(ANN, ulid, T0 + n * MINUTE, now_ms=now_ms) for n in range(1, THREADS)],
    )
    timers = timers_of(store)
    assert len(timers) == 1 + sum(isinstance(one, Halves) for one in responses)
    assert all(isinstance(one, Halves | InvalidInput | TooMuchContention) for one in responses), responses
    assert sum(timer.active_ms(now_ms) for timer in timers) == now_ms - T0
    (still_open,) = [timer.ulid for timer in timers if timer.is_open]
    assert open_in_slots(table, ISSUE) == open_in_indexes(table) == [still_open]


def test_simultaneous_corrections_of_pauses_do_not_overlap(
    store: TimerStore, threads: ThreadPoolExecutor
) -> None:
    ulid = store.start(user_id=ANN, now_ms=T0, issue=ISSUE)[0].ulid
    now_ms = T0 + 60 * MINUTE

    def insert(number: int) -> object:
        since_ms = T0 + (number % 10 * 5 + 1) * MINUTE
        return store.correct(
            ANN,
            ulid,
            lambda timer: with_pause(timer, since_ms, since_ms + MINUTE, now_ms, str(number)),
            now_ms=now_ms,
        )

    responses = race(threads, [lambda n=n: insert(n) for n in range(THREADS)])
    won = sum(isinstance(one, Timer) for one in responses)
    assert all(isinstance(one, Timer | InvalidInput | TooMuchContention) for one in responses), responses
    timer = store.get(ANN, ulid)
    assert len(pauses(timer)) == won >= 1
    assert timer.active_ms(now_ms) == (60 - won) * MINUTE
