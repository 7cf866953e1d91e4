"""Requests for a time in the past, because the client was offline or the request was slow."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import ISSUE, act, get, ids, problem, start, time_of
from tests.support.gateway import Answer
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.errors import (
    IdempotencyKeyReused,
    TooMuchContention,
    TransitionNotAllowed,
    TransitionTooEarly,
)
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.domain.moves import Move
from timer_core.domain.timers import Timer
from timer_core.services.issue_timers import IssueTimers
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.writes import Idempotency

MINUTE = 60
_numbers = count(1)


def change(api: Api, timer: dict[str, Any], action: str, at_ms: int, **headers: str) -> Answer:
    return api.ann(
        "POST", f"/api/timelogs/{timer['id']}/{action}/", {"at": time_of(at_ms)}, body=None, **headers
    )


def start_at(api: Api, at_ms: int, number: int = 7, **headers: str) -> Answer:
    sent = {"github_issue_url": ISSUE.format(number), "at": time_of(at_ms)}
    return api.ann("POST", "/api/timelogs/start/", sent, body=None, **headers)


@dataclass
class GitHub:
    """Delivers events that occurred some minutes ago, on an issue that only Ann works on."""

    issue_timers: IssueTimers
    issue: Issue
    user_id: int
    clock: Clock

    def deliver(self, kind: str, minutes_ago: float) -> None:
        at_ms = (self.clock.ms - round(minutes_ago * MINUTE * 1000)) // 1000 * 1000
        users = None if kind == "closed" else frozenset({self.user_id})
        event = Event(f"{kind}-{self.issue.number}-{minutes_ago}", kind, at_ms, users)
        self.issue_timers.apply(event, self.issue, now_ms=self.clock.ms)


@pytest.fixture
def github(api: Api, clock: Clock, shared_table: Table) -> GitHub:
    # The clock shows a whole second, as GitHub's times do.
    clock.ms = clock.ms // 1000 * 1000
    issue = identified(Issue("octocat", "Hello-World", 1000 + next(_numbers)))
    return GitHub(IssueTimers(shared_table, TimerStore(shared_table)), issue, api.ann_id, clock)


class TestRequestedTime:
    def test_every_transition_counts_from_its_requested_time(self, api: Api, clock: Clock) -> None:
        t0 = clock.ms
        clock.advance(3600)
        timer = start_at(api, t0).json()
        assert (timer["start_time"], timer["created"]) == (time_of(t0), time_of(clock.ms))
        assert timer["active_duration"] == 3600
        paused = change(api, timer, "pause", t0 + 60_000).json()
        assert (paused["last_pause_time"], paused["active_duration"]) == (time_of(t0 + 60_000), 60)
        resumed = change(api, timer, "resume", t0 + 90_000).json()
        assert (resumed["paused_duration"], resumed["active_duration"]) == (30, 3570)
        stopped = change(api, timer, "stop", t0 + 100_000).json()
        assert (stopped["end_time"], stopped["duration"]) == (time_of(t0 + 100_000), 70)

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"at": null}'])
    def test_a_request_without_a_time_counts_from_now(self, api: Api, clock: Clock, body: bytes) -> None:
        timer = start(api.ann)
        for seconds, action in enumerate(("pause", "resume", "stop"), start=1):
            clock.advance(1)
            response = api.ann("POST", f"/api/timelogs/{timer['id']}/{action}/", body=body)
            assert response.status == 200, response.body
            assert (action, get(api.ann, timer)["active_duration"]) == (action, seconds - (seconds > 1))

    @pytest.mark.parametrize("ahead_ms", [1, 60_000])
    def test_a_time_slightly_in_the_future_counts_as_now(self, api: Api, clock: Clock, ahead_ms: int) -> None:
        timer = start_at(api, clock.ms + ahead_ms).json()
        assert timer["start_time"] == time_of(clock.ms)
        assert change(api, timer, "stop", clock.ms + ahead_ms).json()["end_time"] == time_of(clock.ms)

    @pytest.mark.parametrize("off_ms", [60_001, 86_400_000, -3 * 86_400_000 - 1])
    def test_other_times_are_refused_and_change_nothing(self, api: Api, clock: Clock, off_ms: int) -> None:
        timer = start(api.ann)
        for response in (start_at(api, clock.ms + off_ms), change(api, timer, "pause", clock.ms + off_ms)):
            assert [error["loc"] for error in problem(response, 400)["errors"]] == [["body", "at"]]
        assert ids(api.ann("GET", "/api/timelogs/")) == [timer["id"]]
        assert get(api.ann, timer)["status"] == "running"

    def test_a_time_three_days_ago_is_accepted(self, api: Api, clock: Clock) -> None:
        at_ms = clock.ms - 3 * 86_400_000
        assert start_at(api, at_ms).json()["start_time"] == time_of(at_ms)

    @pytest.mark.parametrize("body", [{"now": "x"}, {"at": 5}, {"at": "2026-01-01"}, {"at": "soon"}, []])
    @pytest.mark.parametrize("action", ["pause", "resume", "stop"])
    def test_an_invalid_body_is_refused(self, api: Api, action: str, body: Any) -> None:
        timer = start(api.ann)
        problem(api.ann("POST", f"/api/timelogs/{timer['id']}/{action}/", body), 400)
        assert get(api.ann, timer)["status"] == "running"

    def test_a_body_of_another_type_is_refused(self, api: Api) -> None:
        timer = start(api.ann)
        problem(act(api.ann, timer, "pause", body=b"at=now", content_type="text/plain"), 415)


class TestAgainstLaterChanges:
    @pytest.mark.parametrize("action", ["pause", "resume", "stop"])
    def test_a_request_for_a_time_before_the_last_change_is_refused(
        self, api: Api, clock: Clock, action: str
    ) -> None:
        timer = start(api.ann)
        clock.advance(30)
        act(api.ann, timer, "pause")
        before = get(api.ann, timer)
        clock.advance(30)
        refused = problem(change(api, timer, action, clock.ms - 40_000), 400)
        assert refused["detail"] == (
            f"Cannot {action} at {time_of(clock.ms - 40_000)} a timer that has been paused "
            f"since {time_of(clock.ms - 30_000)}."
        )
        assert get(api.ann, timer) == before

    def test_a_request_for_the_time_of_the_last_change_is_carried_out(self, api: Api, clock: Clock) -> None:
        t0 = clock.ms
        timer = start(api.ann)
        clock.advance(30)
        assert change(api, timer, "pause", t0).json()["active_duration"] == 0
        assert change(api, timer, "resume", t0).json()["active_duration"] == 30
        assert change(api, timer, "stop", t0).json()["duration"] == 0

    def test_a_refusal_names_the_status(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann)
        clock.advance(30)
        assert problem(change(api, timer, "resume", clock.ms), 400)["detail"] == (
            "Cannot resume a timer that is running."
        )

    def test_of_two_simultaneous_pauses_exactly_one_succeeds(self, shared_table: Table) -> None:
        store, t0 = TimerStore(shared_table), 4_000_000_000_000
        for round_ in range(10):
            timer, _ = store.start(user_id=500 + round_, now_ms=t0)

            def pause(at_ms: int, timer: Timer = timer) -> Timer | Exception:
                try:
                    return store.pause(
                        timer.user_id,
                        timer.ulid,
                        now_ms=t0 + 9_000,
                        by="manual",
                        cause=str(at_ms),
                        at_ms=at_ms,
                    )
                except (TransitionNotAllowed, TransitionTooEarly) as refused:
                    return refused

            with ThreadPoolExecutor(2) as pool:
                first, second = pool.map(pause, (t0 + 1_000, t0 + 2_000))
            (won,) = (response for response in (first, second) if isinstance(response, Timer))
            assert store.get(timer.user_id, timer.ulid) == won
            assert won.clock_ms == (1_000 if won is first else 2_000)


class TestRepetitions:
    def test_a_repeated_start_returns_the_same_timer(self, api: Api, clock: Clock) -> None:
        for at_ms, number in ((clock.ms, 7), (clock.ms - 3_600_000, 8)):
            responses = [start_at(api, at_ms, number, idempotency_key=f"k{number}") for _ in range(2)]
            assert [response.status for response in responses] == [201, 201]
            assert responses[0].json()["id"] == responses[1].json()["id"]
            act(api.ann, responses[0].json(), "stop")
            again = start_at(api, at_ms, number, idempotency_key=f"k{number}")
            assert (again.status, again.json()["status"]) == (201, "stopped")

    def test_repeating_a_start_that_found_an_open_timer_returns_that_timer(
        self, api: Api, clock: Clock
    ) -> None:
        act(api.ann, start_at(api, clock.ms - 3_600_000).json(), "stop")
        clock.advance(60)
        timer = start(api.ann, 7)
        at_ms = clock.ms - 1_800_000
        assert start_at(api, at_ms, idempotency_key="k").json()["id"] == timer["id"]
        act(api.ann, timer, "stop")
        again = start_at(api, at_ms, idempotency_key="k")
        assert (again.status, again.json()["id"], again.json()["status"]) == (200, timer["id"], "stopped")
        problem(start_at(api, at_ms - 1, idempotency_key="k"), 400)

    def test_simultaneous_starts_with_one_key_get_one_response(self, shared_table: Table) -> None:
        store, now_ms, user_id = TimerStore(shared_table), 4_000_000_000_000, 700_000
        timers = [store.start(user_id=user_id, now_ms=now_ms)[0] for _ in range(8)]
        key = Idempotency("k", "request")
        with ThreadPoolExecutor(8) as pool:
            responses = list(pool.map(lambda timer: store.responses.store(timer, key, now_ms=now_ms), timers))
        assert len({timer.ulid for timer, _ in responses}) == 1
        assert store.responses.stored(user_id, key, now_ms=now_ms) == responses[0] == (responses[0][0], False)
        with pytest.raises(IdempotencyKeyReused):
            store.responses.store(timers[0], Idempotency("k", "other"), now_ms=now_ms)

    def test_the_same_key_with_another_time_is_another_request(self, api: Api, clock: Clock) -> None:
        for at_ms in (clock.ms - 5_000, clock.ms - 3_600_000):
            key = f"k{at_ms}"
            start_at(api, at_ms, idempotency_key=key)
            refused = problem(start_at(api, at_ms - 1, idempotency_key=key), 400)
            assert refused["detail"] == "This Idempotency-Key was used for another request."

    def test_a_repeated_transition_is_done_once(self, api: Api, clock: Clock) -> None:
        timer = start(api.ann)
        clock.advance(3600)
        at_ms = clock.ms - 1_800_000
        first, again = (change(api, timer, "pause", at_ms, idempotency_key="k") for _ in range(2))
        assert (first.status, again.status) == (200, 200)
        assert first.json() == again.json()
        act(api.ann, timer, "resume")
        clock.advance(1)
        refused = problem(change(api, timer, "pause", clock.ms, idempotency_key="k"), 400)
        assert refused["code"] == "idempotency_key_reused"


class TestCalls:
    """The number of round trips to DynamoDB agrees with docs/performance.md."""

    def test_an_action_a_moment_ago_costs_no_more_calls_than_one_now(
        self, api: Api, clock: Clock, calls: list[str]
    ) -> None:
        act(api.ann, start(api.ann, 6), "pause")
        calls.clear()
        timer = start_at(api, clock.ms).json()
        # The start first reads the id of the repository.
        # The answer needs the calendar and the timers of the present, which one query reads.
        assert calls == ["GetItem", "TransactWriteItems", "Query"]
        for action in ("pause", "resume"):
            clock.advance(60)
            # The token is cached for a minute.
            get(api.ann, timer)
            calls.clear()
            assert change(api, timer, action, clock.ms - 5_000).status == 200
            assert calls == ["UpdateItem", "Query"]

    def test_an_action_long_ago_without_an_issue_costs_one_more_read(
        self, api: Api, clock: Clock, calls: list[str]
    ) -> None:
        timer = start(api.ann)
        clock.advance(3600)
        get(api.ann, timer)
        calls.clear()
        assert change(api, timer, "pause", clock.ms - 1_800_000).status == 200
        # The calendar has the confirmed days, which refuse changes by hand.
        assert calls == ["GetItem", "UpdateItem", "Query"]


class TestLaterEvents:
    def test_a_start_before_the_issue_was_closed_ends_at_the_close(self, api: Api, github: GitHub) -> None:
        github.deliver("closed", 10)
        response = start_at(api, github.clock.ms - 20 * MINUTE * 1000, github.issue.number)
        timer = response.json()
        assert (response.status, timer["status"], timer["stopped_by"]) == (201, "stopped", "closed")
        assert timer["duration"] == 10 * MINUTE
        assert get(api.ann, timer) == timer

    def test_a_start_less_than_a_minute_ago_ends_at_the_close(self, api: Api, github: GitHub) -> None:
        github.deliver("closed", 40 / 60)
        timer = start_at(api, github.clock.ms - 50_000, github.issue.number).json()
        assert (timer["status"], timer["duration"]) == ("stopped", 10)

    @pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}])
    def test_an_interrupted_start_ends_at_the_close_when_repeated(
        self, api: Api, github: GitHub, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
    ) -> None:
        github.deliver("closed", 10)
        at_ms = github.clock.ms - 20 * MINUTE * 1000

        def interrupt(*_: Any, **__: Any) -> None:
            raise TooMuchContention("The timers of an issue kept changing.")

        with monkeypatch.context() as patch:
            patch.setattr(IssueTimers, "rederive", interrupt)
            problem(start_at(api, at_ms, github.issue.number, **headers), 429)
        timer = start_at(api, at_ms, github.issue.number, **headers).json()
        assert (timer["status"], timer["duration"]) == ("stopped", 10 * MINUTE)
        assert ids(api.ann("GET", "/api/timelogs/")) == [timer["id"]]

    def test_a_start_before_an_assignment_moves_the_start_of_its_timer(
        self, api: Api, github: GitHub
    ) -> None:
        github.deliver("assigned", 10)
        (assigned,) = ids(api.ann("GET", "/api/timelogs/"))
        response = start_at(api, github.clock.ms - 20 * MINUTE * 1000, github.issue.number)
        timer = response.json()
        assert (response.status, timer["id"], timer["status"]) == (200, assigned, "running")
        assert timer["active_duration"] == 20 * MINUTE
        assert ids(api.ann("GET", "/api/timelogs/")) == [assigned]

    def test_a_pause_before_a_command_to_start_ends_with_it(self, api: Api, github: GitHub) -> None:
        timer = start_at(api, github.clock.ms - 30 * MINUTE * 1000, github.issue.number).json()
        github.deliver("comment.start", 10)
        response = change(api, timer, "pause", github.clock.ms - 20 * MINUTE * 1000)
        assert (response.json()["status"], response.json()["paused_duration"]) == ("running", 10 * MINUTE)

    def test_a_stop_before_an_assignment_keeps_the_timer_of_the_assignment(
        self, api: Api, github: GitHub
    ) -> None:
        timer = start_at(api, github.clock.ms - 30 * MINUTE * 1000, github.issue.number).json()
        github.deliver("assigned", 10)
        stopped = change(api, timer, "stop", github.clock.ms - 20 * MINUTE * 1000).json()
        assert (stopped["id"], stopped["duration"]) == (timer["id"], 10 * MINUTE)
        assigned, first = api.ann("GET", "/api/timelogs/").json()["results"]
        assert {name: first[name] for name in stopped} == stopped
        assert (assigned["status"], assigned["active_duration"]) == ("running", 10 * MINUTE)

    def test_a_later_change_by_an_event_is_not_undone(self, api: Api, github: GitHub) -> None:
        timer = start_at(api, github.clock.ms - 30 * MINUTE * 1000, github.issue.number).json()
        github.deliver("unassigned", 10)
        refused = problem(change(api, timer, "stop", github.clock.ms - 20 * MINUTE * 1000), 400)
        assert "paused since" in refused["detail"]
        assert get(api.ann, timer)["status"] == "paused"


class TestFormerNames:
    """The issue was transferred, and the offline client knows only its former name."""

    @pytest.fixture
    def moved(self, github: GitHub) -> Issue:
        target = identified(Issue("octocat", "Elsewhere", github.issue.number))
        move = Move(f"move-{target.number}", github.issue, target, github.clock.ms - 50 * MINUTE * 1000)
        github.issue_timers.move(move, now_ms=github.clock.ms)
        return target

    @pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}])
    def test_a_start_counts_under_the_present_name_of_the_issue(
        self, api: Api, github: GitHub, moved: Issue, headers: dict[str, str]
    ) -> None:
        for status in (201, 200 if not headers else 201):
            response = start_at(api, github.clock.ms - 20 * MINUTE * 1000, github.issue.number, **headers)
            timer = response.json()
            assert (response.status, timer["github_repo"]) == (status, moved.full_name)
            assert timer["active_duration"] == 20 * MINUTE
        assert ids(api.ann("GET", "/api/timelogs/")) == [timer["id"]]

    @pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}])
    def test_a_start_finds_the_timer_that_moved_with_the_issue(
        self, api: Api, github: GitHub, headers: dict[str, str], request: pytest.FixtureRequest
    ) -> None:
        github.deliver("assigned", 60)
        (assigned,) = ids(api.ann("GET", "/api/timelogs/"))
        moved = request.getfixturevalue("moved")
        for _ in range(2):
            response = start_at(api, github.clock.ms - 20 * MINUTE * 1000, github.issue.number, **headers)
            assert (response.status, response.json()["id"]) == (200, assigned)
            assert response.json()["github_repo"] == moved.full_name
        assert ids(api.ann("GET", "/api/timelogs/")) == [assigned]

    def test_a_pause_of_a_timer_that_becomes_part_of_another_returns_the_other(
        self, api: Api, github: GitHub, moved: Issue
    ) -> None:
        event = Event("elsewhere", "assigned", github.clock.ms - 40 * MINUTE * 1000, frozenset({api.ann_id}))
        github.issue_timers.apply(event, moved, now_ms=github.clock.ms)
        (assigned,) = ids(api.ann("GET", "/api/timelogs/"))
        present_ms, github.clock.ms = github.clock.ms, github.clock.ms - 30 * MINUTE * 1000
        former = start(api.ann, github.issue.number)
        assert former["id"] != assigned
        github.clock.ms = present_ms
        response = change(api, former, "pause", present_ms - 20 * MINUTE * 1000)
        assert (response.status, response.json()["id"]) == (200, assigned)
        assert ids(api.ann("GET", "/api/timelogs/")) == [assigned]


class TestEarlierTimers:
    def test_a_start_while_a_timer_ran_that_has_ended_since_is_refused(self, api: Api, clock: Clock) -> None:
        timer = start_at(api, clock.ms - 3_600_000).json()
        act(api.ann, timer, "stop")
        refused = problem(start_at(api, clock.ms - 1_800_000), 400)
        assert refused["detail"] == (
            f"Cannot start at {time_of(clock.ms - 1_800_000)} a timer that has been stopped "
            f"since {time_of(clock.ms)}."
        )
        assert ids(api.ann("GET", "/api/timelogs/")) == [timer["id"]]

    def test_a_start_while_an_earlier_timer_ran_returns_the_open_one_unchanged(
        self, api: Api, clock: Clock
    ) -> None:
        act(api.ann, start_at(api, clock.ms - 3_600_000).json(), "stop")
        clock.advance(60)
        timer = start(api.ann, 7)
        response = start_at(api, clock.ms - 1_800_000)
        assert (response.status, response.json()) == (200, timer)

    def test_a_start_after_an_earlier_timer_had_ended_starts_another(self, api: Api, clock: Clock) -> None:
        first = start_at(api, clock.ms - 3_600_000).json()
        change(api, first, "stop", clock.ms - 1_800_000)
        second = start_at(api, clock.ms - 1_800_000)
        assert (second.status, second.json()["active_duration"]) == (201, 1800)
