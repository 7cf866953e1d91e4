"""Deliveries in any order, any number of times, end with the timers of the right order once."""

import uuid
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timer_core.domain.issues import Issue
from timer_core.domain.replay import Fact, distinct, replay
from timer_core.domain.timers import Timer

ISSUE = Issue("octocat", "hello-world", 7)
ANN, BOB = 1, 2
T0 = 1_763_900_000_000
NOW = T0 + 10_000_000


class Desk:
    """The timers of an issue in memory, fed with facts one by one."""

    def __init__(self) -> None:
        self.issue = ISSUE
        self.facts: dict[str, Fact] = {}
        self.timers: dict[int, dict[str, Timer]] = {ANN: {}, BOB: {}}

    def deliver(self, fact: Fact) -> None:
        self.facts.setdefault(fact.delivery, fact)
        for user_id, timers in self.timers.items():
            if not fact.concerns(user_id):
                continue
            outcome = replay(
                issue=self.issue,
                user_id=user_id,
                now_ms=NOW,
                since=fact,
                facts=self.facts.values(),
                timers=timers.values(),
                settled_ms=0,
                taken=timers.keys(),
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

    def spans(self, user_id: int) -> list[tuple[object, ...]]:
        """What people would see of a person's timers, without the ids."""
        return sorted(
            (t.start_ms, t.end_ms, t.status, t.active_ms(NOW), t.paused_ms, t.source, t.stopped_by or "")
            for t in self.timers[user_id].values()
        )


@dataclass
class Reference:
    """The rules once more, as plainly as can be: one pass over the facts in order of time."""

    start: int | None = None
    paused_at: int | None = None
    paused_by: str = ""
    paused: int = 0

    def run(self, user_id: int, facts: list[Fact]) -> list[tuple[int, int | None, int]]:
        spans = []
        for fact in facts:
            if fact.users is not None and user_id not in fact.users:
                continue
            at = fact.at_ms
            if fact.kind in STARTS:
                if self.start is None:
                    self.start, self.paused, self.paused_at = at, 0, None
                elif self.paused_at is not None and STARTS[fact.kind] in (self.paused_by, "any"):
                    self.resume(at)
            elif fact.kind == "comment.resume":
                if self.start is not None and self.paused_at is not None:
                    self.resume(at)
            elif fact.kind in ("unassigned", "unlabeled", "comment.pause"):
                if self.start is not None and self.paused_at is None:
                    self.paused_at, self.paused_by = at, fact.kind
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
def histories(draw: st.DrawFn, most: int = 9) -> list[Fact]:
    """What can happen to an issue, in order of time; never two things in one second."""
    kinds = draw(st.lists(st.sampled_from([*ABOUT_ONE, *ABOUT_SOME, *ABOUT_ALL]), max_size=most))
    facts, at_ms = [], T0
    for number, kind in enumerate(kinds):
        at_ms += 1000 * draw(st.integers(1, 500))
        users: frozenset[int] | None = None
        if kind in ABOUT_ONE:
            users = frozenset({draw(st.sampled_from([ANN, BOB]))})
        elif kind in ABOUT_SOME:
            users = draw(st.frozensets(st.sampled_from([ANN, BOB]), min_size=1))
        facts.append(Fact(guid_of(number), kind, at_ms, users))
    return facts


@settings(max_examples=500)
@given(histories())
def test_in_the_right_order_the_timers_follow_the_rules(facts: list[Fact]) -> None:
    desk = Desk()
    for fact in facts:
        desk.deliver(fact)
    for user_id in (ANN, BOB):
        seen = sorted((t.start_ms, t.end_ms, t.active_ms(NOW)) for t in desk.timers[user_id].values())
        assert seen == Reference().run(user_id, facts)


@settings(max_examples=500)
@given(histories(), st.data())
def test_any_order_with_repeats_ends_with_the_same_timers(facts: list[Fact], data: st.DataObject) -> None:
    right = Desk()
    for fact in facts:
        right.deliver(fact)
    shuffled = Desk()
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=8)) if facts else []
    for fact in data.draw(st.permutations(facts + repeats)):
        shuffled.deliver(fact)
    for user_id in (ANN, BOB):
        assert shuffled.spans(user_id) == right.spans(user_id)


@given(histories(), st.data())
def test_delivering_everything_again_changes_nothing(facts: list[Fact], data: st.DataObject) -> None:
    desk = Desk()
    for fact in facts:
        desk.deliver(fact)
    before = {user_id: dict(timers) for user_id, timers in desk.timers.items()}
    for fact in data.draw(st.permutations(facts)):
        desk.deliver(fact)
    assert desk.timers == before


