"""Deliveries in any order, any number of times, end with the timers of the right order once."""

import uuid
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Event, distinct, replay
from timer_core.domain.timers import Timer

ISSUE = Issue("octocat", "hello-world", 7)
ANN, BOB = 1, 2
T0 = 1_763_900_000_000
NOW = T0 + 10_000_000


class Desk:
    """The timers of an issue in memory, fed with events one by one."""

    def __init__(self) -> None:
        self.issue = ISSUE
        self.events: dict[str, Event] = {}
        self.timers: dict[int, dict[str, Timer]] = {ANN: {}, BOB: {}}

    def deliver(self, event: Event) -> None:
        self.events.setdefault(event.delivery, event)
        for user_id, timers in self.timers.items():
            if not event.concerns(user_id):
                continue
            outcome = replay(
                issue=self.issue,
                user_id=user_id,
                now_ms=NOW,
                since=event,
                events=self.events.values(),
                timers=timers.values(),
                locked_until_ms=0,
                used_ulids=timers.keys(),
            )
            for timer in outcome.vanished:
                del timers[timer.ulid]
            for timer in outcome.changed:
                timers[timer.ulid] = replace(timer, version=timer.version + 1)
            open_timers = [timer.ulid for timer in timers.values() if timer.is_open]
            assert open_timers == ([outcome.open_ulid] if outcome.open_ulid else [])

    def by_hand(self, user_id: int, action: str, at_ms: int, number: int) -> None:
        """Do what the API does, or nothing where it would refuse."""
        timers = self.timers[user_id]
        current = next((timer for timer in timers.values() if timer.is_open), None)
        if action == "start" and current is None:
            ulid = f"01HAND{number:020d}"
            timers[ulid] = Timer.start(
                user_id=user_id, ulid=ulid, at_ms=at_ms, now_ms=at_ms, by="manual", issue=ISSUE
            )
        elif action == "pause" and current and current.status == "running":
            timers[current.ulid] = current.pause(at_ms, "manual", f"request{number}")
        elif action == "resume" and current and current.status == "paused":
            timers[current.ulid] = current.resume(at_ms, "manual", f"request{number}")
        elif action == "stop" and current:
            timers[current.ulid] = current.stop(at_ms, "manual", f"request{number}")

    def spans(self, user_id: int) -> list[tuple[int, int | None, str, int, int, str, str]]:
        """What people would see of a person's timers, without the ids."""
        return sorted(
            (t.start_ms, t.end_ms, t.status, t.active_ms(NOW), t.paused_ms, t.source, t.stopped_by or "")
            for t in self.timers[user_id].values()
        )


@dataclass
class Reference:
    """The rules once more, as plainly as can be: one pass over the events in order of time."""

    start: int | None = None
    paused_at: int | None = None
    paused_by: str = ""
    paused: int = 0

    def run(self, user_id: int, events: list[Event]) -> list[tuple[int, int | None, int]]:
        spans: list[tuple[int, int | None, int]] = []
        for event in events:
            if event.users is not None and user_id not in event.users:
                continue
            at = event.at_ms
            if event.kind in STARTS:
                if self.start is None:
                    self.start, self.paused, self.paused_at = at, 0, None
                elif self.paused_at is not None and STARTS[event.kind] in (self.paused_by, "any"):
                    self.resume(at)
            elif event.kind == "comment.resume":
                if self.start is not None and self.paused_at is not None:
                    self.resume(at)
            elif event.kind in ("unassigned", "unlabeled", "comment.pause"):
                if self.start is not None and self.paused_at is None:
                    self.paused_at, self.paused_by = at, event.kind
            elif self.start is not None:
                pause = 0 if self.paused_at is None else at - self.paused_at
                spans.append((self.start, at, at - self.start - self.paused - pause))
                self.start = None
        if self.start is not None:
            until = NOW if self.paused_at is None else self.paused_at
            spans.append((self.start, None, until - self.start - self.paused))
        return sorted(spans)

    def resume(self, at: int) -> None:
        assert self.paused_at is not None
        self.paused += at - self.paused_at
        self.paused_at = None


# What starts a timer, and whose pause it ends.
STARTS = {"reopened": "", "assigned": "unassigned", "labeled": "unlabeled", "comment.start": "any"}
ABOUT_ONE = ["assigned", "unassigned", "comment.start", "comment.pause", "comment.resume", "comment.stop"]
ABOUT_SOME = ["reopened", "labeled", "unlabeled"]
ABOUT_ALL = ["closed", "deleted"]


