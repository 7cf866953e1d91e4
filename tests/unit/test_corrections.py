"""A corrected timer has exactly the time that its owner stated, and events up to there change nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from timer_core.domain.calendar import Calendar, ConcurrentTimers, Policy
from timer_core.domain.corrections import (
    Correction,
    divided,
    time_of,
    with_changed_pause,
    with_pause,
    with_times,
    without_pause,
)
from timer_core.domain.errors import (
    ErrorCode,
    InvalidInput,
    NotFound,
    TooManyTransitions,
    TransitionNotAllowed,
)
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Outcome, replay
from timer_core.domain.schedule import ScheduleVersion, Span, Week, joined
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timeline import timeline
from timer_core.domain.timers import (
    LATEST_MS,
    MAX_CLAIMS,
    MAX_OF_EACH_KIND,
    Claim,
    Timer,
    finished,
    pauses,
    stretches,
    without,
)

MINUTE, HOUR = 60_000, 3_600_000
T0 = 1_767_258_000_000  # 2026-01-01T09:00:00Z, so that nothing in these tests reaches midnight
NOW = T0 + 10 * HOUR
ULID, OTHER = "01JD3K5W9GZ8Q4T1M6V7X0Y2BC", "01JD3K5W9GZ8Q4T1M6V7X0Y2BD"
ISSUE = Issue("octocat", "Hello-World", 7, repo_id=1)


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE)


def started(minute: float = 0, by: str = "manual") -> Timer:
    cause = None if by == "manual" else f"{by}{minute}"
    return Timer.start(
        user_id=1, ulid=ULID, at_ms=at(minute), now_ms=at(minute), by=by, cause=cause, issue=ISSUE
    )


def run(timer: Timer, *transitions: tuple[float, str, str]) -> Timer:
    for minute, action, by in transitions:
        timer = timer.apply(Transition(at(minute), Action(action), by, f"{by}{minute}"))
    return timer


def worked() -> Timer:
    """Return a timer from minute 0 to 60 with pauses from 10 to 20 and from 40 to 45."""
    pauses_by_hand = [(10, "pause", "manual"), (20, "resume", "manual")]
    return run(
        started(), *pauses_by_hand, (40, "pause", "manual"), (45, "resume", "manual"), (60, "stop", "manual")
    )


def minutes(timer: Timer, now_ms: int = NOW) -> list[tuple[float, float]]:
    """Return the stretches of a timer in minutes."""
    return [((since - T0) / MINUTE, (until - T0) / MINUTE) for since, until in stretches(timer, now_ms)]


def claims(timer: Timer) -> list[tuple[float, float, str]]:
    return sorted(
        ((one.since_ms - T0) / MINUTE, (one.until_ms - T0) / MINUTE, "work" if one.counts else "gap")
        for one in timer.claims
    )


def counts(*timers: Timer, now_ms: int = NOW) -> list[Span]:
    """Return the time that counts for some timers together, if the person has no others.

    There are no breaks, which depend on what the owner did by hand.
    """
    calendar = Calendar((Policy(concurrent_timers=ConcurrentTimers.PARALLEL),))
    found = timeline(timers, calendar, now_ms).slices
    return list(joined(sorted(Span(piece.since_ms, piece.until_ms) for piece in found)))


def counts_for(ulid: str, among: list[Timer]) -> list[Span]:
    """Return the time up to minute 60 that counts for one of several timers."""
    found = timeline(among, Calendar(), at(60)).slices
    return list(joined(Span(one.since_ms, one.until_ms) for one in found if one.timer == ulid))


def spans(timer: Timer, now_ms: int = NOW) -> list[Span]:
    return list(joined(Span(*stretch) for stretch in stretches(timer, now_ms)))


class TestTimes:
    def test_added_time_counts_and_removed_time_is_a_gap(self) -> None:
        correction = with_times(worked(), at(-5), at(50), NOW)
        assert minutes(correction.timer) == [(-5, 10), (20, 40), (45, 50)]
        assert claims(correction.timer) == [(-5, 0, "work"), (50, 60, "gap")]
        assert {claim.made_ms for claim in correction.timer.claims} == {NOW}
        assert (correction.reaches_ms, correction.timer.locked_until_ms) == (at(-5), at(50))

    def test_the_latest_statement_about_an_instant_replaces_the_earlier_ones(self) -> None:
        shortened = with_times(worked(), None, at(30), NOW).timer
        assert claims(shortened) == [(30, 40, "gap"), (45, 60, "gap")]
        longer = with_times(shortened, None, at(50), NOW + 1).timer
        assert claims(longer) == [(30, 40, "work"), (45, 50, "work"), (50, 60, "gap")]
        assert spans(longer) == time_of(longer, NOW) == counts(longer)

    def test_an_added_entry_counts_in_full(self) -> None:
        added = finished(user_id=1, ulid=ULID, start_ms=at(0), end_ms=at(30), now_ms=NOW)
        assert added.claims == (Claim(at(0), at(30), NOW, counts=True),)
        assert claims(with_times(added, at(10), None, NOW).timer) == [(0, 10, "gap"), (10, 30, "work")]
        empty = finished(user_id=1, ulid=ULID, start_ms=at(0), end_ms=at(0), now_ms=NOW)
        assert empty.claims == ()

    def test_the_start_of_an_open_timer_can_be_earlier(self) -> None:
        correction = with_times(started(), at(-30), None, at(10))
        timer = correction.timer
        assert (timer.start_ms, timer.status, timer.active_ms(at(10))) == (at(-30), "running", 40 * MINUTE)
        assert claims(timer) == [(-30, 0, "work")]
        assert (correction.reaches_ms, correction.locked_until_ms) == (at(-30), at(0))
        assert timer.locked_until_ms is None
        # The owner's start still decides what counts after the claim.
        assert (at(0), "focus") in [(done.at_ms, done.action) for done in timer.history]

    def test_the_start_of_an_open_timer_can_be_later(self) -> None:
        noted = started(0, "assigned").note(Transition(at(5), Action.START, "manual", "again"))
        correction = with_times(noted, at(8), None, at(10))
        assert minutes(correction.timer, at(10)) == [(8, 10)]
        assert claims(correction.timer) == [(0, 8, "gap")]
        assert correction.timer.source == "assigned"
        assert [(done.at_ms, done.by) for done in correction.timer.history] == [
            (at(8), "assigned"),
            (at(8), "manual"),
        ]

    def test_the_start_of_an_open_timer_is_not_after_its_first_pause(self) -> None:
        paused = run(started(), (10, "pause", "manual"))
        assert with_times(paused, at(10), None, at(20)).timer.active_ms(at(20)) == 0
        with pytest.raises(InvalidInput) as refused:
            with_times(paused, at(10) + 1, None, at(20))
        assert (refused.value.field, refused.value.code) == ("start_time", ErrorCode.PAUSES_DO_NOT_FIT)
        with pytest.raises(InvalidInput, match="future"):
            with_times(started(), at(20) + 1, None, at(20))

    def test_the_end_of_an_open_timer_stops_it(self) -> None:
        paused = run(started(), (10, "pause", "manual"), (20, "resume", "manual"))
        ended = with_times(paused, None, at(15), at(60)).timer
        assert (ended.status, ended.end_ms, ended.stopped_by) == ("stopped", at(15), "manual")
        assert (minutes(ended), claims(ended)) == ([(0, 10)], [(20, 60, "gap")])
        assert ended.locked_until_ms == at(60)
        both = with_times(paused, at(5), at(30), at(60)).timer
        assert minutes(both) == [(5, 10), (20, 30)]
        with pytest.raises(InvalidInput) as refused:
            with_times(paused, at(9), at(8), at(60))
        assert refused.value.code == ErrorCode.END_BEFORE_START

    def test_only_time_that_counted_becomes_a_gap(self) -> None:
        """The owner worked on another timer from minute 30 on, and then shortens this one."""
        other = replace(run(started(30)), ulid=OTHER)
        this = run(started(), (60, "stop", "assigned"))
        correction = with_times(this, None, at(20), at(60)).taking_only([Span(at(0), at(30))], this)
        assert claims(correction.timer) == [(20, 30, "gap")]
        assert counts_for(OTHER, [correction.timer, other]) == [Span(at(30), at(60))]
        # The removed time does not count either if the other timer turns out to have ended earlier.
        shorter = run(other, (40, "stop", "closed"))
        assert counts_for(ULID, [correction.timer, shorter]) == [Span(at(0), at(20))]


def test_a_timer_has_no_room_for_ever_more_claims() -> None:
    gaps = range(at(0), at(0) + 2 * MAX_CLAIMS, 2)
    full = replace(started(), claims=tuple(Claim(gap, gap + 1, NOW, counts=False) for gap in gaps))
    with pytest.raises(TooManyTransitions, match="1000 corrected times"):
        with_pause(full, at(20), at(21), NOW)
    # A correction that replaces others has room.
    with_pause(full, at(0), at(1), NOW)


class TestPauses:
    def test_an_inserted_pause_is_a_gap(self) -> None:
        correction = with_pause(worked(), at(50), at(55), NOW, "request")
        assert minutes(correction.timer) == [(0, 10), (20, 40), (45, 50), (55, 60)]
        assert claims(correction.timer) == [(50, 55, "gap")]
        assert correction.timer.active_ms(NOW) == 40 * MINUTE
        assert (correction.reaches_ms, correction.timer.locked_until_ms) == (at(50), at(60))

    def test_an_inserted_pause_of_an_open_timer_locks_events_up_to_its_end(self) -> None:
        correction = with_pause(started(), at(5), at(7), at(10))
        assert (correction.locked_until_ms, correction.timer.locked_until_ms) == (at(7), None)
        assert (correction.timer.status, correction.timer.active_ms(at(10))) == ("running", 8 * MINUTE)

    def test_an_inserted_pause_takes_no_focus(self) -> None:
        """The owner switched to another timer before the pause that they insert into this one."""
        this = started()
        other = replace(run(started(5), (30, "focus", "manual")), ulid=OTHER)
        both = [with_pause(this, at(40), at(50), at(60)).timer, other]
        last = timeline(both, Calendar(), at(60)).slices[-1]
        assert (last.timer, last.since_ms, last.until_ms) == (OTHER, at(50), at(60))
        # The owner worked on this timer, so it keeps the focus after a pause.
        both = [
            with_pause(this, at(10), at(20), at(30)).timer,
            replace(run(started(5, "assigned")), ulid=OTHER),
        ]
        assert counts_for(ULID, both) == [Span(at(0), at(10)), Span(at(20), at(60))]

    def test_nothing_counts_in_an_inserted_pause_of_a_timer_that_waited(self) -> None:
        other = replace(run(started(5), (30, "stop", "closed")), ulid=OTHER)
        paused = with_pause(started(), at(10), at(40), at(60)).taking_only([], started()).timer
        assert paused.claims == ()
        assert counts_for(ULID, [paused, other]) == [Span(at(0), at(5)), Span(at(40), at(60))]
        assert counts_for(OTHER, [paused, other]) == [Span(at(5), at(30))]

    @pytest.mark.parametrize(
        ("concurrent", "alone", "hours"),
        [("focus", [Span(at(0), at(180))], [2, 0]), ("shared", [], [1, 2]), ("parallel", [], [2, 3])],
    )
    def test_an_inserted_pause_is_a_gap_only_where_the_timer_counted_alone(
        self, concurrent: str, alone: list[Span], hours: list[float]
    ) -> None:
        """The examples of docs/working-time.md: two timers run for three hours; one is paused for one."""
        this, other = started(), replace(started(), ulid=OTHER)
        paused = with_pause(this, at(60), at(120), at(180)).taking_only(alone, this).timer
        calendar = Calendar((Policy(concurrent_timers=ConcurrentTimers(concurrent)),))
        found = timeline([paused, other], calendar, at(180)).carry.timers
        assert [found[ulid].working_ms / HOUR for ulid in (ULID, OTHER)] == hours

    def test_a_pause_can_be_longer_shorter_or_elsewhere(self) -> None:
        longer = with_changed_pause(worked(), 0, at(10), at(25), NOW)
        assert claims(longer.timer) == [(20, 25, "gap")]
        assert longer.reaches_ms == at(20)
        shorter = with_changed_pause(worked(), 1, at(42), at(45), NOW)
        assert claims(shorter.timer) == [(40, 42, "work")]
        moved = with_changed_pause(worked(), 0, at(46), at(50), NOW)
        assert minutes(moved.timer) == [(0, 40), (45, 46), (50, 60)]
        assert claims(moved.timer) == [(10, 20, "work"), (46, 50, "gap")]

    def test_a_removed_pause_counts(self) -> None:
        removed = without_pause(worked(), 0, NOW)
        assert minutes(removed.timer) == [(0, 40), (45, 60)]
        assert claims(removed.timer) == [(10, 20, "work")]

    def test_a_break_ends_although_the_pause_that_ended_it_is_corrected(self) -> None:
        shorter = with_changed_pause(worked(), 0, at(10), at(15), NOW).timer
        removed = without_pause(worked(), 1, NOW).timer
        for timer in (shorter, removed):
            assert counts_for(ULID, [timer]) == spans(timer)

    def test_the_present_pause_can_have_its_start_corrected_or_be_removed(self) -> None:
        paused = run(started(), (10, "pause", "unassigned"))
        earlier = with_changed_pause(paused, 0, at(5), None, at(20)).timer
        assert (earlier.last_pause_ms, earlier.paused_by) == (at(5), "unassigned")
        assert claims(earlier) == [(5, 10, "gap")]
        removed = without_pause(paused, 0, at(20))
        assert (removed.timer.status, removed.timer.active_ms(at(30))) == ("running", 30 * MINUTE)
        assert (claims(removed.timer), removed.locked_until_ms) == ([(10, 20, "work")], at(20))

    def test_a_pause_in_which_the_timer_was_stopped_can_end_earlier(self) -> None:
        timer = run(started(), (10, "pause", "manual"), (20, "stop", "manual"))
        changed = with_changed_pause(timer, 0, at(10), at(15), NOW).timer
        assert minutes(changed) == [(0, 10), (15, 20)]
        assert spans(changed) == counts(changed)

    @pytest.mark.parametrize(
        ("since", "until", "field", "code"),
        [
            (-1, 5, "start", ErrorCode.OUTSIDE_OF_TIMER),
            (55, 61, "end", ErrorCode.OUTSIDE_OF_TIMER),
            (5, 5, "end", ErrorCode.END_BEFORE_START),
            (8, 12, "end", ErrorCode.PAUSES_OVERLAP),
            (12, 30, "start", ErrorCode.PAUSES_OVERLAP),
            (5, 30, "end", ErrorCode.PAUSES_OVERLAP),
            (700, 701, "start", ErrorCode.IN_THE_FUTURE),
            (50, 701, "end", ErrorCode.IN_THE_FUTURE),
        ],
    )
    def test_a_pause_that_does_not_fit_is_refused(
        self, since: int, until: int, field: str, code: ErrorCode
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            with_pause(worked(), at(since), at(until), NOW)
        assert (refused.value.field, refused.value.code) == (field, code)

    @pytest.mark.parametrize(("since", "until", "field"), [(8, 12, "end"), (12, 30, "start"), (5, 30, "end")])
    def test_a_changed_pause_does_not_overlap_another_one(self, since: int, until: int, field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            with_changed_pause(worked(), 1, at(since), at(until), NOW)
        assert (refused.value.field, refused.value.code) == (field, ErrorCode.PAUSES_OVERLAP)

    def test_adjacent_pauses_are_allowed(self) -> None:
        assert [tuple(pause) for pause in pauses(with_pause(worked(), at(20), at(22), NOW).timer)][:2] == [
            (at(10), at(20)),
            (at(20), at(22)),
        ]

    @pytest.mark.parametrize("number", [-1, 2])
    def test_a_pause_that_does_not_exist_is_not_found(self, number: int) -> None:
        with pytest.raises(NotFound):
            with_changed_pause(worked(), number, at(1), at(2), NOW)
        with pytest.raises(NotFound):
            without_pause(worked(), number, NOW)

    def test_only_the_present_pause_has_no_end(self) -> None:
        paused = run(started(), (10, "pause", "manual"))
        with pytest.raises(InvalidInput, match="resume the timer"):
            with_changed_pause(paused, 0, at(10), at(12), at(20))
        with pytest.raises(InvalidInput, match="has ended"):
            with_changed_pause(worked(), 0, at(10), None, NOW)

    def test_a_full_history_takes_no_pause(self) -> None:
        timer = started()
        for number in range(MAX_OF_EACH_KIND - 3):
            timer = timer.note(Transition(at(1), Action.START, "manual", str(number)))
        assert with_pause(timer, at(2), at(3), at(4)).timer.status is Status.RUNNING
        with pytest.raises(TooManyTransitions, match="insert a pause into"):
            with_pause(timer.note(Transition(at(1), Action.START, "manual")), at(2), at(3), at(4))


class TestDivision:
    def test_the_first_timer_ends_where_the_second_one_starts(self) -> None:
        first, second = divided(worked(), at(30), ulid=OTHER, now_ms=NOW)
        assert (minutes(first), minutes(second)) == ([(0, 10), (20, 30)], [(30, 40), (45, 60)])
        assert (first.ulid, first.stopped_by, first.locked_until_ms) == (ULID, "correction", at(30))
        assert (second.ulid, second.stopped_by, second.locked_until_ms) == (OTHER, "manual", at(60))
        assert (second.version, second.issue, second.source) == (1, ISSUE, "correction")

    def test_a_pause_is_divided_too(self) -> None:
        first, second = divided(worked(), at(15), ulid=OTHER, now_ms=NOW)
        assert (minutes(first), minutes(second)) == ([(0, 10)], [(20, 40), (45, 60)])
        paused = run(started(), (10, "pause", "unassigned"))
        first, second = divided(paused, at(15), ulid=OTHER, now_ms=at(20))
        assert (first.end_ms, second.status, second.paused_by) == (at(15), "paused", "unassigned")

    def test_claims_and_signs_are_divided(self) -> None:
        timer = replace(with_times(worked(), None, at(70), NOW).timer, signs=(at(5), at(64)))
        first, second = divided(timer, at(64), ulid=OTHER, now_ms=NOW)
        assert (claims(first), claims(second)) == ([(60, 64, "work")], [(64, 70, "work")])
        assert (first.signs, second.signs) == ((at(5),), (at(64),))

    @pytest.mark.parametrize("minute", [0, 60, 61, -1])
    def test_an_instant_that_is_not_inside_is_refused(self, minute: int) -> None:
        with pytest.raises(InvalidInput) as refused:
            divided(worked(), at(minute), ulid=OTHER, now_ms=NOW)
        assert (refused.value.field, refused.value.code) == ("at", ErrorCode.OUTSIDE_OF_TIMER)

    def test_the_second_timer_keeps_the_focus_if_the_timer_time_of(self) -> None:
        other = replace(run(started(5, "assigned")), ulid="01JD3K5W9GZ8Q4T1M6V7X0Y2BA")
        halves = divided(started(), at(30), ulid=OTHER, now_ms=at(60))
        assert [counts_for(one.ulid, [*halves, other]) for one in halves] == [
            [Span(at(0), at(30))],
            [Span(at(30), at(60))],
        ]


# ---------------------------------------------------------------------- properties

_minutes = st.integers(-30, 130)


@st.composite
def timers(draw: st.DrawFn) -> Timer:
    """Draw a timer that started at minute 0 and has pauses by hand and by events; it may be open."""
    start = started(0, draw(st.sampled_from(["manual", "assigned"])))
    timer = replace(start, history=(start.history[0]._replace(by_owner=draw(st.booleans())),))
    minute = 0
    by = draw(st.sampled_from(["manual", "unassigned"]))
    for gap in draw(st.lists(st.integers(0, 15), max_size=8)):
        minute += gap
        if timer.status is Status.PAUSED:
            timer = run(timer, (minute, "resume", "manual" if by == "manual" else "assigned"))
        elif draw(st.integers(0, 4)) == 0:
            timer = run(timer, (minute, "focus", "manual"))
        else:
            by = draw(st.sampled_from(["manual", "unassigned"]))
            timer = run(timer, (minute, "pause", by))
    return run(timer, (minute + 5, "stop", "manual")) if draw(st.booleans()) else timer


KINDS = ("times", "start", "insert", "change", "present", "remove")


@st.composite
def corrections(draw: st.DrawFn, kinds: Sequence[str] = KINDS) -> Callable[[Timer, int], Correction]:
    since, until = draw(_minutes), draw(_minutes)
    number = draw(st.integers(0, 3))
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "times":
            return lambda timer, now: with_times(timer, at(since), at(until), now)
        case "start":
            return lambda timer, now: with_times(timer, at(since), None, now)
        case "insert":
            return lambda timer, now: with_pause(timer, at(since), at(until), now)
        case "change":
            return lambda timer, now: with_changed_pause(timer, number, at(since), at(until), now)
        case "present":
            return lambda timer, now: with_changed_pause(timer, number, at(since), None, now)
        case _:
            return lambda timer, now: without_pause(timer, number, now)


def corrected(timer: Timer, correct: Callable[[Timer, int], Correction], now_ms: int) -> Correction | None:
    try:
        return correct(timer, now_ms)
    except (InvalidInput, NotFound, TransitionNotAllowed):
        return None


@given(timers(), st.lists(corrections(), max_size=8))
def test_after_any_corrections_exactly_the_stated_time_counts(
    timer: Timer, steps: list[Callable[[Timer, int], Correction]]
) -> None:
    for number, correct in enumerate(steps):
        now_ms = at(140) + number
        before, correction = timer, corrected(timer, correct, now_ms)
        if correction is None:
            continue
        timer = correction.timer
        assert spans(timer, now_ms) == time_of(timer, now_ms) == counts(timer, now_ms=now_ms)
        # Nothing before the earliest changed instant has changed.
        since_ms = correction.reaches_ms
        assert _before(spans(timer, now_ms), since_ms) == _before(spans(before, now_ms), since_ms)
        edges = [(claim.since_ms, claim.until_ms) for claim in sorted(timer.claims)]
        assert all(first[1] <= second[0] for first, second in pairwise(edges))
        assert [claim.made_ms for claim in timer.claims] == sorted(claim.made_ms for claim in timer.claims)
        if timer.is_open:
            assert all(claim.until_ms <= max(correction.locked_until_ms, now_ms) for claim in timer.claims)
            assert sum(until - since for since, until in spans(timer, now_ms)) == timer.active_ms(now_ms)


def overtime(*timers: Timer, until_ms: int) -> list[Span]:
    """Return the time that counts for some timers together if all of it is overtime, of 20 minutes."""
    policy = Policy(concurrent_timers=ConcurrentTimers.PARALLEL, overtime_ms=20 * MINUTE)
    never = ScheduleVersion(date(2020, 1, 1), Week("UTC", ((),) * 7))
    found = timeline(timers, Calendar((policy,), (never,)), until_ms).slices
    return list(joined(sorted(Span(piece.since_ms, piece.until_ms) for piece in found)))


def has_empty_pause(timer: Timer) -> bool:
    """Whether a pause has no length. It ends overtime, and corrections remove it."""
    return len(pauses(timer)) < sum(done.action is Action.PAUSE for done in timer.history)


@settings(max_examples=400)
@given(timers(), st.lists(corrections(["times", "start", "insert", "remove"]), min_size=1, max_size=3))
def test_a_correction_changes_no_other_overtime(
    timer: Timer, steps: list[Callable[[Timer, int], Correction]]
) -> None:
    # Overtime goes on without the pause that ended it, if nobody acted after it.
    assume(not has_empty_pause(timer))
    assume(all(done.is_own for done in timer.history if done.action is Action.RESUME))
    for number, correct in enumerate(steps):
        now_ms = at(140) + number
        before, correction = timer, corrected(timer, correct, now_ms)
        if correction is None:
            continue
        timer = correction.timer
        old, new = time_of(before, now_ms), time_of(timer, now_ms)
        stated = [*without(old, new), *without(new, old)]
        until_ms = at(200) if before.status is timer.status else now_ms
        assert without(overtime(timer, until_ms=until_ms), stated) == without(
            overtime(before, until_ms=until_ms), stated
        )


def _before(found: list[Span], until_ms: int) -> list[Span]:
    return [Span(one.since_ms, min(one.until_ms, until_ms)) for one in found if one.since_ms < until_ms]


@given(timers(), st.lists(corrections(), max_size=4), st.integers(-30, 130))
def test_a_division_changes_no_time(
    timer: Timer, steps: list[Callable[[Timer, int], Correction]], minute: int
) -> None:
    now_ms = at(140)
    for correct in steps:
        correction = corrected(timer, correct, now_ms)
        timer = correction.timer if correction else timer
    try:
        halves = divided(timer, at(minute), ulid=OTHER, now_ms=now_ms)
    except InvalidInput:
        return
    for later_ms in (now_ms, now_ms + HOUR):
        if not has_empty_pause(timer):
            assert overtime(*halves, until_ms=later_ms) == overtime(timer, until_ms=later_ms)
        assert list(joined([*spans(halves.first, later_ms), *spans(halves.second, later_ms)])) == spans(
            timer, later_ms
        )
        assert counts(*halves, now_ms=now_ms) == counts(timer, now_ms=now_ms)
    assert (halves.second.is_open, halves.first.is_open) == (timer.is_open, False)
    assert halves.second.state.status == timer.status


@st.composite
def histories(draw: st.DrawFn) -> tuple[Timer, list[Event]]:
    """Draw the events of an issue and some transitions by hand, and the open timer that they produce."""
    kinds = ["unassigned", "assigned", "unassigned.others", "project.start", "project.removed", "labeled"]
    events = [Event("d0", draw(st.sampled_from(["assigned", "project.start"])), at(0), frozenset({1}))]
    minute = 0
    timer = _open(replayed([], events, 0))
    for number, kind in enumerate(draw(st.lists(st.sampled_from([*kinds, "manual"]), max_size=8)), 1):
        minute += draw(st.integers(1, 15))
        if kind == "manual":
            action = (
                Action.RESUME
                if timer.status is Status.PAUSED
                else draw(st.sampled_from([Action.PAUSE, Action.FOCUS]))
            )
            timer = timer.apply(Transition(at(minute), action, "manual", f"m{number}"))
        else:
            events.append(Event(f"d{number}", kind, at(minute), frozenset({1})))
            timer = _open(replayed([timer], events, 0), timer)
    return timer, events


def replayed(known: list[Timer], events: list[Event], locked_until_ms: int) -> Outcome:
    return replay(
        issue=ISSUE,
        user_id=1,
        now_ms=NOW,
        events=events,
        timers=known,
        locked_until_ms=locked_until_ms,
        used_ulids=frozenset(timer.ulid for timer in known),
        calendar=Calendar(),
    )


def _open(outcome: Outcome, before: Timer | None = None) -> Timer:
    assert outcome.vanished == ()
    if not outcome.changed:
        assert before is not None
        return before
    (timer,) = outcome.changed
    return replace(timer, version=timer.version + 1)


@given(histories(), st.lists(corrections(), min_size=1, max_size=4), _minutes)
def test_events_do_not_undo_a_correction_of_an_open_timer(
    history: tuple[Timer, list[Event]],
    steps: list[Callable[[Timer, int], Correction]],
    minute: int,
) -> None:
    timer, events = history
    now_ms, locked_ms = at(140), 0
    for correct in steps:
        correction = corrected(timer, correct, now_ms)
        if correction is None:
            continue
        timer = correction.timer
        # A stopped timer locks events by itself.
        if correction.reaches_ms < LATEST_MS or not timer.is_open:
            locked_ms = max(locked_ms, correction.locked_until_ms)
    outcome = replayed([timer], events, locked_ms)
    open_ulid = timer.ulid if timer.is_open else None
    assert (outcome.changed, outcome.vanished, outcome.open_ulid) == ((), (), open_ulid)
    late = Event("late", "unassigned", at(minute), frozenset({1}))
    if late.at_ms <= locked_ms:
        assert replayed([timer], [*events, late], locked_ms).changed == ()
    after = Event("after", "closed", now_ms + 1, frozenset({1}))
    changed = replayed([timer], [*events, after], locked_ms).changed
    if timer.end_ms is not None:
        # A corrected end stops the timer.
        assert changed == ()
        return
    (stopped,) = changed
    assert (stopped.ulid, stopped.end_ms, stopped.claims) == (timer.ulid, now_ms + 1, timer.claims)


@given(histories(), _minutes)
def test_events_do_not_undo_the_division_of_an_open_timer(
    history: tuple[Timer, list[Event]], minute: int
) -> None:
    timer, events = history
    try:
        halves = divided(timer, at(minute), ulid=OTHER, now_ms=at(140))
    except InvalidInput:
        return
    locked_ms = halves.first.locked_until_ms or 0
    assert locked_ms >= at(minute)
    outcome = replayed([halves.second], events, locked_ms)
    assert (outcome.changed, outcome.vanished, outcome.open_ulid) == ((), (), OTHER)
    late = Event("late", "closed", at(minute), frozenset({1}))
    assert replayed([halves.second], [*events, late], locked_ms).changed == ()