@given(histories(6), st.data())
def test_what_was_done_by_hand_in_between_counts_in_its_place(facts: list[Fact], data: st.DataObject) -> None:
    """Facts that come late, around what people did meanwhile, end like those that came in time.

    People act on what they see, so only what is possible in both worlds is compared: a start
    before any fact, and pauses and resumes while a timer is certain to be open.
    """
    first = Fact(guid_of(100), "assigned", T0, frozenset({ANN}))
    facts = [fact for fact in facts if fact.kind in ("assigned", "unassigned")]
    acts = [
        (T0 + 250 + 1000 * data.draw(st.integers(1, 3000)), data.draw(st.sampled_from(["pause", "resume"])))
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    acts.sort()
    right = Desk()
    right.deliver(first)
    timeline = sorted([(f.at_ms, f) for f in facts] + [(at, act) for at, act in acts], key=lambda x: x[0])
    done = []
    for number, (at_ms, what) in enumerate(timeline):
        if isinstance(what, Fact):
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
    for fact in data.draw(st.permutations(facts)):
        late.deliver(fact)
    assert late.spans(ANN) == right.spans(ANN)


def test_a_close_that_comes_late_splits_the_timer_and_keeps_its_id() -> None:
    desk = Desk()
    assigned = Fact("a", "assigned", T0, frozenset({ANN}))
    closed = Fact("b", "closed", T0 + 60_000)
    reopened = Fact("c", "reopened", T0 + 90_000, frozenset({ANN}))
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
        desk.deliver(Fact(guid_of(second), kind, T0 + second * 1000, users))
    timers = sorted(desk.timers[ANN].values(), key=lambda timer: timer.start_ms)
    spans = [(timer.start_ms - T0, timer.end_ms and timer.end_ms - T0) for timer in timers]
    assert spans == [(0, 1000), (2000, 11_000), (31_000, None)]


def test_a_timer_that_somebody_started_by_hand_keeps_its_id_when_an_earlier_start_comes_late() -> None:
    desk = Desk()
    desk.by_hand(ANN, "start", T0 + 5_000, 1)
    (seen,) = desk.timers[ANN]
    desk.deliver(Fact("a", "assigned", T0, frozenset({ANN})))
    (timer,) = desk.timers[ANN].values()
    assert (timer.ulid, timer.start_ms, timer.source) == (seen, T0, "assigned")


def test_a_start_by_hand_survives_a_close_from_before_it() -> None:
    desk = Desk()
    desk.deliver(Fact("a", "assigned", T0, frozenset({ANN})))
    desk.timers[ANN] = {u: t.stop(T0 + 9_000, "manual", "x") for u, t in desk.timers[ANN].items()}
    desk.by_hand(ANN, "start", T0 + 10_000, 1)
    desk.deliver(Fact("b", "closed", T0 + 5_000))
    assert [(start - T0, end and end - T0) for start, end, *_ in desk.spans(ANN)] == [
        (0, 5_000),
        (10_000, None),
    ]


@given(histories(6), st.data())
def test_a_start_by_hand_survives_all_that_is_told_late_from_before_it(
    facts: list[Fact], data: st.DataObject
) -> None:
    """Who saw their timer begin to run sees it run, in whatever order its past is told."""
    at_ms = T0 + 5_000_000
    in_time, late = Desk(), Desk()
    for desk, order in ((in_time, facts), (late, data.draw(st.permutations(facts)))):
        desk.by_hand(ANN, "start", at_ms, 1)
        for fact in order:
            desk.deliver(fact)
    assert late.spans(ANN) == in_time.spans(ANN)
    (running,) = [timer for timer in late.timers[ANN].values() if timer.is_open]
    assert running.status == "running"


def test_unassigning_does_not_take_over_a_pause_by_hand() -> None:
    desk = Desk()
    desk.deliver(Fact("a", "assigned", T0, frozenset({ANN})))
    desk.by_hand(ANN, "pause", T0 + 1_000, 1)
    desk.deliver(Fact("b", "unassigned", T0 + 2_000, frozenset({ANN})))
    desk.deliver(Fact("c", "assigned", T0 + 3_000, frozenset({ANN})))
    (timer,) = desk.timers[ANN].values()
    assert (timer.status, timer.paused_by) == ("paused", "manual")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_events_of_one_second_converge_too(order: tuple[int, ...]) -> None:
    facts = [
        Fact("x", "assigned", T0, frozenset({ANN})),
        Fact("y", "closed", T0),
        Fact("z", "unassigned", T0, frozenset({ANN})),
    ]
    desk = Desk()
    for index in order:
        desk.deliver(facts[index])
    assert [span[:4] for span in desk.spans(ANN)] == [(T0, T0, "stopped", 0)]


def test_the_finer_time_in_a_version_1_guid_orders_events_of_one_second() -> None:
    early, late = (str(uuid.UUID(fields=(t, 0, 0x11EF, 0x80, 1, 5), version=1)) for t in (10, 20))
    desk = Desk()
    desk.deliver(Fact(late, "assigned", T0, frozenset({ANN})))
    desk.deliver(Fact(early, "closed", T0))
    (timer,) = desk.timers[ANN].values()
    assert timer.is_open


def test_what_was_settled_by_hand_is_not_derived_again() -> None:
    outcome = replay(
        issue=ISSUE,
        user_id=ANN,
        now_ms=NOW,
        since=Fact("a", "assigned", T0, frozenset({ANN})),
        facts=[Fact("a", "assigned", T0, frozenset({ANN}))],
        timers=[],
        settled_ms=T0 + 1,
        taken=frozenset(),
    )
    assert outcome.changed == ()


def test_a_history_that_was_cut_still_takes_late_facts_after_the_cut() -> None:
    timer = Timer.start(user_id=ANN, ulid="01X", at_ms=T0, now_ms=T0, by="manual", issue=ISSUE)
    for minute in range(1, 9):
        act = timer.pause if minute % 2 else timer.resume
        timer = act(T0 + minute * 60_000, "manual", str(minute))
    cut = timer.compacted(2)
    fact = Fact("b", "closed", T0 + 7 * 60_000 + 30_000)
    outcomes = [
        replay(
            issue=ISSUE,
            user_id=ANN,
            now_ms=NOW,
            since=fact,
            facts=[fact],
            timers=[t],
            settled_ms=0,
            taken={t.ulid},
        )
        for t in (timer, cut)
    ]
    assert [(t.end_ms, t.clock_ms) for o in outcomes for t in o.changed] == [
        (fact.at_ms, 4 * 60_000),
        (fact.at_ms, 4 * 60_000),
    ]


class TestMadeUpFor:
    """A delivery that comes after GitHub's timeline told of the same event says nothing new."""

    KNOWN = Fact(guid_of(1), "assigned", T0, frozenset({ANN}), heard_ms=T0 + 60_000, made_up=True)

    def late(self, number: int = 2, *, at_ms: int = T0, heard_ms: int = T0 + 90_000) -> Fact:
        return Fact(guid_of(number), "assigned", at_ms, frozenset({ANN}), heard_ms=heard_ms)

    def test_its_delivery_counts_no_more(self) -> None:
        assert distinct([self.late(at_ms=T0 + 1_000), self.KNOWN]) == [self.KNOWN]

    def test_neither_does_it_end_a_pause_of_the_same_second(self) -> None:
        paused = Fact(guid_of(2), "unassigned", T0, frozenset({ANN}), heard_ms=T0 + 60_000, made_up=True)
        assert distinct([self.KNOWN, paused, self.late(3)]) == [self.KNOWN, paused]

    @pytest.mark.parametrize(
        "other",
        [
            Fact(guid_of(2), "assigned", T0, frozenset({BOB}), heard_ms=T0 + 90_000),
            Fact(guid_of(2), "unassigned", T0, frozenset({ANN}), heard_ms=T0 + 90_000),
            Fact(guid_of(2), "assigned", T0 + 6_000, frozenset({ANN}), heard_ms=T0 + 90_000),
        ],
        ids=["somebody else's", "another kind", "a while later"],
    )
    def test_what_is_another_event_counts(self, other: Fact) -> None:
        assert distinct([self.KNOWN, other]) == [self.KNOWN, other]

    def test_what_was_known_when_the_timeline_was_read_counts(self) -> None:
        before = self.late(heard_ms=T0 + 30_000)
        assert distinct([before, self.KNOWN]) == [before, self.KNOWN]

    def test_what_happened_after_the_timeline_was_read_counts(self) -> None:
        known = replace(self.KNOWN, heard_ms=T0 + 1_000)
        after = self.late(at_ms=T0 + 2_000)
        assert distinct([known, after]) == [known, after]

    def test_each_makes_up_for_one_delivery_the_nearest(self) -> None:
        again = replace(self.KNOWN, delivery=guid_of(4), at_ms=T0 + 4_000)
        late = [self.late(2), self.late(3, at_ms=T0 + 4_000), self.late(5, at_ms=T0 + 2_000)]
        assert distinct([self.KNOWN, again, *late]) == [self.KNOWN, again, late[2]]


def test_a_timer_has_the_title_that_its_issue_was_told_to_have() -> None:
    desk = Desk()
    desk.issue = replace(ISSUE, title="It is broken")
    desk.deliver(Fact(guid_of(1), "assigned", T0, frozenset({ANN})))
    desk.issue = ISSUE
    desk.deliver(Fact(guid_of(2), "closed", T0 + 1_000))
    (timer,) = desk.timers[ANN].values()
    assert timer.issue
    assert (timer.status, timer.issue.title) == ("stopped", "It is broken")
