"""Any sequence of requests and deliveries produces the timers that a plain model expects.

For each person and issue, the model keeps a list of all events and requests, and derives all timers
from the list each time. The model does not read the items that the store writes.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.examples import examples
from tests.support.repositories import identified, repo_keys
from timer_core.domain.corrections import Halves, with_pause
from timer_core.domain.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    NotFound,
    OtherTimerOpen,
    TransitionNotAllowed,
    TransitionTooEarly,
)
from timer_core.domain.events import Event
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, end_of_date, finished
from timer_core.services.issue_timers import IssueTimers
from timer_core.services.offline import OfflineActions
from timer_core.store.items import is_tombstone, to_timer
from timer_core.store.keys import end_key, slot_key, user_pk
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency, Patch

if TYPE_CHECKING:
    from timer_core.store.positions import Position

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
DAY_S = 86_400

# Each example has its own people and issues, so that all examples can share one table.
_numbers = count(1)


@dataclass
class Span:
    """A timer and the intervals in which it ran; the last interval has no end while the timer runs."""

    ulid: str
    source: str
    stretches: list[list[int | None]]
    paused_by: str | None = None
    end: int | None = None
    stopped_by: str | None = None
    changed: int = 0
    # The step that last changed the status.
    changed_by: "Step | None" = None
    # The steps that changed the timer, and manual steps without effect.
    events: list["Step"] = field(default_factory=list, repr=False)

    @property
    def start(self) -> int:
        first = self.stretches[0][0]
        assert first is not None
        return first

    @property
    def status(self) -> str:
        if self.end is not None:
            return "stopped"
        return "running" if self.stretches[-1][1] is None else "paused"

    def active(self, now: int) -> int:
        return sum(
            (max(now, self.changed) if until is None else until) - (since or 0)
            for since, until in self.stretches
        )

    def apply(self, event: "Step", action: str) -> None:
        """Apply an action if the status allows it."""
        before = len(self.stretches), self.status
        self._apply(action, max(event.at, self.changed), event.by)
        has_changed = (len(self.stretches), self.status) != before
        if has_changed:
            self.changed_by = event
        if event.manual or has_changed:
            self.events.append(event)
        else:
            self.note(event)

    def note(self, event: "Step") -> None:
        """Keep an own event that would start or resume a timer that runs."""
        if event.own and event.action in ("start", "resume") and self.status == "running":
            self.events.append(event)

    def _apply(self, action: str, at: int, by: str) -> None:
        if action == "pause" and self.status == "running":
            self.stretches[-1][1], self.paused_by, self.changed = at, by, at
        elif action == "resume" and self.status == "paused":
            self.stretches.append([at, None])
            self.paused_by, self.changed = None, at
        elif action == "focus" and self.status == "running":
            self.changed = at
        elif action == "stop" and self.status != "stopped":
            if self.status == "running":
                self.stretches[-1][1] = at
            self.end, self.stopped_by, self.paused_by, self.changed = at, by, None, at

    def visible(self, now: int) -> tuple[object, ...]:
        """Return the timer's visible attributes except the id."""
        return (
            self.start,
            self.end,
            self.status,
            self.active(now),
            self.source,
            self.paused_by,
            self.stopped_by,
            self.stretches[-1][1] if self.status == "paused" else None,
        )


def name_of(issue: Issue) -> str:
    return f"{issue.full_name}#{issue.number}".lower()


def subject(timer: "Timer | Attributes") -> tuple[str, str, str]:
    """Return a timer's issue, organization and description.

    The spelling of names is not compared, because the latest delivery determines it.
    """
    issue = name_of(timer.issue) if timer.issue else ""
    return issue, (timer.organization or "").lower(), timer.description


def visible(timer: Timer, now: int) -> tuple[object, ...]:
    return (
        timer.start_ms,
        timer.end_ms,
        timer.status,
        timer.active_ms(now),
        timer.source,
        timer.paused_by,
        timer.stopped_by,
        timer.last_pause_ms,
    )


@dataclass
class Step:
    """An event or a manual transition; a manual transition is applied after events of the same time."""

    at: int
    manual: bool
    number: int
    action: str
    by: str
    # The ULID of the timer that a manual start created. The timer runs at the time of the start, even if late
    # events are added.
    ulid: str = ""
    order: int = 0
    card: str = ""
    # Whether the timer's owner caused the event.
    own: bool = False
    # The last sign of life that the sweeper knew when it stopped the timer.
    sign: int = 0

    @property
    def sort_key(self) -> tuple[int, bool, int]:
        return (self.order, self.manual, self.number)


# The statuses that allow each action.
ALLOWED = {"pause": {"running"}, "resume": {"paused"}, "stop": {"running", "paused"}, "focus": {"running"}}
# The kinds of event that have an effect on an open timer only after some kinds of event.
RESUMES = {
    "assigned": {"unassigned", "unassigned.others"},
    "project.start": {"project.removed"},
    "project.restored": {"project.removed"},
}
UNDOES = RESUMES | {
    "unassigned.others": {"assigned", "reopened", "project.start", "project.restored"},
    "project.removed": {"project.start", "project.restored"},
}
ABOUT_ONE_CARD = {"project.removed", "project.restored"}
ACTIONS = {
    "commented": "",
    "assigned": "start",
    "reopened": "start",
    "project.start": "start",
    "project.restored": "resume",
    "unassigned": "pause",
    "unassigned.others": "pause",
    "project.removed": "pause",
    "closed": "stop",
    "deleted": "stop",
}


