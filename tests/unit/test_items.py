"""The stored form of a timer: each value comes back, and a transition takes few bytes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.events import EFFECTS
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import Span
from timer_core.domain.state import CORRECTION, MANUAL, SWEEPER, Action, Status, Transition, request_cause
from timer_core.domain.timers import Claim, Timer
from timer_core.store.items import TimerItem, description_of, identity_of, timer_item, to_issue, to_timer

T0 = 1_763_900_000_000
ULID = new_ulid(T0)
TIMES = st.integers(T0 - 10**11, T0 + 10**12)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# A cause is never "@", which stands for the timer's own ULID.
WORDS = st.text("abc-_.=0123456789", max_size=30)
CAUSES = st.one_of(
    WORDS, st.just(ULID), st.builds(request_cause, WORDS.filter(lambda key: "." not in key), WORDS)
)
TRANSITIONS = st.builds(
    Transition,
    TIMES,
    st.sampled_from(Action),
    st.sampled_from([MANUAL, SWEEPER, CORRECTION, *EFFECTS]),
    CAUSES,
    by_owner=st.booleans(),
    overtime=st.booleans(),
    acted_ms=st.none() | TIMES,
    by_hand=st.booleans(),
)
CLAIMS = st.builds(Claim, TIMES, TIMES, TIMES, st.booleans())
ISSUES = st.builds(
    Issue, st.just("Octo-Org"), st.just("Hello.World"), st.integers(1, 10**9), TEXTS, st.sampled_from([0, 77])
)


@st.composite
def timers(draw: st.DrawFn) -> Timer:
    """Return a timer with any values that its item can have."""
    end_ms = draw(st.none() | TIMES)
    pause_ms = draw(st.none() | TIMES) if end_ms is None else None
    timer = Timer.start(
        user_id=7,
        ulid=ULID,
        at_ms=draw(st.just(T0) | TIMES),
        now_ms=draw(st.just(T0) | TIMES),
        by=draw(st.sampled_from([MANUAL, "assigned"])),
        issue=draw(st.none() | ISSUES),
        organization=draw(st.none() | st.just("acme")),
        description=draw(TEXTS),
    )
    return replace(
        timer,
        status=Status.STOPPED
        if end_ms is not None
        else Status.PAUSED
        if pause_ms is not None
        else Status.RUNNING,
        end_ms=end_ms,
        stopped_by=None if end_ms is None else draw(st.sampled_from([MANUAL, SWEEPER, "closed"])),
        last_pause_ms=pause_ms,
        paused_by=None if pause_ms is None else draw(st.sampled_from([MANUAL, "unassigned"])),
        locked_until_ms=draw(st.none() | TIMES),
        history=tuple(draw(st.lists(TRANSITIONS, min_size=1, max_size=6))),
        claims=tuple(draw(st.lists(CLAIMS, max_size=3))),
        signs=tuple(draw(st.lists(TIMES, max_size=3))),
        confirmed_span=draw(st.none() | st.builds(Span, TIMES, TIMES)),
        absorbed=tuple(draw(st.lists(st.just(ULID), max_size=1))),
        version=draw(st.integers(1, 1000)),
    )


@given(timers())
def test_an_item_has_all_of_a_timer(timer: Timer) -> None:
    item = timer_item(timer)
    assert to_timer(item) == timer
    assert (to_issue(item), description_of(item)) == (timer.issue, timer.description)


@given(timers())
def test_an_item_is_as_its_model_describes(timer: Timer) -> None:
    item = timer_item(timer)
    assert TimerItem.from_raw_data(item).serialize() == item


def test_what_a_later_release_adds_is_kept() -> None:
    timer = Timer.start(user_id=7, ulid=ULID, at_ms=T0, now_ms=T0, by=MANUAL, description="x")
    item = timer_item(timer)
    item["estimate"] = {"N": "8"}
    item["about"] = {"S": '{"description":"x","color":"red"}'}
    written = timer_item(replace(to_timer(item), description=""))
    assert (written["estimate"], written["about"]) == ({"N": "8"}, {"S": '{"color":"red"}'})


@given(TRANSITIONS, TRANSITIONS)
def test_a_request_is_identified_by_its_key_and_all_else_by_action_and_cause(
    one: Transition, other: Transition
) -> None:
    def identity(done: Transition) -> tuple[str, ...]:
        # The ULID of a divided timer's second part is stored elsewhere, and no request repeats it.
        return (done.key,) if done.key else (done.action, "" if done.divides else done.cause)

    are_same = identity_of(ULID, one) == identity_of(ULID, other)
    assert are_same == (identity(one) == identity(other))


@pytest.mark.parametrize(("transitions", "kilobytes", "projected"), [(20, 1, 1), (60, 2, 1), (150, 5, 3)])
def test_a_long_history_is_small(transitions: int, kilobytes: int, projected: int) -> None:
    """Each begun KB costs a write unit; the indexes do not have the causes."""
    issue = Issue("octo-org", "hello-world", 1234, "A title of an average length, as issues have", 77_000_000)
    timer = Timer.start(user_id=1234567, ulid=ULID, at_ms=T0, now_ms=T0, by=MANUAL, issue=issue)
    for number in range(1, transitions):
        action = Action.PAUSE if number % 2 else Action.RESUME
        timer = timer.apply(Transition(T0 + number * 3_600_000, action, MANUAL, "aB3d_f9x"))
    item = timer_item(timer)
    assert _size(item) <= kilobytes * 1024
    assert _size({name: value for name, value in item.items() if name != "causes"}) <= projected * 1024


def _size(item: dict[str, dict[str, object]]) -> int:
    """Return the size of an item (AWS, "DynamoDB item sizes and formats")."""
    return sum(len(name) + _size_of(value) for name, value in item.items())


def _size_of(value: dict[str, object]) -> int:
    match value:
        case {"S": str(text)}:
            return len(text.encode())
        case {"N": str(digits)}:
            return (len(digits.lstrip("-")) + 1) // 2 + 1 + digits.startswith("-")
        case {"L": list(entries)}:
            return 3 + sum(1 + _size_of(entry) for entry in entries)
    raise AssertionError(value)
