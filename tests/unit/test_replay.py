"""Shuffled and repeated deliveries produce the same timers as one delivery per event in the right order."""

import uuid
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples
from timer_core.domain import timers as timers_module
from timer_core.domain.calendar import AssignmentStarts, Calendar, Policy
from timer_core.domain.events import EFFECTS, Event, distinct, guid_time
from timer_core.domain.issues import Issue
from timer_core.domain.replay import replay
from timer_core.domain.state import Action, Transition
from timer_core.domain.timers import Claim, Timer, end_of_date

ISSUE = Issue("octocat", "hello-world", 7)
ANN, BOB, STRANGER = 1, 2, 3
T0 = 1_763_900_000_000
NOW = T0 + 10_000_000


class Slots:
    """Two people's timers on an issue, kept in memory. A test delivers the events one by one."""

    def __init__(self, calendar: Calendar | None = None) -> None:
        self.issue = ISSUE
        self.calendar = calendar or Calendar()
        self.locked_until_ms = 0
        self.events: dict[str, Event] = {}
        self.timers: dict[int, dict[str, Timer]] = {ANN: {}, BOB: {}}

    def deliver(self, event: Event) -> None:
        self.events.setdefault(event.delivery, event)
        for user_id in self.timers:
            if event.concerns(user_id) or event.actor == user_id:
                self.rederive(user_id)

    def rederive(self, user_id: int) -> None:
        timers = self.timers[user_id]
        outcome = replay(
            issue=self.issue,
            user_id=user_id,
            now_ms=NOW,
            events=self.events.values(),
            timers=timers.values(),
            locked_until_ms=self.locked_until_ms,
            used_ulids=timers.keys(),
            calendar=self.calendar,
        )
        for timer in outcome.vanished:
            del timers[timer.ulid]
        for timer in outcome.changed:
            timers[timer.ulid] = replace(timer, version=timer.version + 1)
        open_timers = [timer.ulid for timer in timers.values() if timer.is_open]
        assert open_timers == ([outcome.open_ulid] if outcome.open_ulid else [])

    def sweep(self, user_id: int, end_ms: int) -> None:
        """End a person's open timer as the sweeper does."""
        for timer in self.timers[user_id].values():
            if timer.is_open:
                self.timers[user_id][timer.ulid] = timer.expire(
                    end_ms, timer.last_sign_until(end_of_date(end_ms))
                )

    def request(self, user_id: int, action: str, at_ms: int, number: int) -> None:
        """Apply a request as the API does; a request that the API would refuse has no effect."""
        timers = self.timers[user_id]
        current = next((timer for timer in timers.values() if timer.is_open), None)
        if action == "start" and current is None:
            ulid = f"01HAND{number:020d}"
            timers[ulid] = Timer.start(
                user_id=user_id, ulid=ulid, at_ms=at_ms, now_ms=at_ms, by="manual", issue=ISSUE
            )
        elif action == "start" and current and current.has_room(for_event=False):
            start = Transition(at_ms, Action.START, "manual", f"request{number}")
            timers[current.ulid] = current.note(start)
        elif action != "stop" and current and not current.has_room(for_event=False):
            pass
        elif action == "pause" and current and current.status == "running":
            timers[current.ulid] = current.pause(at_ms, "manual", f"request{number}")
        elif action == "resume" and current and current.status == "paused":
            timers[current.ulid] = current.apply(
                Transition(at_ms, Action.RESUME, "manual", f"request{number}")
            )
        elif action == "stop" and current:
            timers[current.ulid] = current.stop(at_ms, "manual", f"request{number}")

    def only(self, user_id: int) -> Timer:
        (timer,) = self.timers[user_id].values()
        return timer

    def histories(self, user_id: int) -> list[tuple[tuple[Transition, ...], tuple[int, ...]]]:
        """Return the history and the signs of life of each timer of a person."""
        timers = sorted(self.timers[user_id].values(), key=lambda timer: timer.start_ms)
        return [(timer.history, timer.signs) for timer in timers]

    def spans(self, user_id: int) -> list[tuple[int, int | None, str, int, int, str, str]]:
        """Return the visible attributes of a person's timers, without the ids."""
        return sorted(
            (t.start_ms, t.end_ms, t.status, t.active_ms(NOW), t.paused_ms, t.source, t.stopped_by or "")
            for t in self.timers[user_id].values()
        )


@dataclass
class Reference:
    """The same rules in their simplest form: one pass over the events in order of time."""

    start: int | None = None
    paused_at: int | None = None
    paused: int = 0
    # The event that last changed the timer's status.
    last: Event | None = None
    # While the timer is paused, the event that began its last stretch.
    before: Event | None = None
    choice: AssignmentStarts = AssignmentStarts.ANY
    # Whether an event for assignees started or resumed the timer, or was the person's own.
    is_assignee: bool = False
    has_run: bool = False

    def assignment_starts(self, event: Event, user_id: int) -> bool:
        return self.choice == "any" or (self.choice == "self" and event.actor == user_id)

    def run(self, user_id: int, events: list[Event]) -> list[tuple[int, int | None, int]]:
        spans: list[tuple[int, int | None, int]] = []
        for event in events:
            if user_id in event.except_users or (event.users is not None and user_id not in event.users):
                continue
            at, is_running = event.at_ms, self.start is not None and self.paused_at is None
            is_for_assignees = event.kind in FOR_ASSIGNEES
            self.is_assignee |= is_for_assignees and is_running and event.actor == user_id
            if event.kind in ASSIGNMENTS and not self.assignment_starts(event, user_id):
                continue
            if event.kind in STOPS and self.start is not None:
                if event.kind in OF_REVIEW and self.is_assignee:
                    continue
                pause = 0 if self.paused_at is None else at - self.paused_at
                if self.has_run:
                    spans.append((self.start, at, at - self.start - self.paused - pause))
                self.start = None
            elif event.kind in STARTS and self.start is None:
                self.start, self.paused, self.paused_at, self.last = at, 0, None, event
                self.is_assignee, self.has_run = is_for_assignees, True
            elif event.kind == "review_requested" and self.start is None:
                self.start, self.paused, self.paused_at, self.last = at, 0, at, event
                self.is_assignee = self.has_run = False
            elif self.paused_at is not None and self.start is not None and self.concerns_last(event, RESUMES):
                self.paused += at - self.paused_at
                self.paused_at, self.last = None, self.before if event.kind in RESTORES else event
                self.is_assignee, self.has_run = self.is_assignee or is_for_assignees, True
            elif is_running and self.concerns_last(event, PAUSES):
                self.paused_at, self.before, self.last = at, self.last, event
        if self.start is not None:
            until = NOW if self.paused_at is None else self.paused_at
            spans.append((self.start, None, until - self.start - self.paused))
        return sorted(spans)

    def concerns_last(self, event: Event, causes: dict[str, set[str]]) -> bool:
        """Whether an event undoes the last one, given the kinds that each kind undoes (empty for all)."""
        assert self.last is not None
        if event.kind not in causes or (causes[event.kind] and self.last.kind not in causes[event.kind]):
            return False
        return event.kind not in ABOUT_ONE_CARD or event.card == self.last.card