@dataclass
class SlotModel:
    """One person's timers on one issue, or without an issue."""

    issue: Issue | None
    # Events up to this time have no effect.
    locked_until: int = 0
    base: Span | None = None
    events: list[Step] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    # The times of events about the person or by them, with or without effect.
    signs: set[int] = field(default_factory=set)

    def derive(self) -> list[Span]:
        done: list[Span] = []
        current = deepcopy(self.base)
        for event in sorted(self.events, key=lambda event: event.sort_key):
            if event.by == "sweeper" and (current is None or self.is_refuted(event, current)):
                continue
            if current is None:
                if event.action == "start":
                    current = Span(
                        event.ulid,
                        event.by,
                        [[event.at, None]],
                        changed=event.at,
                        changed_by=event,
                        events=[event],
                    )
                elif done and event.manual:
                    done[-1].events.append(event)
                continue
            if event.by in UNDOES:
                last = current.changed_by
                assert last is not None
                is_same_card = event.by not in ABOUT_ONE_CARD or event.card == last.card
                if last.by not in UNDOES[event.by] or not is_same_card:
                    current.note(event)
                    continue
            resumes = event.by in RESUMES or event.ulid
            current.apply(event, "resume" if resumes else event.action)
            if current.end is not None:
                done.append(current)
                current = None
        return [*done, current] if current else done

    def is_refuted(self, stop: Step, span: Span) -> bool:
        """Whether the sweeper did not know a sign of life, which counts for its whole UTC date."""
        return self.last_sign(span, end_of_date(stop.at)) > stop.sign

    def last_sign(self, span: Span, until: int) -> int:
        """Return the time of the last sign of life of a timer up to a time."""
        acts = [max(event.at, span.start) for event in span.events if event.by != "sweeper"]
        return max(at for at in (span.start, *acts, *self.signs) if at <= until)

    def request(
        self, action: str, at: int, number: int, ulid: str = "", by: str = "manual", sign: int = 0
    ) -> None:
        latest = max((event.order for event in self.events if event.manual), default=0)
        self.events.append(Step(at, True, number, action, by, ulid, max(at, latest), sign=sign))
        names = [span.ulid for span in self.spans]
        self.spans = self.derive()
        for span, name in zip(self.spans, names, strict=False):
            span.ulid = name

    def fix(self, span: Span) -> None:
        """Make a corrected timer the beginning of everything that is derived later."""
        self.base = deepcopy(span)
        self.spans = self.derive()

    def remove(self, gone: Span) -> None:
        """Remove a timer and its steps."""
        if self.base and self.base.ulid == gone.ulid:
            self.base = None
        self.spans = [span for span in self.spans if span.ulid != gone.ulid]
        self.events = [event for event in self.events if event not in gone.events]

    @property
    def open(self) -> Span | None:
        return next((span for span in self.spans if span.end is None), None)


@dataclass
class Attributes:
    """A timer's issue, organization and description, which no event changes."""

    issue: Issue | None
    organization: str | None
    description: str = ""


@dataclass
class Finished:
    """A timer that was corrected, so that events no longer change it."""

    start: int
    end: int
    paused: int
    source: str
    stopped_by: str
    # A correction of the timer locks its slots up to this time.
    locked_until: int = 0

    def visible(self) -> tuple[object, ...]:
        active = self.end - self.start - self.paused
        return (self.start, self.end, "stopped", active, self.source, None, self.stopped_by, None)


def row_of(span: Span) -> Finished:
    assert span.end is not None
    paused = span.end - span.start - span.active(span.end)
    locked_until = max([span.end, *(event.at for event in span.events)])
    return Finished(span.start, span.end, paused, span.source, span.stopped_by or "", locked_until)


@dataclass(repr=False)
class Person:
    user_id: int
    slots: dict[str, SlotModel] = field(default_factory=dict)
    finished: dict[str, Finished] = field(default_factory=dict)
    attributes: dict[str, Attributes] = field(default_factory=dict)
    # For each timer, the slots in which it has been open.
    homes: dict[str, set[str]] = field(default_factory=dict)
    keys: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    # The ULIDs in order of creation. Sorting the ULIDs would give a random order, but examples must be
    # repeatable.
    names: list[str] = field(default_factory=list)

    def slot_of(self, ulid: str) -> tuple[str, SlotModel, Span] | None:
        for key, slot in self.slots.items():
            for span in slot.spans:
                if span.ulid == ulid:
                    return key, slot, span
        return None

    def lock(self, key: str, until: int) -> None:
        """Lock a slot up to a time: events until then no longer change the slot's timers."""
        slot = self.slots.get(key)
        if slot is None:
            return
        slot.locked_until = max(slot.locked_until, until)
        for span in list(slot.spans):
            if span.end is not None and span.end <= slot.locked_until:
                self.finished[span.ulid] = row_of(span)
                slot.remove(span)
        slot.signs = {
            at
            for at in slot.signs
            if at > slot.locked_until
            or any(span.start <= at and (span.end is None or at < span.end) for span in slot.spans)
        }
        kept = [event for span in slot.spans for event in span.events]
        slot.events = [
            event
            for event in slot.events
            if event in kept or (event.at > slot.locked_until and not event.manual)
        ]

    def lock_homes(self, ulid: str, until: int) -> None:
        for key in self.homes.get(ulid, set()):
            self.lock(key, until)

    def __repr__(self) -> str:
        return f"Person({self.user_id})"

    @property
    def gone(self) -> list[str]:
        return [ulid for ulid in self.names if ulid not in self.attributes]

    def learn(self, ulid: str, attributes: Attributes) -> None:
        if ulid not in self.attributes:
            self.names.append(ulid)
            self.attributes[ulid] = attributes


