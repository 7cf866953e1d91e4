"""After any transitions, a timer's durations equal the sums of the intervals in which it ran."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from timer_core.domain.errors import TransitionNotAllowed
from timer_core.domain.state import Action, Status, Transition
from timer_core.domain.timers import Timer

T0 = 1_763_900_000_000


class TimerMachine(RuleBasedStateMachine):
    """One timer, and the start and end of each interval in which it ran; the last end may be None."""

    @initialize(start=st.integers(T0 - 1_000_000, T0))
    def start(self, start: int) -> None:
        self.timer = Timer.start(user_id=1, ulid="01X", at_ms=start, now_ms=T0, by="manual")
        self.now = T0
        self.stretches: list[tuple[int, int | None]] = [(start, None)]
        self.status = Status.RUNNING
        self.end: int | None = None
        self.changed = start
        self.log = [start]

    # A transition's time may be before the last change, because clocks differ.
    times = st.integers(-5, 100_000)

    @rule(later=times)
    def time_passes(self, later: int) -> None:
        self.now += later

    @rule()
    def pause(self) -> None:
        if self.status is not Status.RUNNING:
            return self.refused(Action.PAUSE)
        at = self.at()
        self.timer = self.timer.pause(self.now, "manual", "p")
        self.stretches[-1] = (self.stretches[-1][0], at)
        self.status = Status.PAUSED
        return None

    @rule()
    def resume(self) -> None:
        if self.status is not Status.PAUSED:
            return self.refused(Action.RESUME)
        at = self.at()
        self.timer = self.timer.apply(Transition(self.now, Action.RESUME, "manual", "r"))
        self.stretches.append((at, None))
        self.status = Status.RUNNING
        return None

    @precondition(lambda self: len(self.log) > 4)
    @rule()
    def stop(self) -> None:
        if self.status is Status.STOPPED:
            return self.refused(Action.STOP)
        at = self.at()
        self.timer = self.timer.stop(self.now, "manual", "s")
        self.finish(at)
        return None

    @precondition(lambda self: len(self.log) > 4)
    @rule(length=st.integers(0, 200_000))
    def expire(self, length: int) -> None:
        """End the timer at any time between its start and now."""
        start = self.stretches[0][0]
        if self.status is Status.STOPPED:
            with pytest.raises(TransitionNotAllowed):
                self.timer.expire(start + length, start)
            return
        end = min(start + length, max(self.now, self.changed))
        kept = [
            (since, end if till is None else min(till, end)) for since, till in self.stretches if since <= end
        ]
        self.timer = self.timer.expire(end, start)
        self.stretches, self.status, self.end = list(kept), Status.STOPPED, end

    @rule(action=st.sampled_from(list(Action)))
    def a_transition_that_changes_nothing(self, action: Action) -> None:
        """A manual transition without effect is kept, because a late event may give it an effect."""
        without_effect = {
            Status.RUNNING: {Action.RESUME, Action.START},
            Status.PAUSED: {Action.PAUSE, Action.START},
            Status.STOPPED: {Action.PAUSE, Action.RESUME, Action.STOP},
        }
        if action in without_effect[self.status]:
            before = replace(self.timer, history=())
            self.timer = self.timer.note(Transition(self.changed, action, "manual", "n"))
            assert replace(self.timer, history=()) == before

    def at(self) -> int:
        self.changed = max(self.now, self.changed)
        self.log.append(self.changed)
        return self.changed

    def finish(self, at: int) -> None:
        if self.status is Status.RUNNING:
            self.stretches[-1] = (self.stretches[-1][0], at)
        self.status, self.end = Status.STOPPED, at

    def refused(self, action: Action) -> None:
        before = self.timer
        with pytest.raises(TransitionNotAllowed, match=f"Cannot {action} a timer that is {self.status}"):
            self.timer.apply(Transition(self.now, action, "manual", "x"))
        assert self.timer == before

    @invariant()
    def the_durations_are_the_sums(self) -> None:
        if not hasattr(self, "timer"):
            return
        assert (self.timer.status, self.timer.end_ms) == (self.status, self.end)
        until = max(self.now, self.changed)
        active = sum((until if till is None else till) - since for since, till in self.stretches)
        assert self.timer.active_ms(self.now) == active >= 0
        known_end = self.end or self.stretches[-1][1] or self.stretches[-1][0]
        ran = sum(min(till or known_end, known_end) - since for since, till in self.stretches)
        assert self.timer.paused_ms == known_end - self.stretches[0][0] - ran >= 0

    @invariant()
    def a_pause_names_its_beginning_and_its_cause(self) -> None:
        if hasattr(self, "timer"):
            paused = self.status is Status.PAUSED
            assert self.timer.last_pause_ms == (self.stretches[-1][1] if paused else None)
            assert self.timer.paused_by == ("manual" if paused else None)


TestTimer = TimerMachine.TestCase