ASSIGNMENTS = {"reopened", "assigned", "ready_for_review"}
FOR_ASSIGNEES = {*ASSIGNMENTS, "labeled", "project.start"}
STARTS = {*FOR_ASSIGNEES, "comment.start"}
OF_REVIEW = {"review_request_removed", "review_submitted"}
STOPS = {"closed", "deleted", "comment.stop", "project.stop", *OF_REVIEW}
# Maps from each kind of event to the kinds of event whose pauses or stretches it ends; empty for all.
RESUMES: dict[str, set[str]] = {
    "reopened": {"review_requested"},
    "ready_for_review": {"review_requested"},
    "assigned": {"unassigned", "unassigned.others", "review_requested"},
    "labeled": {"unlabeled", "review_requested"},
    "project.start": {"project.pause", "project.removed", "review_requested"},
    "project.restored": {"project.removed"},
    "comment.start": set(),
    "comment.resume": set(),
    "unarchived": {"archived"},
}
PAUSES: dict[str, set[str]] = {
    "unassigned": set(),
    "unassigned.others": FOR_ASSIGNEES,
    "unlabeled": set(),
    "project.pause": set(),
    "project.removed": {"project.start"},
    "comment.pause": set(),
    "archived": set(),
}
RESTORES = {"project.restored", "unarchived"}
ABOUT_ONE_CARD = {"project.removed", "project.restored"}
ABOUT_ONE = ["assigned", "unassigned", "comment.start", "comment.pause", "comment.resume", "comment.stop"]
ABOUT_ONE += ["review_requested", "review_requested", *sorted(OF_REVIEW)]
ABOUT_SOME = [
    "ready_for_review",
    "reopened",
    "labeled",
    "unlabeled",
    "project.start",
    "project.start",
    "project.restored",
]
ABOUT_ALL = ["closed", "deleted", "project.pause", "project.removed", "project.removed", "project.stop"]
ABOUT_ALL += ["archived", "unarchived"]
ABOUT_OTHERS = ["unassigned.others"]
BY_THEMSELVES = ["commented", "converted_to_draft", "opened", "branch_created", "review_submitted"]
BY_THEMSELVES += [kind for kind in ABOUT_ONE if kind.startswith("comment.")]
KINDS = [*ABOUT_ONE, *ABOUT_SOME, *ABOUT_ALL, *ABOUT_OTHERS, *BY_THEMSELVES[:4]]


def test_the_histories_contain_every_kind_of_event() -> None:
    assert set(KINDS) == set(EFFECTS)


def guid_of(number: int) -> str:
    return str(uuid.UUID(int=number, version=4))


@st.composite
def histories(draw: st.DrawFn, most: int = 9) -> list[Event]:
    """Draw an issue's events in chronological order, with at most one event per second."""
    kinds = draw(st.lists(st.sampled_from(KINDS), max_size=most))
    events, at_ms = [], T0
    people, actors = st.sampled_from([ANN, BOB]), st.sampled_from([ANN, BOB, STRANGER, 0])
    for number, kind in enumerate(kinds):
        at_ms += 1000 * draw(st.integers(1, 500))
        users: frozenset[int] | None = None
        actor = draw(actors)
        if kind in BY_THEMSELVES:
            actor = draw(people)
            users = frozenset({actor})
        elif kind in ABOUT_ONE:
            users = frozenset({draw(people)})
        elif kind in ABOUT_SOME:
            users = draw(st.frozensets(people, min_size=1))
        others = draw(st.frozensets(people)) if kind in ABOUT_OTHERS else frozenset()
        card = draw(st.sampled_from(["card 1", "card 1", "card 2"])) if kind.startswith("project") else ""
        events.append(Event(guid_of(number), kind, at_ms, users, except_users=others, card=card, actor=actor))
    return events


def calendar_of(choice: AssignmentStarts) -> Calendar:
    return Calendar(policies=(Policy(assignment_starts=choice),))


@settings(max_examples=examples(5))
@given(histories(), st.sampled_from(AssignmentStarts))
def test_timers_follow_the_rules_when_events_arrive_in_order(
    events: list[Event], choice: AssignmentStarts
) -> None:
    slots = Slots(calendar_of(choice))
    for event in events:
        slots.deliver(event)
    for user_id in (ANN, BOB):
        seen = sorted((t.start_ms, t.end_ms, t.active_ms(NOW)) for t in slots.timers[user_id].values())
        assert seen == Reference(choice=choice).run(user_id, events)