class TimerMachine(RuleBasedStateMachine):
    """Two people, three issues, and a clock that is sometimes behind."""

    table: Table

    def __init__(self) -> None:
        super().__init__()
        number = next(_numbers)
        self.store = TimerStore(self.table)
        self.issue_timers = IssueTimers(self.table, self.store)
        self.offline = OfflineActions(self.table, self.store)
        self.people = [Person(2 * number), Person(2 * number + 1)]
        # No delivery has named the repository, so its id is unknown until the first event.
        self.issues = [Issue("octocat", f"Hello-{number}", n) for n in (1, 2, 3)]
        self.log: dict[str, list[Event]] = {issue.key: [] for issue in self.issues}
        self.true_now = T0 + 200
        self.now = self.true_now
        self.number = 0
        self.repeatable: tuple[Person, str, str, str, Timer] | None = None

    # ------------------------------------------------------------ drawing

    def next(self) -> int:
        self.number += 1
        return self.number

    def spelling(self, data: st.DataObject, *, none: bool = True) -> Issue | None:
        """Draw an issue, in one of two spellings, or None."""
        issue = data.draw(st.sampled_from([*self.issues, None] if none else self.issues), "issue")
        if issue is not None and data.draw(st.booleans(), "in capitals"):
            issue = Issue("OctoCat", issue.repo.lower(), issue.number)
        return issue

    def a_timer(self, data: st.DataObject, person: Person) -> str | None:
        """Draw the ULID of a timer; half of the draws are of open timers."""
        if not person.names:
            return None
        still_open = [slot.open.ulid for slot in person.slots.values() if slot.open]
        picks_open = bool(still_open) and data.draw(st.booleans(), "an open one")
        pool = still_open if picks_open else person.names
        return data.draw(st.sampled_from(pool), "timer")

    def a_person(self, data: st.DataObject) -> Person:
        return data.draw(st.sampled_from(self.people), "person")

    def refused(self, error: type[Exception], ask: Callable[[], object], match: str | None = None) -> None:
        with pytest.raises(error, match=match):
            ask()

    # ------------------------------------------------------------ the clock

    @rule(
        step=st.one_of(st.integers(1, 90), st.sampled_from([SECOND, MINUTE, 10 * MINUTE, HOUR, 25 * HOUR])),
        behind=st.sampled_from([0, 0, 0, 5, 80]),
    )
    def time_passes(self, step: int, behind: int) -> None:
        """Let time pass; the next machine's clock may be behind by less than a second."""
        self.true_now += step
        part = self.true_now % SECOND
        if not 200 <= part <= 950:
            self.true_now += 1_200 - part if part > 950 else 200 - part
        self.now = self.true_now - behind
        note(f"now T0 + {self.now - T0}")

    # ------------------------------------------------------------ requests

    @rule(data=st.data(), text=st.sampled_from(["", "é\n☕"]), key=st.sampled_from([None, None, "k1", "k2"]))
    def start(self, data: st.DataObject, text: str, key: str | None) -> None:
        person, issue = self.a_person(data), self.spelling(data)
        request = f"start {issue and issue.key} {text}"
        idempotency = None if key is None else Idempotency(key, request)

        def ask() -> tuple[Timer, bool]:
            return self.store.start(
                user_id=person.user_id,
                now_ms=self.now,
                issue=issue,
                description=text,
                idempotency=idempotency,
            )

        if self.repeats_key(person, key, request, lambda: ask()[0]):
            return
        slot = None if issue is None else person.slots.get(issue.key)
        timer, created = ask()
        if slot is not None and slot.open is not None:
            assert (timer.ulid, created) == (slot.open.ulid, False)
            # If a late event shows that the open timer had already ended, this start begins a new one.
            slot.request("start", self.now, self.next())
            self.repeatable = None
            self.remember_key(person, key, request, timer.ulid)
            return
        assert created
        if issue is None:
            name, slot = timer.ulid, SlotModel(None)
            person.slots[name] = slot
        else:
            name = issue.key
            slot = person.slots.setdefault(name, SlotModel(issue))
            person.homes.setdefault(timer.ulid, set()).add(name)
        slot.request("start", self.now, self.next(), timer.ulid)
        slot.spans[-1].ulid = timer.ulid
        person.learn(timer.ulid, Attributes(issue, issue.owner if issue else None, text))
        self.remember_key(person, key, request, timer.ulid)

    @rule(
        data=st.data(),
        ago=st.integers(1, 5_000_000),
        length=st.integers(0, 5_000_000),
        key=st.sampled_from([None, None, "k1", "k2"]),
    )
    def add(self, data: st.DataObject, ago: int, length: int, key: str | None) -> None:
        person, issue = self.a_person(data), self.spelling(data)
        start = self.now - ago
        end = min(self.now, start + length)
        request = f"add {issue and issue.key}"

        def ask() -> Timer:
            timer = finished(
                user_id=person.user_id,
                ulid=new_ulid(start),
                start_ms=start,
                end_ms=end,
                now_ms=self.now,
                issue=issue,
                organization="acme",
                description="manual",
            )
            return self.store.add(timer, None if key is None else Idempotency(key, request))

        if self.repeats_key(person, key, request, ask):
            return
        timer = ask()
        person.finished[timer.ulid] = Finished(start, end, 0, "manual", "manual")
        person.learn(timer.ulid, Attributes(issue, "acme", "manual"))
        self.remember_key(person, key, request, timer.ulid)

    def repeats_key(self, person: Person, key: str | None, request: str, ask: Callable[[], Timer]) -> bool:
        """Return whether the key was used within a day; if so, check the response to the repetition."""
        before = person.keys.get(key or "")
        if before is None or before[2] <= self.now // SECOND:
            return False
        if before[0] != request:
            self.refused(IdempotencyKeyReused, ask)
        elif before[1] not in person.attributes:
            self.refused(IdempotencyKeyReused, ask, "was deleted")
        else:
            assert ask().ulid == before[1]
        return True

    def remember_key(self, person: Person, key: str | None, request: str, ulid: str) -> None:
        if key is not None:
            person.keys[key] = (request, ulid, int(self.now / SECOND + DAY_S))

    def act(self, person: Person, ulid: str, action: str, cause: str, at_ms: int | None = None) -> Timer:
        if action == "focus":
            return self.store.focus(person.user_id, ulid, now_ms=self.now, cause=cause, at_ms=at_ms)
        transition: Callable[..., Timer] = getattr(self.store, action)
        return transition(person.user_id, ulid, now_ms=self.now, by="manual", cause=cause, at_ms=at_ms)

    @rule(data=st.data(), action=st.sampled_from(["pause", "pause", "resume", "resume", "stop", "focus"]))
    def transition(self, data: st.DataObject, action: str) -> None:
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None:
            return None
        cause = f"request{self.next()}"

        def ask() -> Timer:
            return self.act(person, ulid, action, cause)

        if ulid not in person.attributes:
            return self.refused(NotFound, ask)
        found = person.slot_of(ulid)
        status = found[2].status if found else "stopped"
        if found is None or status not in ALLOWED[action]:
            return self.refused(TransitionNotAllowed, ask, f"{action} a timer that is {status}")
        _, slot, span = found
        response = ask()
        slot.request(action, max(self.now, span.changed), self.next())
        self.repeatable = (person, action, ulid, cause, response)
        return None

    @rule(
        data=st.data(),
        action=st.sampled_from(["pause", "resume", "stop", "focus"]),
        ago=st.integers(0, 90) | st.integers(0, 3_600_000),
    )
    def send_an_offline_transition(self, data: st.DataObject, action: str, ago: int) -> None:
        """Events that occurred after the requested time are applied after the transition."""
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None or ulid not in person.attributes:
            return None
        at, cause = self.now - ago, f"request{self.next()}"

        def ask() -> Timer:
            return self.offline.rederive(self.act(person, ulid, action, cause, at), now_ms=self.now)

        found = person.slot_of(ulid)
        if at < (found[2].changed if found else person.finished[ulid].end):
            return self.refused(TransitionTooEarly, ask)
        if found is None or found[2].status not in ALLOWED[action]:
            return self.refused(TransitionNotAllowed, ask)
        _, slot, span = found
        spelled = person.attributes[ulid].issue
        response = ask()
        assert response.ulid == ulid
        self.apply_offline(person, slot, span, Step(at, True, self.next(), action, "manual"), spelled)
        return None

    @rule(data=st.data(), ago=st.integers(0, 90) | st.integers(0, 3_600_000))
    def send_an_offline_start(self, data: st.DataObject, ago: int) -> None:
        person, issue = self.a_person(data), self.spelling(data, none=False)
        assert issue is not None
        slot = person.slots.get(issue.key, SlotModel(issue))
        if slot.base is not None:
            # The model does not know the earlier history of a timer that was moved here manually.
            return None
        at = self.now - ago
        ends = {span.ulid: span.end for span in slot.spans} | {
            ulid: row.end for ulid, row in person.finished.items()
        }
        ended = any(
            end is not None
            and end > at
            and issue.key in person.homes.get(ulid, ())
            and (attributes := person.attributes[ulid]).issue
            and attributes.issue.key == issue.key
            for ulid, end in ends.items()
        )

        def ask() -> tuple[Timer, bool]:
            return self.offline.start(user_id=person.user_id, at_ms=at, now_ms=self.now, issue=issue)

        if ended and slot.open is None:
            return self.refused(TransitionTooEarly, ask)
        spelled = person.attributes[slot.open.ulid].issue if slot.open else issue
        timer, created = ask()
        assert created == (slot.open is None)
        if ended:
            assert slot.open is not None
            assert timer.ulid == slot.open.ulid
            return None
        person.slots[issue.key] = slot
        if created:
            person.learn(timer.ulid, Attributes(issue, issue.owner))
        event = Step(at, True, self.next(), "start", "manual", timer.ulid if created else "")
        self.apply_offline(person, slot, slot.open, event, spelled)
        assert timer.ulid in {span.ulid for span in slot.spans}
        return None

    def apply_offline(
        self, person: Person, slot: SlotModel, span: Span | None, event: Step, spelled: Issue | None
    ) -> None:
        earlier = [event for other in slot.spans if other is not span for event in other.events]
        event.order = max([event.at, *(event.order for event in earlier if event.manual)])
        slot.events.append(event)
        self.repeatable = None
        if spelled is not None:
            self.learn_new_ids(person, slot, spelled)
        else:
            (name,) = (span.ulid for span in slot.spans)
            slot.spans = slot.derive()
            slot.spans[0].ulid = name

    @precondition(lambda self: self.repeatable)
    @rule()
    def repeat_the_last_transition(self) -> None:
        assert self.repeatable
        person, action, ulid, cause, response = self.repeatable
        assert self.act(person, ulid, action, cause) == response

    @rule(data=st.data(), ago=st.sampled_from([0, 90, MINUTE, HOUR]))
    def sweep(self, data: st.DataObject, ago: int) -> None:
        """End a timer after its last sign of life; an event that arrives later may open it again."""
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        found = person.slot_of(ulid or "")
        if ulid is None:
            return
        self.repeatable = None
        if found is None or found[2].end is not None:
            assert self.expire(person, ulid, self.now, self.now) is None
            return
        _, slot, span = found
        last = max([span.changed, *(event.order for event in slot.events), *slot.signs])
        end = max(self.now - ago, last)
        # A correction is a sign of life at the time at which it was made.
        claims = self.store.get(person.user_id, ulid).claims
        until = end_of_date(end)
        sign = max([slot.last_sign(span, until), *(one.made_ms for one in claims if one.made_ms <= until)])
        assert self.expire(person, ulid, end, sign - 1) is None
        timer = self.expire(person, ulid, end, sign)
        assert timer is not None
        assert timer.last_sign_until(until) == sign
        slot.request("stop", end, self.next(), by="sweeper", sign=sign)

    def expire(self, person: Person, ulid: str, end: int, sign: int) -> Timer | None:
        return self.store.expire(person.user_id, ulid, end_ms=end, sign_ms=sign, now_ms=self.now)

    # ------------------------------------------------------------ corrections

    @rule(
        data=st.data(), text=st.sampled_from(["", "x", "é\n☕"]), organization=st.sampled_from([None, "acme"])
    )
    def describe(self, data: st.DataObject, text: str, organization: str | None) -> None:
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None:
            return None
        self.repeatable = None
        patch = Patch(description=text, organization=organization)
        if ulid not in person.attributes:
            return self.refused(
                NotFound, lambda: self.store.patch(person.user_id, ulid, patch, now_ms=self.now)
            )
        self.store.patch(person.user_id, ulid, patch, now_ms=self.now)
        attributes = person.attributes[ulid]
        attributes.description, attributes.organization = text, organization or attributes.organization
        return None

    @rule(
        data=st.data(),
        start=st.none() | st.integers(-HOUR, HOUR),
        end=st.none() | st.integers(-HOUR, HOUR),
    )
    def correct_times(self, data: st.DataObject, start: int | None, end: int | None) -> None:
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None or (start is None and end is None):
            return None
        found = person.slot_of(ulid)
        row = person.finished.get(ulid)
        if found and found[2].end is not None:
            span = found[2]
            row = row_of(span)
        origin = row.start if row else self.now
        new_start = None if start is None else origin + start
        new_end = None if end is None else (row.end if row else self.now) + end
        if new_start is not None and new_end is not None and new_end < new_start:
            return None
        patch = Patch(start_ms=new_start, end_ms=new_end)

        def ask() -> Timer:
            return self.store.patch(person.user_id, ulid, patch, now_ms=self.now)

        if ulid not in person.attributes:
            return self.refused(NotFound, ask)
        if max(new_start or 0, new_end or 0) > self.now:
            return self.refused(InvalidInput, ask, "future")
        if row is None:
            assert found is not None
            if new_end is None:
                assert new_start is not None
                return self.correct_start(person, *found, new_start, ask)
            return self.correct_end(person, *found, new_end, ask) if new_start is None else None
        corrected = replace(
            row,
            start=row.start if new_start is None else new_start,
            end=row.end if new_end is None else new_end,
        )
        if corrected.end - corrected.start < row.paused:
            return self.refused(InvalidInput, ask)
        ask()
        self.repeatable = None
        corrected.locked_until = max(corrected.locked_until, corrected.end)
        person.lock_homes(ulid, corrected.locked_until)
        person.finished[ulid] = corrected
        return None

    def correct_start(
        self, person: Person, key: str, slot: SlotModel, span: Span, start: int, ask: Callable[[], Timer]
    ) -> None:
        first_pause = span.stretches[0][1]
        if first_pause is not None and start > first_pause:
            return self.refused(InvalidInput, ask, "do not fit")
        before = span.start
        locked_until = max(start, before)
        if any(event.at <= locked_until for event in span.events[1:]):
            # The model does not know which acts the corrected timer keeps.
            return None
        ask()
        self.repeatable = None
        later = [event for event in slot.events if event.at > locked_until]
        was_base = slot.base is not None and slot.base.ulid == span.ulid
        fixed = deepcopy(slot.base) if was_base and slot.base else deepcopy(span)
        if not was_base:
            fixed.stretches, fixed.paused_by, fixed.changed_by = [[start, None]], None, span.events[0]
            fixed.changed = before
        fixed.stretches[0][0] = start
        if fixed.changed == before:
            # The owner's own start is kept as an act, so no later transition can be earlier.
            fixed.changed = max(start, before) if fixed.source == "manual" else start
        fixed.events = []
        slot.remove(span)
        person.lock(key, locked_until)
        slot.events = [*later]
        slot.fix(fixed)
        return None

    def correct_end(
        self, person: Person, key: str, slot: SlotModel, span: Span, end: int, ask: Callable[[], Timer]
    ) -> None:
        if end < span.start:
            return self.refused(InvalidInput, ask, "before start_time")
        if span.status != "running" or end < span.changed:
            # The model does not know which transitions the corrected timer keeps.
            return None
        ask()
        self.repeatable = None
        ended = deepcopy(span)
        ended.stretches[-1][1] = ended.end = end
        ended.stopped_by = "manual"
        slot.remove(span)
        if slot.issue is None:
            del person.slots[key]
        person.lock_homes(span.ulid, self.now)
        person.finished[span.ulid] = replace(row_of(ended), locked_until=self.now)
        slot.events = [event for event in slot.events if event.at > self.now]
        return None

    @rule(data=st.data(), after=st.integers(0, 10 * MINUTE), length=st.integers(1, HOUR))
    def insert_a_pause(self, data: st.DataObject, after: int, length: int) -> None:
        """Insert a pause after the last transition of an open timer."""
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None or (found := person.slot_of(ulid)) is None or found[2].status == "stopped":
            return None
        key, slot, span = found
        since = span.changed + after
        until = since + length

        def ask() -> Timer:
            return self.store.correct(
                person.user_id,
                ulid,
                lambda timer: with_pause(timer, since, until, self.now),
                now_ms=self.now,
            )

        if until > self.now:
            return self.refused(InvalidInput, ask, "future")
        if span.status == "paused":
            return self.refused(InvalidInput, ask, "another pause")
        ask()
        self.repeatable = None
        fixed = deepcopy(span)
        fixed.stretches[-1][1] = since
        fixed.stretches.append([until, None])
        fixed.changed, fixed.events = until, []
        later = [event for event in slot.events if event.at > until]
        slot.remove(span)
        person.lock(key, until)
        slot.events = later
        slot.fix(fixed)
        return None

    @rule(data=st.data(), after=st.integers(0, HOUR))
    def split(self, data: st.DataObject, after: int) -> None:
        """Divide an open timer after its last transition."""
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None or (found := person.slot_of(ulid)) is None or found[2].status != "running":
            return None
        key, slot, span = found
        at = span.changed + after

        def ask() -> Halves:
            return self.store.split(person.user_id, ulid, at, now_ms=self.now)

        if not span.start < at < self.now:
            return self.refused(InvalidInput, ask)
        halves = ask()
        self.repeatable = None
        second = halves.second.ulid
        later = [event for event in slot.events if event.at > at]
        ended = deepcopy(span)
        ended.stretches[-1][1] = ended.end = at
        ended.stopped_by = "correction"
        begun = Step(at, True, self.next(), "start", "correction", order=at)
        slot.remove(span)
        if slot.issue is None:
            del person.slots[key]
            key, slot = second, person.slots.setdefault(second, SlotModel(None))
        else:
            person.homes.setdefault(second, set()).add(key)
        person.lock_homes(ulid, at)
        person.finished[ulid] = replace(row_of(ended), locked_until=at)
        slot.events = later
        slot.fix(Span(second, "correction", [[at, None]], changed=at, changed_by=begun))
        person.learn(second, replace(person.attributes[ulid]))
        return None

    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        issue = self.spelling(data)
        if ulid is None:
            return None

        def ask() -> Timer:
            return self.store.patch(person.user_id, ulid, Patch(issue=(issue,)), now_ms=self.now)

        if ulid not in person.attributes:
            return self.refused(NotFound, ask)
        attributes = person.attributes[ulid]
        found = person.slot_of(ulid)
        self.repeatable = None
        if found is None or found[2].end is not None:
            ask()
            person.lock_homes(ulid, self.locked_until_of(person, ulid))
        else:
            old_key, old, span = found
            if issue is not None and issue.key != old_key:
                there = person.slots.get(issue.key)
                if there is not None and there.open is not None:
                    return self.refused(OtherTimerOpen, ask, there.open.ulid)
            ask()
            if (issue and issue.key) != (old.issue and old_key):
                old.remove(span)
                person.lock(old_key, self.now)
                if old.issue is None:
                    del person.slots[old_key]
                new_key = ulid if issue is None else issue.key
                new = person.slots.setdefault(new_key, SlotModel(issue))
                person.lock(new_key, self.now)
                new.base = deepcopy(span)
                new.spans.append(deepcopy(span))
                if issue is not None:
                    person.homes.setdefault(ulid, set()).add(new_key)
        attributes.issue = issue
        attributes.organization = issue.owner if issue else attributes.organization
        return None

    def locked_until_of(self, person: Person, ulid: str) -> int:
        found = person.slot_of(ulid)
        return (row_of(found[2]) if found else person.finished[ulid]).locked_until

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        person = self.a_person(data)
        ulid = self.a_timer(data, person)
        if ulid is None:
            return None
        if ulid not in person.attributes:
            # A second deletion in the same millisecond would be treated as a repetition of the first.
            return self.refused(
                NotFound, lambda: self.store.delete(person.user_id, ulid, now_ms=self.true_now + 1)
            )
        self.store.delete(person.user_id, ulid, now_ms=self.now)
        self.repeatable = None
        found = person.slot_of(ulid)
        was_open = found is not None and found[2].end is None
        locked_until = self.now if was_open else self.locked_until_of(person, ulid)
        if found:
            key, slot, span = found
            if was_open:
                slot.remove(span)
            if slot.issue is None:
                del person.slots[key]
        person.lock_homes(ulid, locked_until)
        person.finished.pop(ulid, None)
        del person.attributes[ulid]
        return None

    # ------------------------------------------------------------ deliveries

    @rule(
        data=st.data(),
        kind=st.sampled_from([*ACTIONS, "assigned", "unassigned", "project.start", "project.removed"]),
        late=st.sampled_from([0, 0, 0, 1, 5, 60, 600, 3_600]),
    )
    def something_happens_on_github(self, data: st.DataObject, kind: str, late: int) -> None:
        """GitHub's times are whole seconds; this model has no two events of an issue in the same second."""
        issue = data.draw(st.sampled_from(self.issues), "issue")
        used_times = {event.at_ms for event in self.log[issue.key]}
        at = self.true_now // SECOND * SECOND - late * SECOND
        while at in used_times:
            at -= SECOND
        users: frozenset[int] | None = None
        others: frozenset[int] = frozenset()
        if kind in ("assigned", "unassigned"):
            users = frozenset({self.a_person(data).user_id})
        elif kind == "unassigned.others":
            others = frozenset(data.draw(st.sets(st.sampled_from([p.user_id for p in self.people]))))
        elif ACTIONS[kind] in ("start", "resume"):
            users = frozenset(
                data.draw(st.sets(st.sampled_from([p.user_id for p in self.people]), min_size=1))
            )
        actor = data.draw(st.sampled_from([0, *(person.user_id for person in self.people)]), "actor")
        if kind == "commented":
            users = frozenset({actor or self.people[0].user_id})
        card = data.draw(st.sampled_from(["card 1", "card 2"])) if kind.startswith("project") else ""
        event = Event(
            f"delivery{self.next():04d}", kind, at, users, except_users=others, card=card, actor=actor
        )
        self.log[issue.key].append(event)
        for person in self.people:
            if person.user_id == actor or (users is not None and person.user_id in users):
                slot = person.slots.setdefault(issue.key, SlotModel(issue))
                if at > slot.locked_until:
                    slot.signs.add(at)
            if not event.concerns(person.user_id) or not ACTIONS[kind]:
                # The log contains the event, but the event concerns only other people.
                continue
            slot = person.slots.setdefault(issue.key, SlotModel(issue))
            person.lock(issue.key, 0)
            if at > slot.locked_until:
                number = self.next()
                own = person.user_id == actor
                step = Step(at, False, number, ACTIONS[kind], kind, order=at, card=card, own=own)
                slot.events.append(step)
        self.repeatable = None
        self.deliver(event, issue)

    @precondition(lambda self: any(self.log.values()))
    @rule(data=st.data())
    def a_delivery_is_repeated(self, data: st.DataObject) -> None:
        issue = data.draw(st.sampled_from([i for i in self.issues if self.log[i.key]]), "issue")
        event = data.draw(st.sampled_from(self.log[issue.key]), "event")
        assert self.issue_timers.apply(event, identified(issue), now_ms=self.now) == []

    def deliver(self, event: Event, issue: Issue) -> None:
        self.issue_timers.apply(event, identified(issue), now_ms=self.now)
        for person in self.people:
            slot = person.slots.get(issue.key)
            if slot is not None:
                self.learn_new_ids(person, slot, issue)

    def learn_new_ids(self, person: Person, slot: SlotModel, issue: Issue) -> None:
        """Read the ids of the derived timers, and check that ids already known to clients are kept."""
        before, slot.spans = slot.spans, slot.derive()
        stored = [
            timer
            for timer in self.listed(person)
            if timer.issue and name_of(timer.issue) == issue.key and timer.ulid not in person.finished
        ]
        unnamed = list(stored)
        for span in slot.spans:
            twin = next((t for t in unnamed if visible(t, self.now) == span.visible(self.now)), None)
            assert twin, (span, [visible(timer, self.now) for timer in stored])
            unnamed.remove(twin)
            span.ulid = twin.ulid
        assert unnamed == []
        names = {span.ulid for span in slot.spans}
        for span in slot.spans:
            seen = {
                old.ulid
                for old in before
                if span.start <= old.start
                and (span.end is None or old.start < span.end or old.start == span.start)
            }
            # An id is derived from a timer's start. If a timer is split, the part with the same start keeps
            # the timer's id.
            assert not seen or span.ulid in seen or seen <= names
        for old in before:
            if old.ulid not in names:
                del person.attributes[old.ulid]
        for span in slot.spans:
            person.learn(span.ulid, Attributes(issue, issue.owner))
            person.homes.setdefault(span.ulid, set()).add(issue.key)

    # ------------------------------------------------------------ invariants and lists

    def listed(self, person: Person) -> list[Timer]:
        return list(self.store.page(person.user_id, Filters(), page_size=100).timers)

    def expected(self, person: Person) -> dict[str, tuple[object, ...]]:
        faces = {ulid: row.visible() for ulid, row in person.finished.items()}
        for slot in person.slots.values():
            faces |= {span.ulid: span.visible(self.now) for span in slot.spans}
        return faces

    @invariant()
    def the_timers_are_those_of_the_model(self) -> None:
        for person in self.people:
            timers = self.listed(person)
            assert {timer.ulid: visible(timer, self.now) for timer in timers} == self.expected(person)
            assert {timer.ulid: subject(timer) for timer in timers} == {
                ulid: subject(attributes) for ulid, attributes in person.attributes.items()
            }
            assert all(timer.active_ms(self.now) >= 0 and timer.paused_ms >= 0 for timer in timers)
            assert [t.start_ms for t in timers] == sorted((t.start_ms for t in timers), reverse=True)

    @invariant()
    def slots_and_indexes_hold_the_open_timers(self) -> None:
        still_open = {
            (person.user_id, slot.open.ulid, key if slot.issue else None)
            for person in self.people
            for key, slot in person.slots.items()
            if slot.open
        }
        slots = set()
        for issue in self.issues:
            keys = [
                slot_key(one, person.user_id) for person in self.people for one in (issue, identified(issue))
            ]
            for item in self.table.get_many(keys):
                # A slot has an expiry time unless it has an open timer.
                assert ("open_ulid" in item) is not ("expires_at" in item)
                if "open_ulid" in item:
                    user_id = int(item["sk"]["S"].rpartition("#")[2])
                    slots.add((user_id, item["open_ulid"]["S"], issue.key))
        assert slots == {found for found in still_open if found[2]}
        for person in self.people:
            found = self.table.query_all(user_pk(person.user_id), index="by-end")
            items = [item for item in found if item["sk"]["S"].startswith("timer#") and not is_tombstone(item)]
            mine = {ulid for user_id, ulid, _ in still_open if user_id == person.user_id}
            assert {item["sk"]["S"].removeprefix("timer#") for item in items if "end_ms" not in item} == mine
            for item in items:
                timer = to_timer(item)
                end_ms = None if timer.is_open else timer.reach.until_ms
                assert item["end_key"]["S"] == end_key(timer.start_ms, end_ms)

    @rule(data=st.data())
    def get_shows_what_the_list_shows(self, data: st.DataObject) -> None:
        person = self.a_person(data)
        for timer in self.listed(person):
            # Timers in a list have no history.
            whole = self.store.get(person.user_id, timer.ulid)
            assert replace(whole, history=()) == replace(timer, history=())
        if person.gone:
            ulid = data.draw(st.sampled_from(person.gone))
            self.refused(NotFound, lambda: self.store.get(person.user_id, ulid))

    @rule(data=st.data(), page_size=st.integers(1, 4), is_open=st.sampled_from([None, True, False]))
    def the_pages_of_a_list_hold_what_it_selects(
        self, data: st.DataObject, page_size: int, is_open: bool | None
    ) -> None:
        person, issue = self.a_person(data), self.spelling(data)
        since = data.draw(st.none() | st.integers(T0 - HOUR, self.true_now), "from")
        before = data.draw(st.none() | st.integers(T0 - HOUR, self.true_now), "before")
        filters = Filters(
            is_open=is_open,
            repo_keys=repo_keys(issue) if issue else frozenset(),
            number=issue.number if issue else None,
            start_from_ms=since,
            start_before_ms=before,
        )
        wanted = {
            ulid
            for ulid, shown in self.expected(person).items()
            if (is_open is None or is_open == (shown[1] is None))
            and (
                issue is None
                or ((attributes := person.attributes[ulid]).issue and attributes.issue.key == issue.key)
            )
            and (since is None or since <= shown[0])  # type: ignore[operator]
            and (before is None or shown[0] < before)  # type: ignore[operator]
        }
        pages: list[list[str]] = []
        position: Position | None = None
        while True:
            page = self.store.page(person.user_id, filters, page_size=page_size, position=position)
            pages.append([timer.ulid for timer in page.timers])
            if page.next is None:
                break
            position = page.next
        assert sorted(ulid for found in pages for ulid in found) == sorted(wanted)
        assert all(len(found) == page_size for found in pages[:-1])
        while page.previous is not None:
            pages.pop()
            page = self.store.page(person.user_id, filters, page_size=page_size, position=page.previous)
            assert [timer.ulid for timer in page.timers] == pages[-1]
        assert len(pages) == 1

    def teardown(self) -> None:
        found = {
            (timer.user_id, timer.ulid)
            for timer in self.store.open_timers()
            if timer.user_id in {person.user_id for person in self.people}
        }
        assert found == {
            (person.user_id, slot.open.ulid)
            for person in self.people
            for slot in person.slots.values()
            if slot.open
        }


def test_any_sequence_of_requests_and_deliveries_produces_the_timers_of_the_model(
    shared_table: Table,
) -> None:
    class Machine(TimerMachine):
        pass

    Machine.table = shared_table
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(0.2),
            stateful_step_count=25,
            # Hypothesis does not shrink failing examples, because shrinking would take minutes.
            phases=[Phase.reuse, Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
