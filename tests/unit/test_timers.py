"""The transitions and durations of a timer, with requests in any order and from any clocks."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.errors import InvalidInput, TransitionNotAllowed
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timers import Timer, check_span, cut, finished, without

ISSUE = Issue("octocat", "Hello-World", 7)
T0 = 1_763_900_000_000
MINUTE = 60_000
ULID = "01JD3K5W9GZ8Q4T1M6V7X0Y2BC"


def started(at_ms: int = T0, issue: Issue | None = ISSUE, organization: str | None = None) -> Timer:
    return Timer.start(
        user_id=1, ulid=ULID, at_ms=at_ms, now_ms=at_ms, by="manual", issue=issue, organization=organization
    )


def paused() -> Timer:
    return started().pause(T0 + MINUTE, "manual")


def stopped() -> Timer:
    return started().stop(T0 + MINUTE, "manual")


@dataclass
class Stopwatch:
    """A simple model with the same rules. The model adds up the running and the paused times."""

    began_ms: int
    active_ms: int = 0
    paused_ms: int = 0
    running: bool = True

    def elapse(self, ms: int) -> None:
        if self.running:
            self.active_ms += ms
        else:
            self.paused_ms += ms


@st.composite
def worked(draw: st.DrawFn) -> tuple[Timer, Stopwatch, int]:
    """Draw a timer with any number of pauses, a stopwatch with the same times, and the present time."""
    now = draw(st.integers(0, 2**42))
    timer, watch = started(now), Stopwatch(now)
    for gap in draw(st.lists(st.integers(0, 10**8), max_size=25)):
        now += gap
        watch.elapse(gap)
        timer = (
            timer.pause(now, "manual")
            if watch.running
            else timer.apply(Transition(now, Action.RESUME, "manual"))
        )
        watch.running = not watch.running
    gap = draw(st.integers(0, 10**8))
    watch.elapse(gap)
    return timer, watch, now + gap


class TestStart:
    def test_runs_from_its_start_without_active_time(self) -> None:
        timer = started()
        assert (timer.status, timer.active_ms(T0), timer.paused_ms, timer.end_ms) == ("running", 0, 0, None)

    def test_belongs_to_the_owner_of_the_repository(self) -> None:
        assert started().organization == "octocat"

    def test_belongs_to_another_organization_if_one_is_given(self) -> None:
        assert started(organization="acme").organization == "acme"

    def test_needs_neither_issue_nor_organization(self) -> None:
        timer = started(issue=None)
        assert (timer.issue, timer.organization) == (None, None)

    def test_names_its_owner_in_its_id(self) -> None:
        assert started().id == f"1-{ULID}"


class TestTransitions:
    def test_a_running_timer_pauses(self) -> None:
        timer = started().pause(T0 + 5, "unassigned")
        assert (timer.status, timer.last_pause_ms, timer.paused_by) == ("paused", T0 + 5, "unassigned")

    def test_a_paused_timer_resumes(self) -> None:
        timer = paused().apply(Transition(T0 + 2 * MINUTE, Action.RESUME, "manual"))
        assert (timer.status, timer.last_pause_ms, timer.paused_by) == ("running", None, None)

    @pytest.mark.parametrize("make", [started, paused])
    def test_an_open_timer_stops(self, make: Callable[[], Timer]) -> None:
        timer = make().stop(T0 + 3 * MINUTE, "closed")
        assert (timer.status, timer.end_ms, timer.stopped_by) == ("stopped", T0 + 3 * MINUTE, "closed")
        assert not timer.is_open

    @pytest.mark.parametrize(
        ("make", "action"),
        [
            (started, "resume"),
            (paused, "pause"),
            (stopped, "pause"),
            (stopped, "resume"),
            (stopped, "stop"),
        ],
    )
    def test_other_transitions_are_refused_with_the_status(
        self, make: Callable[[], Timer], action: str
    ) -> None:
        timer = make()
        with pytest.raises(TransitionNotAllowed) as refused:
            timer.apply(Transition(T0 + 5 * MINUTE, Action(action), "manual"))
        assert str(refused.value) == f"Cannot {action} a timer that is {timer.status}."

    def test_a_history_has_the_time_and_cause_of_each_transition(self) -> None:
        timer = started().pause(T0 + 1, "unassigned", "guid-1").stop(T0 + 2, "manual", "request-2")
        assert [(t.at_ms - T0, t.action, t.by, t.cause) for t in timer.history] == [
            (0, "start", "manual", ULID),
            (1, "pause", "unassigned", "guid-1"),
            (2, "stop", "manual", "request-2"),
        ]

    @pytest.mark.parametrize("action", ["pause", "stop"])
    def test_a_slow_clock_does_not_turn_time_back(self, action: str) -> None:
        timer = getattr(started(), action)(T0 - MINUTE, "manual")
        assert (timer.active_ms(T0), timer.changed_ms) == (0, T0)


class TestCounting:
    @given(worked())
    def test_only_the_time_outside_of_pauses_counts(self, work: tuple[Timer, Stopwatch, int]) -> None:
        timer, watch, now = work
        assert timer.active_ms(now) == watch.active_ms

    @given(worked())
    def test_active_and_paused_time_add_up_to_the_elapsed_time(
        self, work: tuple[Timer, Stopwatch, int]
    ) -> None:
        timer, watch, now = work
        present_pause = 0 if timer.last_pause_ms is None else now - timer.last_pause_ms
        assert timer.paused_ms + present_pause == watch.paused_ms

    @given(worked())
    def test_stopping_keeps_the_active_and_paused_time(self, work: tuple[Timer, Stopwatch, int]) -> None:
        timer, watch, now = work
        timer = timer.stop(now, "manual")
        assert (timer.active_ms(now + 10**9), timer.paused_ms) == (watch.active_ms, watch.paused_ms)

    @given(
        st.lists(st.tuples(st.integers(-(10**6), 10**6), st.sampled_from(["pause", "resume"]))),
        st.integers(-(10**6), 10**6),
    )
    def test_no_clock_makes_a_duration_negative(self, asked: list[tuple[int, str]], present: int) -> None:
        timer = started()
        for at, action in asked:
            if (action == "pause") == (timer.status is Status.RUNNING):
                timer = timer.apply(Transition(T0 + at, Action(action), "manual"))
        ended = timer.stop(T0 + present, "manual")
        for seen in (timer, ended):
            assert seen.active_ms(T0 + present) >= 0
            assert seen.paused_ms >= 0

    @given(worked(), st.integers(0, 10**9))
    def test_the_active_time_of_a_paused_timer_does_not_change(
        self, work: tuple[Timer, Stopwatch, int], later: int
    ) -> None:
        timer, _, now = work
        if timer.status is Status.RUNNING:
            timer = timer.pause(now, "manual")
        assert timer.active_ms(now + later) == timer.active_ms(now)


class TestExpire:
    def test_ends_at_the_given_time_in_the_past(self) -> None:
        timer = started().expire(T0 + 60 * MINUTE, T0)
        assert (timer.end_ms, timer.clock_ms) == (T0 + 60 * MINUTE, 60 * MINUTE)
        assert (timer.status, timer.stopped_by) == ("stopped", "sweeper")

    def test_its_transition_names_the_last_sign_of_life(self) -> None:
        *_, stop = started().expire(T0 + 60 * MINUTE, T0 + 5 * MINUTE).history
        assert stop == Transition(T0 + 60 * MINUTE, Action.STOP, "sweeper", str(T0 + 5 * MINUTE))

    def test_it_locks_no_events(self) -> None:
        assert started().expire(T0 + 60 * MINUTE, T0).locked_until_ms is None

    def test_pauses_before_the_end_do_not_count(self) -> None:
        timer = (
            paused()
            .apply(Transition(T0 + 11 * MINUTE, Action.RESUME, "manual"))
            .expire(T0 + 70 * MINUTE, T0 + 11 * MINUTE)
        )
        assert (timer.clock_ms, timer.paused_ms) == (60 * MINUTE, 10 * MINUTE)

    def test_a_paused_timer_ends_with_its_pause(self) -> None:
        timer = paused().expire(T0 + 3 * MINUTE, T0 + MINUTE)
        assert (timer.clock_ms, timer.paused_ms) == (MINUTE, 2 * MINUTE)
        assert (timer.last_pause_ms, timer.paused_by) == (None, None)

    def test_later_transitions_stay_in_the_history_and_change_nothing(self) -> None:
        timer = (
            started()
            .pause(T0 + 90 * MINUTE, "manual")
            .apply(Transition(T0 + 95 * MINUTE, Action.RESUME, "manual"))
        )
        timer = timer.expire(T0 + 60 * MINUTE, T0)
        assert (timer.end_ms, timer.clock_ms, timer.paused_ms) == (T0 + 60 * MINUTE, 60 * MINUTE, 0)
        assert [one.action for one in timer.history] == ["start", "stop", "pause", "resume"]

    def test_a_stopped_timer_is_refused(self) -> None:
        with pytest.raises(TransitionNotAllowed, match="stopped"):
            stopped().expire(T0 + 900 * MINUTE, T0)

    @given(worked(), st.integers(0, 10**9))
    def test_an_end_at_the_last_transition_or_later_counts_what_an_ordinary_stop_counts(
        self, work: tuple[Timer, Stopwatch, int], later: int
    ) -> None:
        timer, _, now = work
        ended, stopped = timer.expire(now + later, now), timer.stop(now + later, "manual")
        assert (ended.end_ms, ended.clock_ms, ended.paused_ms) == (
            stopped.end_ms,
            stopped.clock_ms,
            stopped.paused_ms,
        )


class TestLastSign:
    def test_the_start_is_the_first_sign(self) -> None:
        assert started().last_sign_until(T0 + MINUTE) == T0

    def test_every_transition_is_a_sign(self) -> None:
        assert paused().last_sign_until(T0 + 2 * MINUTE) == T0 + MINUTE

    def test_the_stop_by_the_sweeper_is_no_sign(self) -> None:
        assert started().expire(T0 + 60 * MINUTE, T0).last_sign_until(T0 + 60 * MINUTE) == T0

    def test_stored_signs_count_up_to_the_given_time(self) -> None:
        timer = replace(started(), signs=(T0 + 2 * MINUTE, T0 + 9 * MINUTE))
        assert timer.last_sign_until(T0 + 5 * MINUTE) == T0 + 2 * MINUTE
        assert timer.last_sign_until(T0 + 9 * MINUTE) == T0 + 9 * MINUTE


class TestSpans:
    some = st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted).map(lambda pair: Span(*pair))
    )

    @staticmethod
    def instants(spans: Iterable[Span]) -> set[int]:
        return {at_ms for span in spans for at_ms in range(*span)}

    @given(spans=some, others=some)
    def test_time_without_other_time(self, spans: list[Span], others: list[Span]) -> None:
        found = without(spans, others)
        assert self.instants(found) == self.instants(spans) - self.instants(others)
        assert found == sorted(span for span in found if span.since_ms < span.until_ms)

    @given(spans=some, edges=st.tuples(st.integers(0, 12), st.integers(0, 12)))
    def test_the_time_between_two_instants(self, spans: list[Span], edges: tuple[int, int]) -> None:
        first_ms, last_ms = sorted(edges)
        apart = without([Span(0, 12)], spans)
        assert self.instants(cut(apart, first_ms, last_ms)) == self.instants(apart) & {
            *range(first_ms, last_ms)
        }

    def test_many_spans_are_compared_with_their_neighbours_only(self) -> None:
        """Comparing each of these spans with each other one takes minutes."""
        many = [Span(at_ms, at_ms + 6) for at_ms in range(0, 400_000, 10)]
        began_s = time.process_time()
        assert len(without(many, [Span(one.since_ms + 2, one.since_ms + 4) for one in many])) == 2 * len(many)
        assert time.process_time() - began_s < 5


class TestFinished:
    def test_is_stopped_and_counts_its_whole_span(self) -> None:
        timer = finished(
            user_id=1,
            ulid=ULID,
            start_ms=T0,
            end_ms=T0 + MINUTE,
            now_ms=T0 + 2 * MINUTE,
            issue=None,
            organization="acme",
            description="read the logs",
        )
        assert (timer.status, timer.clock_ms, timer.paused_ms) == ("stopped", MINUTE, 0)
        assert (timer.start_ms, timer.end_ms, timer.created_ms) == (T0, T0 + MINUTE, T0 + 2 * MINUTE)
        assert (timer.source, timer.stopped_by, timer.organization) == ("manual", "manual", "acme")

    @pytest.mark.parametrize(
        ("start_ms", "end_ms", "field"),
        [(T0 + 1, T0, "end_time"), (T0, T0 + MINUTE + 1, "end_time"), (T0 + MINUTE + 1, None, "start_time")],
    )
    def test_impossible_times_are_refused(self, start_ms: int, end_ms: int | None, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            check_span(start_ms, end_ms, T0 + MINUTE)
        assert refused.value.field == field

    def test_an_empty_span_is_accepted(self) -> None:
        check_span(T0, T0, T0)
        check_span(None, None, T0)
        assert stopped().clock_ms == MINUTE