@settings(max_examples=examples(5))
@given(histories(), st.sampled_from(AssignmentStarts), st.data())
def test_any_order_with_repetitions_produces_the_same_timers(
    events: list[Event], choice: AssignmentStarts, data: st.DataObject
) -> None:
    right = Slots(calendar_of(choice))
    for event in events:
        right.deliver(event)
    shuffled = Slots(calendar_of(choice))
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    for event in data.draw(st.permutations(events + repeats)):
        shuffled.deliver(event)
    for user_id in (ANN, BOB):
        assert shuffled.spans(user_id) == right.spans(user_id)
        assert shuffled.histories(user_id) == right.histories(user_id)


@given(histories(), st.data())
def test_redelivering_all_events_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    slots = Slots()
    for event in events:
        slots.deliver(event)
    before = {user_id: dict(timers) for user_id, timers in slots.timers.items()}
    for event in data.draw(st.permutations(events)):
        slots.deliver(event)
    assert slots.timers == before


@given(histories(6), st.data())
def test_manual_transitions_count_in_their_place_among_late_events(
    events: list[Event], data: st.DataObject
) -> None:
    """Late events around manual transitions produce the same timers as punctual events.

    People act on the state that they see, so the test makes only requests that are possible in both cases.
    These requests are a start before any event, and pauses and resumes while a timer is certain to be open.
    """
    first = Event(guid_of(100), "assigned", T0, frozenset({ANN}))
    events = [event for event in events if event.kind in ("assigned", "unassigned")]
    acts = [
        (T0 + 250 + 1000 * data.draw(st.integers(1, 3000)), data.draw(st.sampled_from(["pause", "resume"])))
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    acts.sort()
    right = Slots()
    right.deliver(first)
    timeline = sorted([(f.at_ms, f) for f in events] + [(at, act) for at, act in acts], key=lambda x: x[0])
    done = []
    for number, (at_ms, what) in enumerate(timeline):
        if isinstance(what, Event):
            right.deliver(what)
        else:
            before = dict(right.timers[ANN])
            right.request(ANN, what, at_ms, number)
            if before != right.timers[ANN]:
                done.append((number, at_ms, what))
    late = Slots()
    late.deliver(first)
    for number, at_ms, act in done:
        # Repeat the request if the timer's state, without the late events, also allows the request.
        (timer,) = late.timers[ANN].values()
        if (act == "pause") == (timer.status == "running"):
            late.request(ANN, act, at_ms, number)
        else:
            return
    for event in data.draw(st.permutations(events)):
        late.deliver(event)
    assert late.spans(ANN) == right.spans(ANN)


def test_a_close_that_arrives_late_splits_the_timer_and_keeps_its_id() -> None:
    slots = Slots()
    assigned = Event("a", "assigned", T0, frozenset({ANN}))
    closed = Event("b", "closed", T0 + 60_000)
    reopened = Event("c", "reopened", T0 + 90_000, frozenset({ANN}))
    slots.deliver(assigned)
    (first,) = slots.timers[ANN]
    slots.deliver(reopened)
    assert list(slots.timers[ANN]) == [first]
    slots.deliver(closed)
    timers = sorted(slots.timers[ANN].values(), key=lambda timer: timer.start_ms)
    assert [(t.start_ms - T0, t.end_ms and t.end_ms - T0) for t in timers] == [(0, 60_000), (90_000, None)]
    assert timers[0].ulid == first


def test_a_new_timer_does_not_reuse_the_ulid_that_another_one_kept() -> None:
    slots = Slots()
    # The start at 31 s creates a timer. The other events move this timer to the interval from 0 s to 1 s, but
    # the timer keeps its ULID.
    order = [("project.start", 31), ("reopened", 2), ("assigned", 0), ("closed", 1), ("project.stop", 11)]
    for kind, second in order:
        users = None if kind in {"closed", "project.stop"} else frozenset({ANN})
        slots.deliver(Event(guid_of(second), kind, T0 + second * 1000, users))
    timers = sorted(slots.timers[ANN].values(), key=lambda timer: timer.start_ms)
    spans = [(timer.start_ms - T0, timer.end_ms and timer.end_ms - T0) for timer in timers]
    assert spans == [(0, 1000), (2000, 11_000), (31_000, None)]


def test_a_manually_started_timer_keeps_its_id_when_an_earlier_start_arrives_late() -> None:
    slots = Slots()
    slots.request(ANN, "start", T0 + 5_000, 1)
    (seen,) = slots.timers[ANN]
    slots.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    (timer,) = slots.timers[ANN].values()
    assert (timer.ulid, timer.start_ms, timer.source) == (seen, T0, "assigned")


def test_a_manual_start_survives_a_close_from_before_it() -> None:
    slots = Slots()
    slots.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    slots.timers[ANN] = {u: t.stop(T0 + 9_000, "manual", "x") for u, t in slots.timers[ANN].items()}
    slots.request(ANN, "start", T0 + 10_000, 1)
    slots.deliver(Event("b", "closed", T0 + 5_000))
    assert [(start - T0, end and end - T0) for start, end, *_ in slots.spans(ANN)] == [
        (0, 5_000),
        (10_000, None),
    ]


@given(histories(6), st.data())
def test_a_manual_start_survives_all_late_events_from_before_it(
    events: list[Event], data: st.DataObject
) -> None:
    """A manually started timer keeps running, even if earlier events arrive later in any order."""
    at_ms = T0 + 5_000_000
    in_time, late = Slots(), Slots()
    for slots, order in ((in_time, events), (late, data.draw(st.permutations(events)))):
        slots.request(ANN, "start", at_ms, 1)
        for event in order:
            slots.deliver(event)
    assert late.spans(ANN) == in_time.spans(ANN)
    (running,) = [timer for timer in late.timers[ANN].values() if timer.is_open]
    assert running.status == "running"


def test_unassigning_does_not_take_over_a_manual_pause() -> None:
    slots = Slots()
    slots.deliver(Event("a", "assigned", T0, frozenset({ANN})))
    slots.request(ANN, "pause", T0 + 1_000, 1)
    slots.deliver(Event("b", "unassigned", T0 + 2_000, frozenset({ANN})))
    slots.deliver(Event("c", "assigned", T0 + 3_000, frozenset({ANN})))
    (timer,) = slots.timers[ANN].values()
    assert (timer.status, timer.paused_by) == ("paused", "manual")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_of_one_second_produce_the_same_timers_in_any_order(order: tuple[int, ...]) -> None:
    events = [
        Event("x", "assigned", T0, frozenset({ANN})),
        Event("y", "closed", T0),
        Event("z", "unassigned", T0, frozenset({ANN})),
    ]
    slots = Slots()
    for index in order:
        slots.deliver(events[index])
    assert [span[:4] for span in slots.spans(ANN)] == [(T0, T0, "stopped", 0)]


def test_the_finer_time_in_a_version_1_guid_orders_events_of_one_second() -> None:
    early, late = (str(uuid.UUID(fields=(t, 0, 0x11EF, 0x80, 1, 5), version=1)) for t in (10, 20))
    slots = Slots()
    slots.deliver(Event(late, "assigned", T0, frozenset({ANN})))
    slots.deliver(Event(early, "closed", T0))
    (timer,) = slots.timers[ANN].values()
    assert timer.is_open


def test_locked_time_is_not_derived_again() -> None:
    outcome = replay(
        issue=ISSUE,
        user_id=ANN,
        now_ms=NOW,
        events=[Event("a", "assigned", T0, frozenset({ANN}))],
        timers=[],
        locked_until_ms=T0 + 1,
        used_ulids=frozenset(),
        calendar=Calendar(),
    )
    assert outcome.changed == ()


def test_the_stored_order_of_a_backfilled_event_puts_it_among_deliveries_of_its_second() -> None:
    early, late = (str(uuid.UUID(fields=(t, 0, 0x11EF, 0x80, 1, 5), version=1)) for t in (10, 20))
    between = guid_time(early) or 0
    slots = Slots()
    slots.deliver(Event(late, "assigned", T0, frozenset({ANN})))
    slots.deliver(Event("node", "closed", T0, backfilled=True, order=between + 1))
    slots.deliver(Event(early, "assigned", T0, frozenset({ANN})))
    ended, running = sorted(slots.timers[ANN].values(), key=lambda timer: timer.is_open)
    assert (ended.history[-1].cause, running.history[0].cause) == ("node", late)


def test_a_new_title_alone_does_not_change_a_timer_that_has_ended() -> None:
    slots = Slots()
    slots.deliver(Event(guid_of(1), "assigned", T0, frozenset({ANN})))
    slots.deliver(Event(guid_of(2), "closed", T0 + 1_000))
    before = slots.timers[ANN].copy()
    slots.issue = replace(ISSUE, title="It is broken")
    slots.deliver(Event(guid_of(3), "unassigned", T0 + 2_000, frozenset({ANN})))
    assert slots.timers[ANN] == before


class TestCards:
    """A removed card pauses only what it started, and only its restoration ends this pause."""

    ANN_ONLY = frozenset({ANN})

    def timer(self, *events: tuple[str, str]) -> Timer:
        """Return Ann's timer after events, each given by its kind and its card."""
        slots = Slots()
        for second, (kind, card) in enumerate(events):
            users = self.ANN_ONLY if EFFECTS[kind].action is not Action.PAUSE else None
            slots.deliver(Event(guid_of(second), kind, T0 + second * 1_000, users, card=card))
        (timer,) = slots.timers[ANN].values()
        return timer

    def test_a_removed_card_pauses_what_it_started_and_restoring_it_resumes(self) -> None:
        moved, removed, restored = (("project." + name, "1") for name in ("start", "removed", "restored"))
        assert self.timer(moved, removed).paused_by == "project.removed"
        assert self.timer(moved, removed, restored).status == "running"
        assert self.timer(moved, removed, restored, removed).status == "paused"

    def test_what_the_card_only_resumed_is_paused_too(self) -> None:
        events = [("assigned", ""), ("project.pause", "1"), ("project.start", "1")]
        assert self.timer(*events, ("project.removed", "1")).status == "paused"

    @pytest.mark.parametrize(
        "events",
        [
            [("assigned", ""), ("project.start", "1")],
            [("project.start", "1"), ("comment.pause", ""), ("comment.resume", "")],
            [("project.start", "1"), ("unassigned", ""), ("assigned", "")],
            [("project.start", "2")],
        ],
        ids=["assigned", "resumed by a person", "assigned again", "another card"],
    )
    def test_other_stretches_continue(self, events: list[tuple[str, str]]) -> None:
        assert self.timer(*events, ("project.removed", "1")).status == "running"

    def test_what_a_person_started_continues(self) -> None:
        slots = Slots()
        slots.request(ANN, "start", T0, 1)
        slots.deliver(Event("a", "project.start", T0 + 1_000, self.ANN_ONLY, card="1"))
        slots.deliver(Event("b", "project.removed", T0 + 2_000, card="1"))
        (timer,) = slots.timers[ANN].values()
        assert timer.status == "running"

    @pytest.mark.parametrize("pause", ["project.pause", "unassigned", "comment.pause"])
    def test_restoring_a_card_ends_no_other_pause(self, pause: str) -> None:
        events = [("project.start", "1"), (pause, "1"), ("project.removed", "1")]
        assert self.timer(*events, ("project.restored", "1")).paused_by == pause

    def test_restoring_a_card_starts_no_timer(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "project.restored", T0, self.ANN_ONLY, card="1"))
        assert slots.timers[ANN] == {}

    def test_the_card_of_an_expired_event_may_be_any_card(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "project.start", T0, self.ANN_ONLY, card="1"))
        slots.events.clear()
        slots.deliver(Event("b", "project.removed", T0 + 1_000, card="1"))
        (timer,) = slots.timers[ANN].values()
        assert timer.status == "paused"


