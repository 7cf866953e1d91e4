"""The store on Amazon's DynamoDB Local."""

from dataclasses import replace
from typing import Any

import pytest

from timer_core.domain import timers
from timer_core.domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    OtherTimerOpen,
    TooManyTransitions,
    TransitionNotAllowed,
)
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, Transition
from timer_core.domain.timers import Period, finished
from timer_core.store import queries, writes
from timer_core.store.changes import NOT_BY_HAND, TimerChange
from timer_core.store.keys import user_pk
from timer_core.store.queries import Filters, Page
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import RawItem, Table, Write
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch, put_changed

ANN, BOB = 21031067, 583231
ISSUE = Issue("octocat", "Hello-World", 7)
OTHER = Issue("octocat", "Hello-World", 8)
# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000


@pytest.fixture
def store(table: Table) -> TimerStore:
    return TimerStore(table)


def start(store: TimerStore, at: int = T0, issue: Issue | None = ISSUE, user: int = ANN) -> str:
    timer, created = store.start(user_id=user, now_ms=at, issue=issue)
    assert created
    return timer.ulid


def test_a_timer_counts_exactly_over_pauses(store: TimerStore) -> None:
    ulid = start(store)
    store.pause(ANN, ulid, now_ms=T0 + 1_234, by="manual", cause="a")
    store.resume(ANN, ulid, now_ms=T0 + 5_000, by="manual", cause="b")
    store.pause(ANN, ulid, now_ms=T0 + 5_001, by="manual", cause="c")
    stopped = store.stop(ANN, ulid, now_ms=T0 + 9_000, by="manual", cause="d")
    assert (stopped.clock_ms, stopped.paused_ms, stopped.end_ms) == (1_235, 7_765, T0 + 9_000)
    assert store.get(ANN, ulid) == stopped


def test_starting_again_on_an_issue_returns_the_open_timer(store: TimerStore) -> None:
    ulid = start(store)
    again, created = store.start(user_id=ANN, now_ms=T0 + 1, issue=Issue("OctoCat", "hello-world", 7))
    assert (again.ulid, created) == (ulid, False)
    start(store, issue=OTHER)
    start(store, user=BOB)


def test_after_stopping_the_issue_is_free_again(store: TimerStore) -> None:
    ulid = start(store)
    store.stop(ANN, ulid, now_ms=T0 + 1, by="manual", cause="a")
    assert start(store, T0 + 2) != ulid


def test_a_forbidden_transition_names_the_state(store: TimerStore) -> None:
    ulid = start(store)
    with pytest.raises(TransitionNotAllowed, match="resume a timer that is running"):
        store.resume(ANN, ulid, now_ms=T0 + 1, by="manual", cause="a")
    store.stop(ANN, ulid, now_ms=T0 + 1, by="manual", cause="b")
    for act in (store.pause, store.resume, store.stop):
        with pytest.raises(TransitionNotAllowed, match="stopped"):
            act(ANN, ulid, now_ms=T0 + 2, by="manual", cause="c")


def test_a_repeated_request_gets_the_response_to_the_first(store: TimerStore) -> None:
    ulid = start(store)
    for act, cause in ((store.pause, "a"), (store.resume, "b"), (store.stop, "c")):
        first = act(ANN, ulid, now_ms=T0 + 10, by="manual", cause=cause)
        assert act(ANN, ulid, now_ms=T0 + 20, by="manual", cause=cause) == first


def test_time_does_not_go_back_when_another_clock_is_ahead(store: TimerStore) -> None:
    ulid = start(store)
    store.pause(ANN, ulid, now_ms=T0 + 1_000, by="manual", cause="a")
    resumed = store.resume(ANN, ulid, now_ms=T0 + 900, by="manual", cause="b")
    assert resumed.active_ms(T0 + 2_000) == 2_000


def test_an_idempotency_key_starts_one_timer_even_without_an_issue(store: TimerStore) -> None:
    key = Idempotency("k" * 32, "r" * 32)
    first, created = store.start(user_id=ANN, now_ms=T0, idempotency=key)
    again, created_again = store.start(user_id=ANN, now_ms=T0 + 5, idempotency=key)
    assert (first.ulid, created, created_again) == (again.ulid, True, True)
    with pytest.raises(IdempotencyKeyReused):
        store.start(user_id=ANN, now_ms=T0 + 6, idempotency=Idempotency("k" * 32, "other"))
    later, _ = store.start(user_id=ANN, now_ms=T0 + 25 * 60 * MINUTE, idempotency=key)
    assert later.ulid != first.ulid


