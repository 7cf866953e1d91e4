"""The transitions that the state machine allows, and the sequence of states in a history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.errors import TransitionNotAllowed
from timer_core.domain.state import Action, State, Status, Transition, states
from timer_core.domain.timers import Timer, stretches

T0 = 1_763_900_000_000

RUNNING = State.started(T0)
PAUSED = RUNNING.apply(Transition(T0 + 5, Action.PAUSE, "unassigned"))
STOPPED = RUNNING.apply(Transition(T0 + 5, Action.STOP, "closed"))


def test_a_pause_keeps_the_active_time_and_names_its_cause() -> None:
    assert State(Status.PAUSED, 5, T0 + 5, T0 + 5, "unassigned") == PAUSED


def test_a_resume_counts_on() -> None:
    resumed = PAUSED.apply(Transition(T0 + 8, Action.RESUME, "manual"))
    assert resumed == State(Status.RUNNING, 5 - T0 - 8, T0 + 8)
    assert resumed.active_ms(T0 + 10) == 7


def test_a_stop_keeps_the_active_time() -> None:
    assert State(Status.STOPPED, 5, T0 + 5) == STOPPED
    assert PAUSED.apply(Transition(T0 + 9, Action.STOP, "closed")) == State(Status.STOPPED, 5, T0 + 9)


@pytest.mark.parametrize("state", [RUNNING, PAUSED, STOPPED], ids=lambda state: state.status)
@pytest.mark.parametrize("action", Action)
def test_every_other_action_is_refused(state: State, action: Action) -> None:
    allowed = {
        (Status.RUNNING, Action.PAUSE),
        (Status.PAUSED, Action.RESUME),
        (Status.RUNNING, Action.STOP),
        (Status.RUNNING, Action.FOCUS),
        (Status.PAUSED, Action.STOP),
    }
    assert state.allows(action) is ((state.status, action) in allowed)
    if not state.allows(action):
        with pytest.raises(TransitionNotAllowed, match=f"Cannot {action} a timer that is {state.status}"):
            state.apply(Transition(T0 + 9, action, "manual"))


@given(st.lists(st.tuples(st.integers(-50, 500), st.sampled_from(Action)), max_size=20), st.integers(0, 900))
def test_a_history_leads_to_the_state_of_its_timer(asked: list[tuple[int, Action]], now: int) -> None:
    timer = Timer.start(user_id=1, ulid="01X", at_ms=T0, now_ms=T0, by="manual")
    for at_ms, action in asked:
        transition = Transition(T0 + at_ms, action, "manual", "x")
        allowed = timer.state.allows(action)
        timer = timer.apply(transition) if allowed else timer.note(transition)
    *_, last = states(timer.history)
    assert last == timer.state
    ran_ms = sum(until_ms - since_ms for since_ms, until_ms in stretches(timer, T0 + now))
    assert ran_ms == timer.active_ms(T0 + now)