class TestUnnamedUnassigned:
    """GitHub sent the remaining assignees, but not the unassigned person."""

    OTHERS = Event("z", "unassigned.others", T0 + 5_000, except_users=frozenset({BOB}))

    @pytest.mark.parametrize("start", ["assigned", "labeled", "reopened", "project.start"])
    def test_it_pauses_everybody_but_the_remaining_assignees(self, start: str) -> None:
        slots = Slots()
        slots.deliver(Event("a", start, T0, frozenset({ANN, BOB})))
        slots.deliver(self.OTHERS)
        assert [slots.spans(who)[0][2] for who in (ANN, BOB)] == ["paused", "running"]
        slots.deliver(Event("b", "assigned", T0 + 6_000, frozenset({ANN})))
        assert slots.spans(ANN)[0][2:4] == ("running", NOW - T0 - 1_000)

    def test_it_does_not_pause_what_a_person_started(self) -> None:
        slots = Slots()
        slots.request(ANN, "start", T0, 1)
        slots.deliver(self.OTHERS)
        assert slots.spans(ANN)[0][2] == "running"


class TestFull:
    """Events and requests each have a limit. Only the earliest events count. A stop always counts."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timers_module, "MAX_OF_EACH_KIND", 3)

    def test_events_beyond_the_limit_are_dropped_by_their_time(self) -> None:
        kinds = ["assigned", "comment.pause", "comment.resume", "comment.pause", "closed"]
        events = [Event(guid_of(n), kind, T0 + n * 1_000, frozenset({ANN})) for n, kind in enumerate(kinds)]
        for order in permutations(events):
            slots = Slots()
            for event in order:
                slots.deliver(event)
            (timer,) = slots.timers[ANN].values()
            assert [one.cause for one in timer.history] == [guid_of(n) for n in (0, 1, 2, 4)]
            assert (timer.clock_ms, timer.stopped_by) == (3_000, "closed")

    @pytest.mark.parametrize("manual_first", [True, False])
    def test_manual_transitions_leave_the_events_their_places_and_the_reverse(
        self, manual_first: bool
    ) -> None:
        kinds = ["assigned", "comment.pause", "comment.resume", "comment.pause"]
        events = [Event(guid_of(n), kind, T0 + n * 1_000, frozenset({ANN})) for n, kind in enumerate(kinds)]
        slots = Slots()
        for event in events[:0] if manual_first else events:
            slots.deliver(event)
        for number in range(5):
            slots.request(ANN, "start", T0 + 10_000 + number, number)
        for event in events:
            slots.deliver(event)
        (timer,) = slots.timers[ANN].values()
        assert [one.cause for one in timer.history if one.by != "manual"] == [guid_of(n) for n in (0, 1, 2)]
        assert [one.at_ms - T0 for one in timer.history if one.by == "manual"] == [10_000, 10_001, 10_002]
        assert (timer.status, timer.clock_ms) == ("running", -T0 - 1_000)

    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(histories(12), st.data())
    def test_no_order_of_events_and_requests_exceeds_the_limits(
        self, events: list[Event], data: st.DataObject
    ) -> None:
        actions = data.draw(st.lists(st.sampled_from(["start", "pause", "resume", "stop"]), max_size=12))
        arriving = data.draw(st.permutations([*events, *actions]))
        slots = Slots()
        for number, one in enumerate(arriving):
            if isinstance(one, Event):
                slots.deliver(one)
            else:
                slots.request(ANN, str(one), T0 + 250 + number * 500_000, number)
            for timer in slots.timers[ANN].values():
                counted = [step for step in timer.history if step.action is not Action.STOP]
                manual = [step for step in counted if step.by == "manual"]
                noted = [
                    step for step in timer.history[1:] if step.action is Action.START and step.by != "manual"
                ]
                assert len(manual) <= 3
                assert len(noted) <= 3
                assert len(counted) - len(manual) - len(noted) <= 3
        # A start that was requested with an earlier time than an event takes effect at the next event.
        for event in events:
            slots.deliver(event)
        before = slots.timers[ANN].copy()
        for event in events:
            slots.deliver(event)
        assert slots.timers[ANN] == before

    @settings(
        max_examples=300,
        # The examples can share the fixture, because it sets the same limit for all of them.
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(histories(12), st.lists(st.integers(1, 2_000), max_size=4, unique=True), st.data())
    def test_the_order_of_arrival_makes_no_difference(
        self, events: list[Event], seconds: list[int], data: st.DataObject
    ) -> None:
        in_order, shuffled = Slots(), Slots()
        for slots, arriving in ((in_order, events), (shuffled, data.draw(st.permutations(events)))):
            if seconds:
                slots.request(ANN, "start", T0 + 250, 0)
            for number, second in enumerate(sorted(seconds), start=1):
                action = "pause" if number % 2 else "resume"
                slots.request(ANN, action, T0 + 250 + second * 1_000, number)
            for event in arriving:
                slots.deliver(event)
        for user_id in (ANN, BOB):
            assert shuffled.spans(user_id) == in_order.spans(user_id)
            assert shuffled.histories(user_id) == in_order.histories(user_id)

    def test_own_events_without_effect_have_a_limit_of_their_own(self) -> None:
        slots = Slots()
        slots.deliver(Event(guid_of(0), "assigned", T0, frozenset({ANN}), actor=ANN))
        for number in range(1, 6):
            slots.deliver(
                Event(guid_of(number), "assigned", T0 + number * 1_000, frozenset({ANN}), actor=ANN)
            )
        slots.deliver(Event(guid_of(6), "comment.pause", T0 + 6_000, frozenset({ANN}), actor=ANN))
        timer = slots.only(ANN)
        assert [one.cause for one in timer.history] == [guid_of(n) for n in (0, 1, 2, 3, 6)]
        assert timer.status == "paused"
        # The others are ordinary signs of life.
        assert timer.signs == (T0 + 5_000,)


class TestOwnActs:
    """A history says which transitions the timer's owner caused, also those that changed nothing."""

    ANN_ONLY = frozenset({ANN})

    def test_a_transition_by_an_event_names_whether_its_owner_caused_it(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=BOB))
        slots.deliver(Event("b", "comment.pause", T0 + 1_000, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("c", "closed", T0 + 2_000, actor=0))
        slots.deliver(Event("d", "assigned", T0 + 3_000, self.ANN_ONLY, actor=ANN))
        stopped, running = sorted(slots.timers[ANN].values(), key=lambda timer: timer.start_ms)
        assert [one.by_owner for one in stopped.history] == [False, True, False]
        assert [one.by_owner for one in running.history] == [True]

    @pytest.mark.parametrize(
        "kind", ["assigned", "labeled", "project.start", "comment.start", "comment.resume"]
    )
    def test_an_own_event_on_a_running_timer_is_noted(self, kind: str) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=BOB))
        before = slots.only(ANN)
        slots.deliver(Event("b", kind, T0 + 1_000, self.ANN_ONLY, actor=ANN))
        timer = slots.only(ANN)
        assert timer.history[1:] == (Transition(T0 + 1_000, Action.START, kind, "b", by_owner=True),)
        assert (timer.state, timer.signs) == (before.state, ())

    @pytest.mark.parametrize("actor", [BOB, STRANGER, 0])
    def test_an_event_by_others_on_a_running_timer_is_only_a_sign_of_life(self, actor: int) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("b", "assigned", T0 + 1_000, self.ANN_ONLY, actor=actor))
        assert (len(slots.only(ANN).history), slots.only(ANN).signs) == (1, (T0 + 1_000,))

    def test_an_own_event_on_a_paused_timer_is_only_a_sign_of_life(self) -> None:
        slots = Slots()
        slots.request(ANN, "start", T0, 1)
        slots.request(ANN, "pause", T0 + 1_000, 2)
        slots.deliver(Event("a", "assigned", T0 + 2_000, self.ANN_ONLY, actor=ANN))
        assert (len(slots.only(ANN).history), slots.only(ANN).signs) == (2, (T0 + 2_000,))

    def test_a_noted_event_resumes_the_timer_once_a_late_pause_arrives(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=BOB))
        slots.deliver(Event("c", "assigned", T0 + 2_000, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("b", "unassigned", T0 + 1_000, self.ANN_ONLY, actor=BOB))
        assert [(one.action, one.by_owner) for one in slots.only(ANN).history] == [
            ("start", False),
            ("pause", False),
            ("resume", True),
        ]

    def test_own_acts_and_signs_remain_when_the_events_have_expired(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("b", "assigned", T0 + 1_000, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("c", "commented", T0 + 2_000, self.ANN_ONLY, actor=ANN))
        slots.events.clear()
        slots.locked_until_ms = T0 + 3_000
        before = slots.only(ANN)
        slots.deliver(Event("d", "commented", T0 + 4_000, self.ANN_ONLY, actor=ANN))
        timer = slots.only(ANN)
        assert timer.history == before.history
        assert (before.signs, timer.signs) == ((T0 + 2_000,), (T0 + 4_000,))

    def test_a_manual_focus_does_not_hide_which_card_started_the_timer(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "project.start", T0, self.ANN_ONLY, card="1"))
        timer = slots.only(ANN).apply(Transition(T0 + 1_000, Action.FOCUS, "manual", "x"))
        slots.timers[ANN][timer.ulid] = timer
        slots.deliver(Event("b", "project.removed", T0 + 2_000, card="1"))
        assert slots.only(ANN).status == "paused"


class TestAssignmentStarts:
    """The settings at the time of an assignment decide whether it starts a timer."""

    ANN_ONLY = frozenset({ANN})
    SELF, NEVER = calendar_of(AssignmentStarts.SELF), calendar_of(AssignmentStarts.NEVER)

    @pytest.mark.parametrize("kind", ["assigned", "reopened"])
    @pytest.mark.parametrize(
        ("calendar", "actor", "count"),
        [(SELF, ANN, 1), (SELF, BOB, 0), (SELF, 0, 0), (NEVER, ANN, 0), (Calendar(), 0, 1)],
    )
    def test_it_decides_by_who_assigned_or_reopened(
        self, calendar: Calendar, actor: int, count: int, kind: str
    ) -> None:
        slots = Slots(calendar)
        slots.deliver(Event("a", kind, T0, self.ANN_ONLY, actor=actor))
        assert len(slots.timers[ANN]) == count

    @pytest.mark.parametrize("kind", ["labeled", "project.start", "comment.start"])
    def test_other_events_start_timers_as_before(self, kind: str) -> None:
        slots = Slots(self.NEVER)
        slots.deliver(Event("a", kind, T0, self.ANN_ONLY, actor=BOB))
        assert slots.only(ANN).status == "running"

    def test_an_assignment_by_others_does_not_resume_either(self) -> None:
        slots = Slots(self.SELF)
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=ANN))
        slots.deliver(Event("b", "unassigned", T0 + 1_000, self.ANN_ONLY, actor=BOB))
        slots.deliver(Event("c", "assigned", T0 + 2_000, self.ANN_ONLY, actor=BOB))
        assert (slots.only(ANN).status, slots.only(ANN).signs) == ("paused", (T0 + 2_000,))

    def test_assigning_oneself_is_an_own_act_on_a_running_timer_even_if_it_starts_none(self) -> None:
        slots = Slots(self.NEVER)
        slots.request(ANN, "start", T0, 1)
        slots.deliver(Event("a", "assigned", T0 + 1_000, self.ANN_ONLY, actor=ANN))
        assert [one.is_own for one in slots.only(ANN).history] == [True, True]

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_each_event_counts_by_the_settings_at_its_time(self, order: tuple[int, ...]) -> None:
        choices = ((0, AssignmentStarts.NEVER), (T0 + 2_000, AssignmentStarts.ANY))
        slots = Slots(Calendar(assignment_starts=choices))
        events = [Event(str(n), "assigned", T0 + n * 1_000, self.ANN_ONLY, actor=BOB) for n in (1, 2, 3)]
        for index in order:
            slots.deliver(events[index])
        assert slots.only(ANN).start_ms == T0 + 2_000

    def test_a_later_setting_leaves_locked_timers_as_they_are(self) -> None:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=BOB))
        slots.events.clear()
        slots.locked_until_ms = T0 + 1_000
        slots.calendar = self.NEVER
        slots.deliver(Event("b", "closed", T0 + 2_000))
        assert slots.only(ANN).end_ms == T0 + 2_000