class TestManyTransitions:
    """A timer has at most `MAX_OF_EACH_KIND` manual transitions, not counting the stop."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timers, "MAX_OF_EACH_KIND", 6)
        monkeypatch.setattr(writes, "MAX_OF_EACH_KIND", 6)

    def fill(self, store: TimerStore, issue: Issue | None = ISSUE) -> str:
        """Return the ULID of a paused timer whose history is full."""
        ulid = start(store, issue=issue)
        for number in range(1, 6):
            act = store.pause if number % 2 else store.resume
            act(ANN, ulid, now_ms=T0 + number * 10, by="manual", cause=str(number))
        return ulid

    @pytest.mark.parametrize("at_ms", [None, T0 + 70])
    def test_a_resume_beyond_the_limit_is_refused_and_says_what_to_do(
        self, store: TimerStore, at_ms: int | None
    ) -> None:
        ulid = self.fill(store)
        before = store.get(ANN, ulid)
        with pytest.raises(
            TooManyTransitions, match=r"Cannot resume .* 6 manual transitions.* Stop it and start"
        ):
            store.resume(ANN, ulid, now_ms=T0 + 90, by="manual", cause="x", at_ms=at_ms)
        assert store.get(ANN, ulid) == before

    def test_the_limit_does_not_hide_that_a_request_is_not_allowed(self, store: TimerStore) -> None:
        with pytest.raises(TransitionNotAllowed):
            store.pause(ANN, self.fill(store), now_ms=T0 + 90, by="manual", cause="x")

    def test_repeating_the_request_that_filled_the_timer_returns_the_timer(self, store: TimerStore) -> None:
        ulid = self.fill(store)
        again = store.pause(ANN, ulid, now_ms=T0 + 90, by="manual", cause="5")
        assert again == store.get(ANN, ulid)

    def test_a_full_timer_can_be_stopped(self, store: TimerStore) -> None:
        ulid = self.fill(store)
        stopped = store.stop(ANN, ulid, now_ms=T0 + 100, by="manual", cause="s")
        assert (stopped.clock_ms, stopped.paused_ms, len(stopped.history)) == (30, 70, 7)
        assert store.get(ANN, ulid) == stopped

    def with_events(self, store: TimerStore) -> str:
        """Return a running timer with a manual start and the maximum number of transitions by events."""
        ulid = start(store)
        timer = store.get(ANN, ulid)
        for number in range(6):
            action = Action.RESUME if number % 2 else Action.PAUSE
            timer = timer.apply(Transition(T0 + number, action, f"comment.{action}", f"event{number}"))
        store.changes.execute(TimerChange(ANN, [writes.put_changed(timer)], T0, T0, NOT_BY_HAND))
        return ulid

    def test_transitions_by_events_leave_the_manual_ones_their_places(self, store: TimerStore) -> None:
        ulid = self.with_events(store)
        for number in range(1, 6):
            act = store.pause if number % 2 else store.resume
            timer = act(ANN, ulid, now_ms=T0 + number * 10, by="manual", cause=str(number))
        assert (timer.status, len(timer.history)) == ("paused", 12)
        assert store.pause(ANN, ulid, now_ms=T0 + 90, by="manual", cause="5") == timer
        with pytest.raises(TooManyTransitions, match="6 manual transitions"):
            store.resume(ANN, ulid, now_ms=T0 + 90, by="manual", cause="x")

    @pytest.mark.parametrize("by_events", [False, True])
    @pytest.mark.parametrize("keyed", [False, True])
    def test_a_start_that_finds_an_open_timer_is_noted_while_there_is_room_then_refused(
        self, store: TimerStore, keyed: bool, by_events: bool
    ) -> None:
        ulid = self.with_events(store) if by_events else start(store)
        keys = [Idempotency(f"{number:032}", "r" * 32) if keyed else None for number in range(6)]
        for number, key in enumerate(keys[:5]):
            timer, created = store.start(user_id=ANN, now_ms=T0 + number, issue=ISSUE, idempotency=key)
            assert (timer.ulid, created, timer) == (ulid, False, store.get(ANN, ulid))
        assert len(timer.history) == (12 if by_events else 6)
        with pytest.raises(TooManyTransitions, match=r"Cannot start .* 6 manual transitions"):
            store.start(user_id=ANN, now_ms=T0 + 20, issue=ISSUE, idempotency=keys[5])
        if keyed:
            assert store.start(user_id=ANN, now_ms=T0 + 30, issue=ISSUE, idempotency=keys[4]) == (
                timer,
                False,
            )
        assert store.get(ANN, ulid) == timer

    def test_the_last_start_is_noted_although_the_response_of_the_database_is_lost(
        self, store: TimerStore, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ulid = start(store)
        for number in range(4):
            store.start(user_id=ANN, now_ms=T0 + number, issue=ISSUE)
        write = table.write

        def write_twice(one: Write) -> RawItem:
            write(one)
            return write(one)

        monkeypatch.setattr(table, "write", write_twice)
        timer, created = store.start(user_id=ANN, now_ms=T0 + 9, issue=ISSUE)
        assert (timer.ulid, created, len(timer.history)) == (ulid, False, 6)


@pytest.mark.parametrize("action", [Action.PAUSE, Action.RESUME])
def test_a_pause_or_resume_updates_the_timer_as_the_state_machine_does(
    store: TimerStore, action: Action
) -> None:
    ulid = start(store)
    if action is Action.RESUME:
        store.pause(ANN, ulid, now_ms=T0 + 5, by="manual", cause="before")
    before = store.get(ANN, ulid)
    written = getattr(store, action)(ANN, ulid, now_ms=T0 + 25, by="manual", cause="this")
    applied = before.apply(Transition(T0 + 25, action, "manual", "this"))
    assert written == replace(applied, version=before.version + 1)


class TestPatch:
    def finish(self, store: TimerStore) -> str:
        ulid = start(store)
        store.pause(ANN, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
        store.resume(ANN, ulid, now_ms=T0 + 15 * MINUTE, by="manual", cause="b")
        store.stop(ANN, ulid, now_ms=T0 + 30 * MINUTE, by="manual", cause="c")
        return ulid

    @pytest.mark.parametrize(
        ("start_min", "end_min", "active_min"), [(-5, None, 30), (None, 20, 15), (-5, 40, 40), (25, None, 0)]
    )
    def test_a_corrected_start_or_end_keeps_the_pauses(
        self, store: TimerStore, start_min: int | None, end_min: int | None, active_min: int
    ) -> None:
        ulid = self.finish(store)
        patch = Patch(
            start_ms=None if start_min is None else T0 + start_min * MINUTE,
            end_ms=None if end_min is None else T0 + end_min * MINUTE,
        )
        timer = store.patch(ANN, ulid, patch, now_ms=T0 + 60 * MINUTE)
        assert (timer.clock_ms, timer.paused_ms) == (active_min * MINUTE, 5 * MINUTE)
        again = store.patch(ANN, ulid, Patch(start_ms=timer.start_ms - MINUTE), now_ms=T0 + 61 * MINUTE)
        assert (again.clock_ms, again.paused_ms) == ((active_min + 1) * MINUTE, 5 * MINUTE)
        last = store.patch(ANN, ulid, Patch(end_ms=(timer.end_ms or 0) + MINUTE), now_ms=T0 + 62 * MINUTE)
        assert (last.clock_ms, last.paused_ms) == ((active_min + 2) * MINUTE, 5 * MINUTE)

    @pytest.mark.parametrize(("start_min", "end_min"), [(26, None), (None, 4), (0, 4)])
    def test_pauses_that_do_not_fit_between_start_and_end_are_refused(
        self, store: TimerStore, start_min: int | None, end_min: int | None
    ) -> None:
        ulid = self.finish(store)
        before = store.get(ANN, ulid)
        patch = Patch(
            start_ms=None if start_min is None else T0 + start_min * MINUTE,
            end_ms=None if end_min is None else T0 + end_min * MINUTE,
        )
        with pytest.raises(InvalidInput, match="300"):
            store.patch(ANN, ulid, patch, now_ms=T0 + 60 * MINUTE)
        assert store.get(ANN, ulid) == before

    def test_an_open_timer_moves_to_another_issue_with_its_slot(self, store: TimerStore) -> None:
        ulid = start(store)
        moved = store.patch(ANN, ulid, Patch(issue=(OTHER,), description="x"), now_ms=T0 + 1)
        assert (moved.issue, moved.description, moved.clock_ms) == (OTHER, "x", -T0)
        again, created = store.start(user_id=ANN, now_ms=T0 + 2, issue=OTHER)
        assert (again.ulid, created) == (ulid, False)
        start(store, T0 + 3, ISSUE)

    def test_an_open_timer_does_not_move_to_an_issue_with_another_open_one(self, store: TimerStore) -> None:
        ulid, other = start(store), start(store, issue=OTHER)
        with pytest.raises(OtherTimerOpen, match=other):
            store.patch(ANN, ulid, Patch(issue=(OTHER,)), now_ms=T0 + 1)
        assert store.get(ANN, ulid).issue == ISSUE

    @pytest.mark.parametrize("is_open", [True, False])
    def test_the_title_stays_as_long_as_the_issue_is_the_same(self, store: TimerStore, is_open: bool) -> None:
        ulid = start(store, issue=replace(ISSUE, title="Say hello"))
        if not is_open:
            store.stop(ANN, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
        again = Patch(issue=(Issue("OctoCat", "hello-world", 7),), description="x")
        same = store.patch(ANN, ulid, again, now_ms=T0 + 11 * MINUTE)
        assert same.issue == Issue("OctoCat", "hello-world", 7, title="Say hello")
        assert (same.description, same.is_open) == ("x", is_open)
        assert store.get(ANN, ulid) == same
        moved = store.patch(ANN, ulid, Patch(issue=(OTHER,)), now_ms=T0 + 12 * MINUTE)
        assert moved.issue == OTHER == store.get(ANN, ulid).issue
        back = store.patch(ANN, ulid, Patch(issue=(ISSUE,)), now_ms=T0 + 13 * MINUTE)
        assert back.issue == ISSUE

    def test_the_title_stays_when_times_are_corrected_with_it(self, store: TimerStore) -> None:
        titled = replace(ISSUE, title="Say hello")
        ulid = start(store, issue=titled)
        store.pause(ANN, ulid, now_ms=T0 + 5 * MINUTE, by="manual", cause="a")
        store.stop(ANN, ulid, now_ms=T0 + 30 * MINUTE, by="manual", cause="b")
        patch = Patch(issue=(ISSUE,), end_ms=T0 + 40 * MINUTE)
        timer = store.patch(ANN, ulid, patch, now_ms=T0 + 60 * MINUTE)
        assert (timer.issue, timer.end_ms) == (titled, T0 + 40 * MINUTE)
        with pytest.raises(InvalidInput, match="1500"):
            store.patch(ANN, ulid, replace(patch, end_ms=T0 + 1), now_ms=T0 + 60 * MINUTE)
        assert store.get(ANN, ulid) == timer

    def test_a_patch_does_not_restore_the_title_of_a_timer_that_was_moved_concurrently(
        self, store: TimerStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ulid = start(store, issue=replace(ISSUE, title="Say hello"))
        store.stop(ANN, ulid, now_ms=T0 + 1, by="manual", cause="a")
        writes, write = [], store._table.write

        def move_concurrently(wanted: Write) -> RawItem:
            writes.append(wanted)
            if len(writes) == 1:
                monkeypatch.setattr(store._table, "write", write)
                store.patch(ANN, ulid, Patch(issue=(OTHER,)), now_ms=T0 + 2)
            return write(wanted)

        monkeypatch.setattr(store._table, "write", move_concurrently)
        assert store.patch(ANN, ulid, Patch(issue=(ISSUE,)), now_ms=T0 + 2).issue == ISSUE
        assert store.get(ANN, ulid).issue == ISSUE
        assert len(writes) == 1

    def test_a_timer_can_be_removed_from_its_issue(self, store: TimerStore) -> None:
        ulid = start(store)
        assert store.patch(ANN, ulid, Patch(issue=(None,)), now_ms=T0 + 1).issue is None
        store.stop(ANN, ulid, now_ms=T0 + 2, by="manual", cause="a")
        moved = store.patch(ANN, ulid, Patch(issue=(ISSUE,), organization="acme"), now_ms=T0 + 3)
        assert (moved.issue, moved.organization) == (ISSUE, "acme")

    def test_a_description_can_be_set_and_emptied(self, store: TimerStore) -> None:
        ulid = start(store)
        assert store.patch(ANN, ulid, Patch(description="é\n☕"), now_ms=T0).description == "é\n☕"
        assert store.patch(ANN, ulid, Patch(description=""), now_ms=T0).description == ""
        with pytest.raises(NotFound):
            store.patch(BOB, ulid, Patch(description="x"), now_ms=T0)


@pytest.mark.parametrize("open_first", [True, False])
def test_a_deleted_timer_no_longer_exists_and_its_issue_is_free(store: TimerStore, open_first: bool) -> None:
    ulid = start(store)
    if not open_first:
        store.stop(ANN, ulid, now_ms=T0 + 1, by="manual", cause="a")
    store.delete(ANN, ulid, now_ms=T0 + 2)
    for act in (
        lambda: store.get(ANN, ulid),
        lambda: store.delete(ANN, ulid, now_ms=T0 + 3),
        lambda: store.pause(ANN, ulid, now_ms=T0 + 3, by="manual", cause="b"),
        lambda: store.patch(ANN, ulid, Patch(description="x"), now_ms=T0 + 3),
    ):
        with pytest.raises(NotFound):
            act()
    assert store.page(ANN, Filters(), page_size=10).timers == ()
    start(store, T0 + 4)


class TestLists:
    def fill(self, store: TimerStore) -> None:
        for number in range(10):
            start_ms = T0 + (number * 7 % 10) * MINUTE
            store.add(
                finished(
                    user_id=ANN,
                    ulid=f"01ARZ3NDEKTSV4RRFFQ69G5FA{number}",
                    start_ms=start_ms,
                    end_ms=start_ms + MINUTE,
                    now_ms=T0 + 60 * MINUTE,
                    issue=ISSUE if number % 2 else OTHER,
                    organization=None,
                    description="",
                )
            )
        start(store, T0 + 20 * MINUTE, ISSUE)
        start(store, T0 + 20 * MINUTE, user=BOB)

    @pytest.mark.parametrize("page_size", [1, 3, 11, 100])
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(), [20, *range(9, -1, -1)]),
            (Filters(is_open=True), [20]),
            (Filters(is_open=False), list(range(9, -1, -1))),
            (Filters(repo_keys=frozenset({"octocat/hello-world"}), number=7), [20, 9, 7, 5, 3, 1]),
            (Filters(repo_keys=frozenset({"octocat/other"})), []),
            (Filters(start_from_ms=T0 + 3 * MINUTE, start_before_ms=T0 + 6 * MINUTE), [5, 4, 3]),
            (Filters(start_before_ms=T0), []),
            (Filters(start_from_ms=T0 + MINUTE, start_before_ms=T0), []),
        ],
    )
    def test_pages_in_both_directions_have_each_timer_once(
        self, store: TimerStore, page_size: int, filters: Filters, expected: list[int]
    ) -> None:
        self.fill(store)
        seen, pages, position = [], [], None
        while True:
            page = store.page(ANN, filters, page_size=page_size, position=position)
            minutes = [(timer.start_ms - T0) // MINUTE for timer in page.timers]
            seen += minutes
            pages.append(minutes)
            if page.next is None:
                break
            position = page.next
        assert seen == expected
        back = [minutes]
        while page.previous is not None:
            page = store.page(ANN, filters, page_size=page_size, position=page.previous)
            back.append([(timer.start_ms - T0) // MINUTE for timer in page.timers])
        assert back[::-1] == pages

    @pytest.mark.parametrize("page_size", [1, 3, 100])
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(repo_keys=frozenset({"octocat/hello-world"}), number=7), [20, 9, 7, 5, 3, 1]),
            (Filters(number=8, start_before_ms=T0 + 5 * MINUTE), [4, 2, 0]),
            (Filters(repo_keys=frozenset({"octocat/other"})), []),
            (Filters(is_open=True, repo_keys=frozenset({"octocat/other"})), []),
        ],
    )
    def test_filters_that_match_few_timers_make_short_pages_that_have_each_timer_once(
        self,
        store: TimerStore,
        monkeypatch: pytest.MonkeyPatch,
        page_size: int,
        filters: Filters,
        expected: list[int],
    ) -> None:
        self.fill(store)
        monkeypatch.setattr(queries, "_FILTERED_READ", 1)
        monkeypatch.setattr(queries, "_READS", 2)
        reads: list[int] = []
        query = store._table.query

        def counted(*arguments: Any, **keywords: Any) -> Any:
            reads.append(1)
            return query(*arguments, **keywords)

        monkeypatch.setattr(store._table, "query", counted)

        def walk(page: Page, direction: str) -> list[int]:
            seen: list[int] = []
            while True:
                seen += [
                    timer.start_ms for timer in (page.timers if direction == "next" else page.timers[::-1])
                ]
                position = getattr(page, direction)
                if position is None:
                    return [(start_ms - T0) // MINUTE for start_ms in seen]
                reads.clear()
                page = store.page(ANN, filters, page_size=page_size, position=position)
                # Two reads of the table, and two of the index of moved starts.
                assert len(reads) <= 4

        pages = [store.page(ANN, filters, page_size=page_size)]
        while pages[-1].next is not None:
            pages.append(store.page(ANN, filters, page_size=page_size, position=pages[-1].next))
        assert walk(pages[0], "next") == expected
        for number, page in enumerate(pages):
            newer = [timer.start_ms for before in pages[:number] for timer in before.timers]
            shown = [timer.start_ms for timer in page.timers]
            if page.previous is None:
                # Only the first page, and the last page if it is empty, have no link to a previous page.
                assert number == 0 or (not shown and page.next is None)
            else:
                assert walk(page, "previous") == [(at - T0) // MINUTE for at in [*newer, *shown][::-1]]

    def test_a_search_without_matches_ends(self, store: TimerStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fill(store)
        monkeypatch.setattr(queries, "_FILTERED_READ", 1)
        monkeypatch.setattr(queries, "_READS", 4)
        page = store.page(ANN, Filters(repo_keys=frozenset({"octocat/other"})), page_size=50)
        assert (page.timers, page.previous) == ((), None)
        # Four of the ten timers in the table were read, newest first. Another one has a moved start.
        assert page.next is not None
        assert (page.next.start_ms, page.next.backwards) == (T0 + 6 * MINUTE, False)


def test_a_timer_of_an_index_lacks_only_causes_and_cannot_be_written(store: TimerStore) -> None:
    ulid = start(store)
    store.pause(ANN, ulid, now_ms=T0 + MINUTE, by="manual", cause="a")
    (found,) = store.overlapping(ANN, Period(T0, T0 + MINUTE))
    timer = store.get(ANN, ulid)
    history = tuple(done._replace(cause="") for done in timer.history)
    assert found == replace(timer, history=history)
    with pytest.raises(ValueError, match="read again"):
        put_changed(found)


class TestMovedStarts:
    """Timers are sorted by start, also those whose start has moved since their ULID was made."""

    def test_a_list_has_them_in_their_place_and_once(self, store: TimerStore) -> None:
        ulids = [start(store, T0 + number * MINUTE, None) for number in range(6)]
        for number, at_ms in ((1, T0 + 210_000), (4, T0 + 30_000), (5, T0 + 2 * MINUTE)):
            store.patch(ANN, ulids[number], Patch(start_ms=at_ms), now_ms=T0 + 9 * MINUTE)
        expected = [1, 3, 5, 2, 4, 0] if ulids[5][10:] > ulids[2][10:] else [1, 3, 2, 5, 4, 0]
        for page_size in (1, 2, 4, 10):
            page = store.page(ANN, Filters(), page_size=page_size)
            listed = [timer.ulid for timer in page.timers]
            while page.next:
                page = store.page(ANN, Filters(), page_size=page_size, position=page.next)
                listed += [timer.ulid for timer in page.timers]
            assert [ulids.index(ulid) for ulid in listed] == expected
        later = Filters(start_from_ms=T0 + 150_000)
        assert {timer.ulid for timer in store.page(ANN, later, page_size=9).timers} == {ulids[1], ulids[3]}
        assert (store.count(ANN, Filters()), store.count(ANN, later)) == (6, 2)

    def test_a_start_that_moves_back_is_where_it_was(self, store: TimerStore) -> None:
        ulid = start(store, T0, None)
        for at_ms in (T0 - MINUTE, T0):
            store.patch(ANN, ulid, Patch(start_ms=at_ms), now_ms=T0 + 9 * MINUTE)
        assert list(store._table.query_all(user_pk(ANN), index="by-start")) == []
        assert [timer.ulid for timer in store.page(ANN, Filters(), page_size=9).timers] == [ulid]

    def test_only_people_with_moved_starts_need_the_index(self, store: TimerStore) -> None:
        days = StoredDays(store._table)
        ulid = start(store, T0, None)
        assert not days.state(ANN).has_moved_starts
        (timer,) = store.page(ANN, Filters(), page_size=9, has_moved_starts=False).timers
        assert timer.ulid == ulid
        store.patch(ANN, ulid, Patch(start_ms=T0 - MINUTE), now_ms=T0 + 9 * MINUTE)
        assert days.state(ANN).has_moved_starts

    def test_pages_are_full_although_timers_between_them_were_deleted(self, store: TimerStore) -> None:
        ulids = [start(store, T0 + number * MINUTE, None) for number in range(9)]
        for number in (3, 6, 7):
            store.delete(ANN, ulids[number], now_ms=T0 + 20 * MINUTE)
        page = store.page(ANN, Filters(), page_size=4)
        assert [ulids.index(timer.ulid) for timer in page.timers] == [8, 5, 4, 2]
        assert page.next is not None
        rest = store.page(ANN, Filters(), page_size=4, position=page.next)
        assert ([ulids.index(timer.ulid) for timer in rest.timers], rest.next) == ([1, 0], None)


class TestStoredDays:
    """A change of more than a day ago also marks the stored days as outdated, in one transaction."""

    AGO, NOW = T0 + 10 * MINUTE, T0 + 3 * 24 * 60 * MINUTE

    def test_a_start_that_finds_an_open_timer_returns_it(self, store: TimerStore) -> None:
        ulid = start(store)
        timer, created = store.start(user_id=ANN, now_ms=self.NOW, issue=ISSUE, at_ms=self.AGO)
        assert (timer, created) == (store.get(ANN, ulid), False)
        assert [done.at_ms for done in timer.history] == [T0, self.AGO]

    def test_a_transition_returns_the_timer(self, store: TimerStore) -> None:
        ulid = start(store)
        timer = store.pause(ANN, ulid, now_ms=self.NOW, by="manual", cause="a", at_ms=self.AGO)
        assert (timer, timer.status) == (store.get(ANN, ulid), "paused")


def test_an_expired_timer_ends_at_the_given_time(store: TimerStore) -> None:
    ulid = start(store)
    store.pause(ANN, ulid, now_ms=T0 + 10 * MINUTE, by="manual", cause="a")
    store.resume(ANN, ulid, now_ms=T0 + 20 * MINUTE, by="manual", cause="b")
    # A sign of life counts for its whole date.
    store.pause(ANN, ulid, now_ms=T0 + 3_000 * MINUTE, by="manual", cause="c")
    assert list(store.open_timers(before_ms=T0)) == []
    end_ms, sign_ms = T0 + 70 * MINUTE, T0 + 20 * MINUTE
    assert store.expire(ANN, ulid, end_ms=end_ms, sign_ms=sign_ms - 1, now_ms=T0 + 4_000 * MINUTE) is None
    timer = store.expire(ANN, ulid, end_ms=end_ms, sign_ms=sign_ms, now_ms=T0 + 4_000 * MINUTE)
    assert timer is not None
    assert (timer.end_ms, timer.clock_ms, timer.paused_ms) == (T0 + 70 * MINUTE, 60 * MINUTE, 10 * MINUTE)
    assert store.get(ANN, ulid) == timer
    assert store.expire(ANN, ulid, end_ms=end_ms, sign_ms=sign_ms, now_ms=T0 + 5_000 * MINUTE) is None