def guid_of(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


@st.composite
def histories(draw: st.DrawFn, most: int = 9) -> list[Event]:
    """What can happen to an issue, in order of time; never two things in one second."""
    kinds = draw(st.lists(st.sampled_from([*ABOUT_ONE, *ABOUT_SOME, *ABOUT_ALL]), max_size=most))
    events, at_ms = [], T0
    for number, kind in enumerate(kinds):
        at_ms += 1000 * draw(st.integers(1, 500))
        users: frozenset[int] | None = None
        if kind in ABOUT_ONE:
            users = frozenset({draw(st.sampled_from([ANN, BOB]))})
        elif kind in ABOUT_SOME:
            users = draw(st.frozensets(st.sampled_from([ANN, BOB]), min_size=1))
        events.append(Event(guid_of(number), kind, at_ms, users))
    return events


@settings(max_examples=examples(5))
@given(histories())
def test_in_the_right_order_the_timers_follow_the_rules(events: list[Event]) -> None:
    desk = Desk()
    for event in events:
        desk.deliver(event)
    for user_id in (ANN, BOB):
        seen = sorted((t.start_ms, t.end_ms, t.active_ms(NOW)) for t in desk.timers[user_id].values())
        assert seen == Reference().run(user_id, events)


@settings(max_examples=examples(5))
@given(histories(), st.data())
def test_any_order_with_repeats_ends_with_the_same_timers(events: list[Event], data: st.DataObject) -> None:
    right = Desk()
    for event in events:
        right.deliver(event)
    shuffled = Desk()
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    for event in data.draw(st.permutations(events + repeats)):
        shuffled.deliver(event)
    for user_id in (ANN, BOB):
        assert shuffled.spans(user_id) == right.spans(user_id)


@given(histories(), st.data())
def test_delivering_everything_again_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    desk = Desk()
    for event in events:
        desk.deliver(event)
    before = {user_id: dict(timers) for user_id, timers in desk.timers.items()}
    for event in data.draw(st.permutations(events)):
        desk.deliver(event)
    assert desk.timers == before


@given(histories(6), st.data())
def test_what_was_done_by_hand_in_between_counts_in_its_place(
    events: list[Event], data: st.DataObject
) -> None:
    """Events that come late, around what people did meanwhile, end like those that came in time.

    People act on what they see, so only what is possible in both worlds is compared: a start
    before any event, and pauses and resumes while a timer is certain to be open.
    """
    first = Event(guid_of(100), "assigned", T0, frozenset({ANN}))
    events = [event for event in events if event.kind in ("assigned", "unassigned")]
    acts = [
        (T0 + 250 + 1000 * data.draw(st.integers(1, 3000)), data.draw(st.sampled_from(["pause", "resume"])))
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    acts.sort()
    right = Desk()
    right.deliver(first)
    timeline = sorted([(f.at_ms, f) for f in events] + [(at, act) for at, act in acts], key=lambda x: x[0])
    done = []
    for number, (at_ms, what) in enumerate(timeline):
        if isinstance(what, Event):
            right.deliver(what)
        else:
            before = dict(right.timers[ANN])
            right.by_hand(ANN, what, at_ms, number)
            if before != right.timers[ANN]:
                done.append((number, at_ms, what))
    late = Desk()
    late.deliver(first)
    for number, at_ms, act in done:
        # The same request, accepted as it was in the other world.
        (timer,) = late.timers[ANN].values()
        if (act == "pause") == (timer.status == "running"):
            late.by_hand(ANN, act, at_ms, number)
        else:
            return
    for event in data.draw(st.permutations(events)):
        late.deliver(event)
    assert late.spans(ANN) == right.spans(ANN)


def test_a_close_that_comes_late_splits_the_timer_and_keeps_its_id() -> None:
    desk = Desk()
    assigned = Event("a", "assigned", T0, frozenset({ANN}))
    closed = Event("b", "closed", T0 + 60_000)
    reopened = Event("c", "reopened", T0 + 90_000, frozenset({ANN}))
    desk.deliver(assigned)
    (first,) = desk.timers[ANN]
    desk.deliver(reopened)
    assert list(desk.timers[ANN]) == [first]
    desk.deliver(closed)
    timers = sorted(desk.timers[ANN].values(), key=lambda timer: timer.start_ms)
    assert [(t.start_ms - T0, t.end_ms and t.end_ms - T0) for t in timers] == [(0, 60_000), (90_000, None)]
    assert timers[0].ulid == first


def test_a_timer_that_kept_the_name_of_a_start_does_not_give_it_away_to_another() -> None:
    desk = Desk()
    # The timer that the last start made has begun with the first one since, and ends before it.
    order = [("project.start", 31), ("reopened", 2), ("assigned", 0), ("closed", 1), ("project.stop", 11)]
    for kind, second in order:
        users = None if kind in {"closed", "project.stop"} else frozenset({ANN})
        desk.deliver(Event(guid_of(second), kind, T0 + second * 1000, users))
    timers = sorted(desk.timers[ANN].values(), key=lambda timer: timer.start_ms)
    spans = [(timer.start_ms - T0, timer.end_ms and timer.end_ms - T0) for timer in timers]
    assert spans == [(0, 1000), (2000, 11_000), (31_000, None)]


def test_a_timer_that_somebody_started_by_hand_keeps_its_id_when_an_earlier_start_comes_late() -> None:
    desk = Desk()
    desk.by_hand(ANN, "start", T0 + 5_000, 1)
    (seen,) = desk.timers[ANN]
    desk.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    (timer,) = desk.timers[ANN].values()
    assert (timer.ulid, timer.start_ms, timer.source) == (seen, T0, "assigned")


def test_a_start_by_hand_survives_a_close_from_before_it() -> None:
    desk = Desk()
    desk.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    desk.timers[ANN] = {u: t.stop(T0 + 9_000, "manual", "x") for u, t in desk.timers[ANN].items()}
    desk.by_hand(ANN, "start", T0 + 10_000, 1)
    desk.deliver(Event("b", "closed", T0 + 5_000))
    assert [(start - T0, end and end - T0) for start, end, *_ in desk.spans(ANN)] == [
        (0, 5_000),
        (10_000, None),
    ]


@given(histories(6), st.data())
def test_a_start_by_hand_survives_all_that_is_told_late_from_before_it(
    events: list[Event], data: st.DataObject
) -> None:
    """Who saw their timer begin to run sees it run, in whatever order its past is told."""
    at_ms = T0 + 5_000_000
    in_time, late = Desk(), Desk()
    for desk, order in ((in_time, events), (late, data.draw(st.permutations(events)))):
        desk.by_hand(ANN, "start", at_ms, 1)
        for event in order:
            desk.deliver(event)
    assert late.spans(ANN) == in_time.spans(ANN)
    (running,) = [timer for timer in late.timers[ANN].values() if timer.is_open]
    assert running.status == "running"


def test_unassigning_does_not_take_over_a_pause_by_hand() -> None:
    desk = Desk()
    desk.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    desk.by_hand(ANN, "pause", T0 + 1_000, 1)
    desk.deliver(Event("b", "unassigned", T0 + 2_000, frozenset({ANN})))
    desk.deliver(Event("c", "assigned", T0 + 3_000, frozenset({ANN})))
    (timer,) = desk.timers[ANN].values()
    assert (timer.status, timer.paused_by) == ("paused", "manual")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_of_one_second_converge_too(order: tuple[int, ...]) -> None:
    events = [
        Event("x", "assigned", T0, frozenset({ANN})),
        Event("y", "closed", T0),
        Event("z", "unassigned", T0, frozenset({ANN})),
    ]
    desk = Desk()
    for index in order:
        desk.deliver(events[index])
    assert [span[:4] for span in desk.spans(ANN)] == [(T0, T0, "stopped", 0)]


def test_the_finer_time_in_a_version_1_guid_orders_events_of_one_second() -> None:
    early, late = (str(uuid.UUID(fields=(t, 0, 0x11EF, 0x80, 1, 5), version=1)) for t in (10, 20))
    desk = Desk()
    desk.deliver(Event(late, "assigned", T0, frozenset({ANN})))
    desk.deliver(Event(early, "closed", T0))
    (timer,) = desk.timers[ANN].values()
    assert timer.is_open


def test_what_was_settled_by_hand_is_not_derived_again() -> None:
    outcome = replay(
        issue=ISSUE,
        user_id=ANN,
        now_ms=NOW,
        since=Event("a", "assigned", T0, frozenset({ANN})),
        events=[Event("a", "assigned", T0, frozenset({ANN}))],
        timers=[],
        locked_until_ms=T0 + 1,
        used_ulids=frozenset(),
    )
    assert outcome.changed == ()


def test_a_history_that_was_cut_still_takes_late_facts_after_the_cut() -> None:
    timer = Timer.start(user_id=ANN, ulid="01X", at_ms=T0, now_ms=T0, by="manual", issue=ISSUE)
    for minute in range(1, 9):
        act = timer.pause if minute % 2 else timer.resume
        timer = act(T0 + minute * 60_000, "manual", str(minute))
    cut = timer.compacted(2)
    event = Event("b", "closed", T0 + 7 * 60_000 + 30_000)
    outcomes = [
        replay(
            issue=ISSUE,
            user_id=ANN,
            now_ms=NOW,
            since=event,
            events=[event],
            timers=[t],
            locked_until_ms=0,
            used_ulids={t.ulid},
        )
        for t in (timer, cut)
    ]
    assert [(t.end_ms, t.clock_ms) for o in outcomes for t in o.changed] == [
        (event.at_ms, 4 * 60_000),
        (event.at_ms, 4 * 60_000),
    ]


class TestMadeUpFor:
    """A delivery that comes after GitHub's timeline told of the same event says nothing new."""

    KNOWN = Event(guid_of(1), "assigned", T0, frozenset({ANN}), received_ms=T0 + 60_000, backfilled=True)

    def late(self, number: int = 2, *, at_ms: int = T0, received_ms: int = T0 + 90_000) -> Event:
        return Event(guid_of(number), "assigned", at_ms, frozenset({ANN}), received_ms=received_ms)

    def test_its_delivery_counts_no_more(self) -> None:
        assert distinct([self.late(at_ms=T0 + 1_000), self.KNOWN]) == [self.KNOWN]

    def test_neither_does_it_end_a_pause_of_the_same_second(self) -> None:
        paused = Event(
            guid_of(2), "unassigned", T0, frozenset({ANN}), received_ms=T0 + 60_000, backfilled=True
        )
        assert distinct([self.KNOWN, paused, self.late(3)]) == [self.KNOWN, paused]

    @pytest.mark.parametrize(
        "other",
        [
            Event(guid_of(2), "assigned", T0, frozenset({BOB}), received_ms=T0 + 90_000),
            Event(guid_of(2), "unassigned", T0, frozenset({ANN}), received_ms=T0 + 90_000),
            Event(guid_of(2), "assigned", T0 + 6_000, frozenset({ANN}), received_ms=T0 + 90_000),
        ],
        ids=["somebody else's", "another kind", "a while later"],
    )
    def test_what_is_another_event_counts(self, other: Event) -> None:
        assert distinct([self.KNOWN, other]) == [self.KNOWN, other]

    def test_what_was_known_when_the_timeline_was_read_counts(self) -> None:
        before = self.late(received_ms=T0 + 30_000)
        assert distinct([before, self.KNOWN]) == [before, self.KNOWN]

    def test_what_happened_after_the_timeline_was_read_counts(self) -> None:
        known = replace(self.KNOWN, received_ms=T0 + 1_000)
        after = self.late(at_ms=T0 + 2_000)
        assert distinct([known, after]) == [known, after]

    def test_each_makes_up_for_one_delivery_the_nearest(self) -> None:
        again = replace(self.KNOWN, delivery=guid_of(4), at_ms=T0 + 4_000)
        late = [self.late(2), self.late(3, at_ms=T0 + 4_000), self.late(5, at_ms=T0 + 2_000)]
        assert distinct([self.KNOWN, again, *late]) == [self.KNOWN, again, late[2]]


def test_a_timer_has_the_title_that_its_issue_was_told_to_have() -> None:
    desk = Desk()
    desk.issue = replace(ISSUE, title="It is broken")
    desk.deliver(Event(guid_of(1), "assigned", T0, frozenset({ANN})))
    desk.issue = ISSUE
    desk.deliver(Event(guid_of(2), "closed", T0 + 1_000))
    (timer,) = desk.timers[ANN].values()
    assert timer.issue
    assert (timer.status, timer.issue.title) == ("stopped", "It is broken")