class TestSignsOfLife:
    """A timer has the last sign of each UTC date on which it was open."""

    ANN_ONLY = frozenset({ANN})
    DAY = 86_400_000
    NOON = T0 // DAY * DAY + DAY // 2

    def comment(self, number: int, at_ms: int) -> Event:
        return Event(guid_of(number), "commented", at_ms, self.ANN_ONLY, actor=ANN)

    @given(st.permutations([0, 1, 2, 3, 4]))
    def test_the_last_sign_of_each_date_is_kept(self, order: list[int]) -> None:
        times = [self.NOON - 3_600_000, self.NOON, self.NOON + 1_000, self.NOON + self.DAY, self.NOON + 1]
        slots = Slots()
        slots.deliver(Event("a", "assigned", self.NOON - self.DAY, self.ANN_ONLY))
        for number in order:
            slots.deliver(self.comment(number, times[number]))
        assert slots.only(ANN).signs == (self.NOON + 1_000, self.NOON + self.DAY)

    def test_comments_before_and_after_a_timer_are_not_its_signs(self) -> None:
        slots = Slots()
        slots.deliver(self.comment(1, T0 - 1_000))
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY))
        slots.deliver(Event("b", "closed", T0 + 5_000))
        slots.deliver(self.comment(2, T0 + 6_000))
        assert slots.only(ANN).signs == ()

    def test_a_comment_starts_and_changes_no_timer(self) -> None:
        slots = Slots()
        slots.deliver(self.comment(1, T0))
        assert slots.timers[ANN] == {}
        slots.request(ANN, "start", T0 + 1_000, 1)
        before = slots.only(ANN)
        slots.deliver(self.comment(2, T0 + 2_000))
        assert replace(slots.only(ANN), signs=(), version=1) == replace(before, version=1)

    def test_what_a_person_does_to_others_is_a_sign_too(self) -> None:
        slots = Slots()
        slots.request(ANN, "start", T0, 1)
        slots.deliver(Event("a", "assigned", T0 + 1_000, frozenset({BOB}), actor=ANN))
        assert slots.only(ANN).signs == (T0 + 1_000,)

    def test_an_event_about_everybody_is_only_a_sign_of_who_caused_it(self) -> None:
        slots = Slots()
        for user_id in (ANN, BOB):
            slots.request(user_id, "start", T0, user_id)
        slots.deliver(Event("a", "project.removed", T0 + 1_000, actor=ANN, card="1"))
        assert [slots.only(user_id).signs for user_id in (ANN, BOB)] == [(T0 + 1_000,), ()]


