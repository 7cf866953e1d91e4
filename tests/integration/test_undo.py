"""A correction that is undone has never been made: timers, slots and working time are the former ones."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.integration.conftest import Api
from tests.integration.test_api import act, get, problem, start, time_of
from tests.support.calendars import put_version
from tests.support.examples import examples
from tests.support.gateway import Answer, Client
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.calendar import HOUR_MS, ConcurrentTimers, Policy
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import DAY_MS, Interval, ScheduleVersion, Week
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.keys import slot_key, user_pk
from timer_core.store.people import Person
from timer_core.store.slots import to_slot
from timer_core.store.table import Table

MINUTE_MS = 60_000
OFFICE = Week("Europe/Berlin", (*[(Interval(540, 720), Interval(780, 1080))] * 7,))
REPO = "octocat/undone"


class Worker:
    """A person with working hours, whose requests have an Idempotency-Key each."""

    def __init__(self, api: Api, clock: Clock, table: Table, person: Person) -> None:
        self.clock, self.table, self.user_id = clock, table, person.user_id
        self.client = Client(api.module.handler, api.tokens.mint(person, name="test", now_ms=clock.ms)[1])
        self.timers = api.module.shared.timers
        self.events = IssueTimers(table, self.timers)
        # The first day, three days ago at midnight.
        self.first_ms = (clock.ms // DAY_MS - 3) * DAY_MS
        version = ScheduleVersion(datetime.fromtimestamp(0, UTC).date(), OFFICE)
        put_version(api.module.shared.calendars, self.user_id, version, now_ms=clock.ms)

    def send(self, method: str, path: str, body: Any = None) -> tuple[str, Answer]:
        key = str(uuid4())
        return key, self.client(method, f"/api/timelogs/{path}", body, idempotency_key=key)

    def undo(self, key: str) -> Answer:
        return self.client("POST", "/api/timelogs/undo/", {"idempotency_key": key})

    def deliver(self, kind: str, at_ms: int, number: int) -> None:
        issue = identified(Issue("octocat", "undone", number))
        event = Event(str(uuid4()), kind, at_ms, frozenset({self.user_id}))
        self.events.apply(event, issue, now_ms=self.clock.ms)

    def listed(self) -> list[dict[str, Any]]:
        timers: list[dict[str, Any]] = self.client("GET", "/api/timelogs/?page_size=100").json()["results"]
        return timers

    def facts(self) -> dict[str, Any]:
        """Return all that a correction may change: the stored timers, the slots, and the working time."""
        items = self.table.query_all(user_pk(self.user_id), None)
        timers = {
            item["sk"]["S"]: {name: value for name, value in item.items() if name != "version"}
            for item in items
            if item["sk"]["S"].startswith("timer#")
        }
        issues = [identified(Issue("octocat", "undone", number)) for number in range(1, 7)]
        slots = [
            (issue.number, slot.open_ulid)
            for issue in issues
            if (item := self.table.get(*slot_key(issue, self.user_id)))
            and (slot := to_slot(item, issue)).open_ulid
        ]
        period = f"since={time_of(self.first_ms)}&until={time_of(self.clock.ms)}"
        worked = self.client("GET", f"/api/timeline/?{period}").json()["slices"]
        listed = [
            {name: timer[name] for name in ("id", "status", "working_duration", "active_duration", "pauses")}
            for timer in self.listed()
        ]
        return {"timers": timers, "open": slots, "worked": worked, "listed": listed}


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["assigned", "assigned", "unassigned", "closed", "start", "start", "pause", "resume", "focus"]
        ),
        st.integers(1, 3),
        st.integers(1, 700),
    ),
    min_size=3,
    max_size=12,
)
_CORRECTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["start", "end", "issue", "pause", "longer pause", "no pause", "split", "delete", "add", "text"]
        ),
        st.integers(0, 5),
        st.floats(0, 1),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture
def new_worker(
    api: Api, clock: Clock, shared_table: Table, new_person: Callable[[], Person]
) -> Iterator[Callable[[ConcurrentTimers], Worker]]:
    calendars = api.module.shared.calendars
    # Before working hours. A later present would let some timers become stale, depending on the time of day.
    present_ms = (clock.ms // DAY_MS - 1) * DAY_MS + 6 * HOUR_MS
    with pytest.MonkeyPatch.context() as patched:

        def make(policy: ConcurrentTimers) -> Worker:
            policies = (Policy(concurrent_timers=policy),)
            patched.setattr(calendars, "organization", lambda **_: policies)
            clock.ms = present_ms
            return Worker(api, clock, shared_table, new_person())

        yield make


@settings(
    max_examples=examples(0.5),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS, corrections=_CORRECTIONS, policy=st.sampled_from(list(ConcurrentTimers)))
def test_what_is_undone_is_as_it_was(
    new_worker: Callable[[ConcurrentTimers], Worker],
    steps: Sequence[tuple[str, int, int]],
    corrections: Sequence[tuple[str, int, float, float]],
    policy: ConcurrentTimers,
) -> None:
    worker = new_worker(policy)
    present_ms = worker.clock.ms
    worker.clock.ms = worker.first_ms + 7 * HOUR_MS
    for kind, number, minutes in steps:
        if worker.clock.ms + minutes * MINUTE_MS < present_ms:
            worker.clock.ms += minutes * MINUTE_MS
        _step(worker, kind, number)
    worker.clock.ms = present_ms
    made = []
    for correction in corrections:
        before = worker.facts()
        key, answer = _correct(worker, *correction)
        note(f"{correction[0]}: {answer.status}")
        assert answer.status < 500
        if answer.status < 300:
            made.append((key, before))
        else:
            assert worker.facts() == before
    for key, before in reversed(made):
        assert worker.undo(key).status == 204
        assert worker.facts() == before
        # The client may not have received the response.
        assert worker.undo(key).status == 204
        assert worker.facts() == before


def _step(worker: Worker, kind: str, number: int) -> None:
    if kind in {"assigned", "unassigned", "closed"}:
        worker.deliver(kind, worker.clock.ms, number)
    elif kind == "start":
        worker.send("POST", "start/", _issue(number))
    else:
        for timer in worker.listed():
            if timer["github_issue_number"] == number and timer["status"] != "stopped":
                worker.send("POST", f"{timer['id']}/{kind}/")


def _issue(number: int) -> dict[str, Any]:
    return {"github_repo": REPO, "github_issue_number": number}


def _correct(worker: Worker, kind: str, which: int, first: float, second: float) -> tuple[str, Answer]:
    """Send a correction; ``first`` and ``second`` select its times."""
    timers = worker.listed()
    now = worker.clock.ms
    if kind == "add" or not timers:
        since_ms = round(worker.first_ms + first * (now - worker.first_ms - HOUR_MS))
        body = {"start_time": time_of(since_ms), "duration": round(second * 3_600)}
        return worker.send("POST", "", body | _issue(1 + which % 3))
    timer = timers[which % len(timers)]
    start_ms, end_ms = (
        now if timer[name] is None else round(datetime.fromisoformat(timer[name]).timestamp() * 1000)
        for name in ("start_time", "end_time")
    )
    inside = sorted(round(start_ms + part * (end_ms - start_ms)) for part in (first, second))
    path, number = f"{timer['id']}/", which % max(1, len(timer["pauses"]))
    pause = {"start": time_of(inside[0]), "end": time_of(inside[1])}
    match kind:
        case "start" | "end":
            moved = round(inside[0] - second * HOUR_MS) if kind == "start" else inside[1]
            return worker.send("PATCH", path, {f"{kind}_time": time_of(moved)})
        case "issue":
            return worker.send("PATCH", path, _issue(1 + which))
        case "text":
            return worker.send("PATCH", path, {"description": str(uuid4())})
        case "pause":
            return worker.send("POST", f"{path}pauses/", pause)
        case "longer pause":
            return worker.send("PUT", f"{path}pauses/{number}/", pause)
        case "no pause":
            return worker.send("DELETE", f"{path}pauses/{number}/")
        case "split":
            return worker.send("POST", f"{path}split/", {"at": time_of(inside[0])})
        case _:
            return worker.send("DELETE", path)


class TestUndo:
    """A timer of three days: 24 hours of working time, of which another timer has two."""

    @pytest.fixture
    def worker(self, new_worker: Callable[[ConcurrentTimers], Worker]) -> Worker:
        worker = new_worker(ConcurrentTimers.FOCUS)
        present_ms, worker.clock.ms = worker.clock.ms, worker.first_ms + 4 * HOUR_MS
        worker.deliver("assigned", worker.clock.ms, 1)
        worker.clock.ms += DAY_MS + 6 * HOUR_MS
        worker.send("POST", "start/", _issue(2))
        worker.clock.ms += 2 * HOUR_MS
        worker.send("POST", f"{self.timer(worker, 2)['id']}/stop/")
        worker.clock.ms = present_ms
        return worker

    @staticmethod
    def timer(worker: Worker, number: int) -> dict[str, Any]:
        return next(one for one in worker.listed() if one["github_issue_number"] == number)

    def at(self, worker: Worker, hours: float) -> str:
        return time_of(worker.first_ms + round(hours * HOUR_MS))

    def test_a_split_leaves_no_statement(self, worker: Worker) -> None:
        before = worker.facts()
        first, _ = worker.send("POST", f"{self.timer(worker, 1)['id']}/split/", {"at": self.at(worker, 32)})
        second, moved = worker.send("PATCH", f"{self.timer(worker, 1)['id']}/", _issue(3))
        assert moved.status == 200
        assert [worker.undo(key).status for key in (second, first)] == [204, 204]
        assert worker.facts() == before

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_deleted_timer_is_open_or_stopped_as_before(self, worker: Worker, number: int) -> None:
        before = worker.facts()
        key, _ = worker.send("DELETE", f"{self.timer(worker, number)['id']}/")
        assert worker.facts()["worked"] != before["worked"]
        assert worker.undo(key).status == 204
        assert worker.facts() == before

    def test_an_added_timer_leaves_no_gap(self, worker: Worker) -> None:
        before = worker.facts()
        key, added = worker.send("POST", "", {"start_time": self.at(worker, 30), "duration": 3600})
        assert worker.undo(key).status == 204
        assert worker.facts() == before
        assert worker.client("GET", f"/api/timelogs/{added.json()['id']}/").status == 404

    def test_events_since_the_correction_have_their_effect(self, worker: Worker) -> None:
        timer = self.timer(worker, 1)
        key, _ = worker.send("PATCH", f"{timer['id']}/", {"end_time": self.at(worker, 32)})
        worker.deliver("unassigned", worker.first_ms + 57 * HOUR_MS, 1)
        assert self.timer(worker, 1)["end_time"] == self.at(worker, 32)
        assert worker.undo(key).status == 204
        restored = get(worker.client, timer)
        assert (restored["status"], restored["pauses"]) == (
            "paused",
            [{"start": self.at(worker, 57), "end": None}],
        )

    def test_a_timer_that_has_changed_since_is_left_as_it_is(self, worker: Worker) -> None:
        timer = self.timer(worker, 1)
        key, _ = worker.send("PATCH", f"{timer['id']}/", {"start_time": self.at(worker, 8)})
        act(worker.client, timer, "pause")
        before = worker.facts()
        assert problem(worker.undo(key), 409)["code"] == "changed_meanwhile"
        assert worker.facts() == before

    def test_another_timer_on_the_issue_prevents_it(self, worker: Worker) -> None:
        key, _ = worker.send("DELETE", f"{self.timer(worker, 1)['id']}/")
        assert worker.send("POST", "start/", _issue(1))[1].status == 201
        before = worker.facts()
        assert problem(worker.undo(key), 400)["code"] == "other_timer_open"
        assert worker.facts() == before

    def test_a_day_that_was_confirmed_since_prevents_it(self, worker: Worker) -> None:
        key, _ = worker.send("POST", "", {"start_time": self.at(worker, 30), "duration": 3600})
        day = datetime.fromtimestamp(worker.first_ms / 1000, UTC).date() + timedelta(days=1)
        path = f"/api/timesheets/?from={day}&to={day}"
        (sheet,) = worker.client("GET", path).json()["days"]
        confirmed = worker.client("POST", f"/api/timesheets/{day}/confirm/", if_match=sheet["etag"])
        assert confirmed.status == 200
        before = worker.facts()
        refused = problem(worker.undo(key), 409)
        assert (refused["code"], refused["date"]) == ("day_confirmed", day.isoformat())
        assert worker.facts() == before

    def test_only_corrections_of_the_last_day_can_be_undone(self, worker: Worker) -> None:
        key, _ = worker.send("POST", "start/", _issue(4))
        assert worker.undo(key).status == 404
        assert worker.undo("unknown").status == 404
        key, _ = worker.send("PATCH", f"{self.timer(worker, 1)['id']}/", {"description": "x"})
        worker.clock.advance(86_401)
        assert worker.undo(key).status == 404

    def test_another_person_cannot_undo_it(self, worker: Worker, api: Api) -> None:
        key, _ = worker.send("PATCH", f"{self.timer(worker, 1)['id']}/", {"description": "x"})
        assert api.ann("POST", "/api/timelogs/undo/", {"idempotency_key": key}).status == 404
        assert self.timer(worker, 1)["description"] == "x"


class TestEndOfAnOpenTimer:
    def test_it_stops_the_timer_and_leaves_a_gap(
        self, new_worker: Callable[[ConcurrentTimers], Worker]
    ) -> None:
        worker = new_worker(ConcurrentTimers.FOCUS)
        present_ms, worker.clock.ms = worker.clock.ms, worker.first_ms + 7 * HOUR_MS
        worker.deliver("assigned", worker.clock.ms, 1)
        worker.deliver("assigned", worker.clock.ms + 1_000, 2)
        worker.clock.ms = present_ms
        before = worker.facts()
        first, waiting = sorted(worker.listed(), key=lambda one: str(one["github_issue_number"]))
        end = time_of(worker.first_ms + 9 * HOUR_MS)
        key, ended = worker.send("PATCH", f"{first['id']}/", {"end_time": end})
        shown = ended.json()
        assert (shown["status"], shown["end_time"], shown["stopped_by"]) == ("stopped", end, "manual")
        assert get(worker.client, waiting)["working_duration"] < 60
        assert worker.undo(key).status == 204
        assert worker.facts() == before

    @pytest.mark.parametrize("hours", [6, 8.4])
    def test_its_pauses_after_the_end_go(
        self, new_worker: Callable[[ConcurrentTimers], Worker], hours: float
    ) -> None:
        worker = new_worker(ConcurrentTimers.PARALLEL)
        present_ms, worker.clock.ms = worker.clock.ms, worker.first_ms + 7 * HOUR_MS
        timer = start(worker.client)
        for action in ("pause", "resume", "pause"):
            worker.clock.ms += HOUR_MS
            act(worker.client, timer, action)
        worker.clock.ms = present_ms
        end = time_of(worker.first_ms + round(hours * HOUR_MS))
        _, answer = worker.send("PATCH", f"{timer['id']}/", {"end_time": end})
        if hours < 7:
            refused = problem(answer, 400)
            assert [error["code"] for error in refused["errors"]] == ["end_before_start"]
        else:
            assert (answer.json()["active_duration"], answer.json()["pauses"]) == (
                3_600,
                [{"start": time_of(worker.first_ms + 8 * HOUR_MS), "end": end}],
            )