class TestSweeper:
    """The sweeper's stop counts as long as no other sign of life up to it is known."""

    ANN_ONLY = frozenset({ANN})
    END = T0 + 100_000

    def swept(self) -> Slots:
        slots = Slots()
        slots.deliver(Event("a", "assigned", T0, self.ANN_ONLY, actor=BOB))
        slots.deliver(Event("b", "commented", T0 + 20_000, self.ANN_ONLY, actor=ANN))
        slots.sweep(ANN, self.END)
        return slots

    def test_its_stop_is_kept_by_later_replays(self) -> None:
        slots = self.swept()
        before = slots.only(ANN)
        slots.rederive(ANN)
        assert slots.only(ANN) == before
        assert (before.end_ms, before.stopped_by, before.history[-1].cause) == (
            self.END,
            "sweeper",
            str(T0 + 20_000),
        )

    @pytest.mark.parametrize(
        "event",
        [
            Event("c", "commented", T0 + 60_000, ANN_ONLY, actor=ANN),
            Event("c", "commented", END, ANN_ONLY, actor=ANN),
            Event("c", "assigned", T0 + 60_000, ANN_ONLY, actor=BOB),
            Event("c", "assigned", T0 + 60_000, ANN_ONLY, actor=ANN),
            Event("c", "assigned", T0 + 60_000, frozenset({BOB}), actor=ANN),
        ],
        ids=["comment", "comment at the end", "assigned", "assigned by herself", "assigned somebody else"],
    )
    def test_a_late_sign_before_the_stop_opens_the_timer_again(self, event: Event) -> None:
        slots = self.swept()
        (ulid,) = slots.timers[ANN]
        slots.deliver(event)
        timer = slots.only(ANN)
        assert (timer.ulid, timer.status, timer.end_ms, timer.stopped_by) == (ulid, "running", None, None)
        slots.sweep(ANN, event.at_ms + 80_000)
        slots.rederive(ANN)
        assert slots.only(ANN).end_ms == event.at_ms + 80_000

    @pytest.mark.parametrize(
        "event",
        [
            Event("c", "commented", T0 + 10_000, ANN_ONLY, actor=ANN),
            Event("c", "commented", end_of_date(END) + 1, ANN_ONLY, actor=ANN),
            Event("c", "commented", T0 + 60_000, frozenset({BOB}), actor=BOB),
            Event("c", "archived", END + 1_000, actor=BOB),
        ],
        ids=[
            "before the last sign",
            "after the date of the stop",
            "by somebody else",
            "another event after the stop",
        ],
    )
    def test_other_events_leave_it_stopped(self, event: Event) -> None:
        slots = self.swept()
        slots.deliver(event)
        assert (slots.only(ANN).end_ms, slots.only(ANN).stopped_by) == (self.END, "sweeper")

    def test_a_late_close_before_the_stop_ends_the_timer_there(self) -> None:
        slots = self.swept()
        slots.deliver(Event("c", "closed", T0 + 60_000, actor=BOB))
        timer = slots.only(ANN)
        assert (timer.end_ms, timer.stopped_by, len(timer.history)) == (T0 + 60_000, "closed", 2)

    def test_a_late_pause_before_the_stop_leaves_the_timer_paused(self) -> None:
        slots = self.swept()
        slots.deliver(Event("c", "project.pause", T0 + 60_000, actor=BOB))
        assert (slots.only(ANN).status, slots.only(ANN).end_ms) == ("paused", None)

    def test_a_late_sign_joins_the_timer_that_was_started_after_the_stop(self) -> None:
        slots = self.swept()
        (ulid,) = slots.timers[ANN]
        slots.request(ANN, "start", self.END + 50_000, 7)
        slots.deliver(Event("c", "commented", T0 + 60_000, self.ANN_ONLY, actor=ANN))
        timer = slots.only(ANN)
        assert (timer.ulid, timer.start_ms, timer.status) == (ulid, T0, "running")

    def test_the_joined_timer_has_the_claims_of_both(self) -> None:
        slots = self.swept()
        slots.request(ANN, "start", self.END + 50_000, 7)
        early, late = sorted(slots.timers[ANN].values(), key=lambda timer: timer.start_ms)
        claims = [Claim(T0 + n, T0 + n + 1, NOW - n, counts=False) for n in (1, 2)]
        slots.timers[ANN][early.ulid] = replace(early, claims=(claims[0],))
        slots.timers[ANN][late.ulid] = replace(late, claims=(claims[1],))
        slots.deliver(Event("c", "commented", T0 + 60_000, self.ANN_ONLY, actor=ANN))
        assert slots.only(ANN).claims == (claims[1], claims[0])

    def test_assignments_after_the_stop_start_a_new_timer(self) -> None:
        slots = self.swept()
        # A sign of life counts for its whole date.
        next_date_ms = end_of_date(self.END) + 1
        slots.deliver(Event("c", "assigned", next_date_ms, self.ANN_ONLY, actor=BOB))
        assert [span[:3] for span in slots.spans(ANN)] == [
            (T0, self.END, "stopped"),
            (next_date_ms, None, "running"),
        ]

    @given(histories(6), st.data())
    def test_late_events_end_with_the_same_timers_once_the_next_sweep_has_ended_them(
        self, events: list[Event], data: st.DataObject
    ) -> None:
        """A sweep after some of the events, and one after all of them, end like one after all of them."""
        in_order, late = Slots(), Slots()
        for event in events:
            in_order.deliver(event)
        arriving = data.draw(st.permutations(events))
        at = data.draw(st.integers(0, len(arriving)))
        end_ms = max([T0, *(event.at_ms for event in events)]) + 1_000
        for event in arriving[:at]:
            late.deliver(event)
        late.sweep(ANN, end_ms)
        for event in arriving[at:]:
            late.deliver(event)
        for slots in (in_order, late):
            slots.sweep(ANN, end_ms)
        assert late.histories(ANN) == in_order.histories(ANN)


class TestBackfilled:
    """A delivery has no effect if its event was already read from GitHub's timeline."""

    KNOWN = Event(guid_of(1), "assigned", T0, frozenset({ANN}), received_ms=T0 + 60_000, backfilled=True)

    def late(self, number: int = 2, *, at_ms: int = T0, received_ms: int = T0 + 90_000) -> Event:
        return Event(guid_of(number), "assigned", at_ms, frozenset({ANN}), received_ms=received_ms)

    def test_its_late_delivery_does_not_count(self) -> None:
        assert distinct([self.late(at_ms=T0 + 1_000), self.KNOWN]) == [self.KNOWN]

    def test_its_late_delivery_does_not_end_a_pause_of_the_same_second(self) -> None:
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
    def test_another_event_counts(self, other: Event) -> None:
        assert distinct([self.KNOWN, other]) == [self.KNOWN, other]

    def test_a_delivery_from_before_the_timeline_was_read_counts(self) -> None:
        before = self.late(received_ms=T0 + 30_000)
        assert distinct([before, self.KNOWN]) == [before, self.KNOWN]

    def test_an_event_from_after_the_timeline_was_read_counts(self) -> None:
        known = replace(self.KNOWN, received_ms=T0 + 1_000)
        after = self.late(at_ms=T0 + 2_000)
        assert distinct([known, after]) == [known, after]

    def test_each_backfilled_event_replaces_only_the_nearest_delivery(self) -> None:
        again = replace(self.KNOWN, delivery=guid_of(4), at_ms=T0 + 4_000)
        late = [self.late(2), self.late(3, at_ms=T0 + 4_000), self.late(5, at_ms=T0 + 2_000)]
        assert distinct([self.KNOWN, again, *late]) == [self.KNOWN, again, late[2]]


def test_a_timer_keeps_the_last_known_title_of_its_issue() -> None:
    slots = Slots()
    slots.issue = replace(ISSUE, title="It is broken")
    slots.deliver(Event(guid_of(1), "assigned", T0, frozenset({ANN})))
    slots.issue = ISSUE
    slots.deliver(Event(guid_of(2), "closed", T0 + 1_000))
    (timer,) = slots.timers[ANN].values()
    assert timer.issue
    assert (timer.status, timer.issue.title) == ("stopped", "It is broken")


def test_a_manual_start_leaves_its_timer_running_in_whichever_order_earlier_events_arrive() -> None:
    ann = frozenset({ANN})
    kinds = {"assigned": ann, "closed": None, "reopened": ann, "unassigned": ann}
    events = [Event(kind, kind, T0 + number, users) for number, (kind, users) in enumerate(kinds.items())]
    for arrivals in permutations(events):
        slots = Slots()
        slots.request(ANN, "start", T0 + 9_000, 1)
        (started,) = slots.timers[ANN]
        for event in arrivals:
            slots.deliver(event)
        assert slots.timers[ANN][started].start_ms == T0 + 2
        assert slots.timers[ANN][started].status == "running", arrivals
