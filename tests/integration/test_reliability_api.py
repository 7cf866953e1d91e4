"""While DynamoDB fails, requests fail clearly, and a repeated request takes effect once."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.conftest import Api
from tests.support.gateway import Answer
from tests.support.handlers import Clock
from tests.support.network import Network, lost_request, lost_response, refusal, throttled
from timer_core.api.times import format_time, to_time

# The maximum number of requests to DynamoDB that a function sends within its time limit of ten seconds.
MOST_REQUESTS_IN_A_ROW = 9

FAULTS = {
    "throttled": (throttled, 429),
    "no-throughput": (refusal("ProvisionedThroughputExceededException"), 429),
    "too-many-requests": (refusal("RequestLimitExceeded"), 429),
    "internal-error": (refusal("InternalServerError", 500), 500),
    "unavailable": (refusal("ServiceUnavailable", 503), 500),
    "out-of-reach": (lost_request, 500),
    "answers-lost": (lost_response, 500),
    "no-access": (refusal("AccessDeniedException"), 500),
    "no-table": (refusal("ResourceNotFoundException"), 500),
}


@dataclass(frozen=True)
class Request:
    """A request for a timer in a given state, and the timer's state afterwards."""

    method: str
    path: str
    before: str = ""
    body: Any = None
    after: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


REQUESTS = [
    Request("GET", "/api/timelogs/", "running", after="running"),
    Request("GET", "/api/timelogs/{id}/", "running", after="running"),
    Request("POST", "/api/timelogs/start/", "", {"github_repo": "o/r", "github_issue_number": 7}, "running"),
    Request("POST", "/api/timelogs/", "", {"start_time": "2026-01-05T09:00:00Z", "duration": 60}, "stopped"),
    Request("POST", "/api/timelogs/{id}/pause/", "running", after="paused"),
    Request("POST", "/api/timelogs/{id}/resume/", "paused", after="running"),
    Request("POST", "/api/timelogs/{id}/stop/", "running", after="stopped"),
    Request("PATCH", "/api/timelogs/{id}/", "running", {"description": "Corrected"}, "running"),
    Request("DELETE", "/api/timelogs/{id}/", "running"),
]


@pytest.fixture
def network(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setattr("time.sleep", lambda _: None)
    between = Network(api.module.shared.table.connection)
    yield between
    between.close()


def prepared(api: Api, state: str) -> str:
    """Return the id of a new timer in a state; for an empty state, create no timer and return ""."""
    if not state:
        return ""
    body = {"github_repo": "o/r", "github_issue_number": 7}
    timer_id: str = api.ann("POST", "/api/timelogs/start/", body).json()["id"]
    if state == "paused":
        api.ann("POST", f"/api/timelogs/{timer_id}/pause/")
    return timer_id


def assert_clear(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    if status == 500:
        assert problem["request_id"]
    else:
        assert int(answer.headers["retry-after"]) >= 1
    for internal in ("Traceback", "botocore", "pynamodb", "timers-", "dynamodb."):
        assert internal not in answer.body


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_a_failed_request_can_be_repeated_and_takes_effect_once(
    api: Api, network: Network, request_: Request, fault: str
) -> None:
    timer_id = prepared(api, request_.before)
    key = uuid4().hex

    def ask() -> Answer:
        path = request_.path.replace("{id}", timer_id)
        return api.ann(request_.method, path, request_.body, idempotency_key=key)

    network.every_request, status = FAULTS[fault]
    sent = len(network.requests)
    assert_clear(ask(), status)
    assert len(network.requests) - sent <= MOST_REQUESTS_IN_A_ROW
    network.every_request = None

    again = ask()
    deleted_before = request_.method == "DELETE" and fault == "answers-lost" and again.status == 404
    assert again.status in {200, 201, 204} or deleted_before
    timers = api.ann("GET", "/api/timelogs/").json()["results"]
    assert [timer["status"] for timer in timers] == ([request_.after] if request_.after else [])
    if request_.method == "PATCH":
        assert timers[0]["description"] == "Corrected"


@pytest.mark.parametrize("fault", ["throttled", "internal-error", "out-of-reach"])
def test_health_fails_clearly(api: Api, network: Network, fault: str) -> None:
    network.every_request, status = FAULTS[fault]
    assert_clear(api.nobody("GET", "/api/health/"), status)


def test_the_error_is_logged_under_the_request_id_of_the_response(
    api: Api, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    network.every_request = lost_request
    answer = api.ann("GET", "/api/timelogs/")
    (record,) = [each for each in caplog.records if each.getMessage() == "Unexpected error"]
    line = json.loads(api.module.shared.logger.registered_formatter.format(record))
    assert line["correlation_id"] == answer.json()["request_id"]
    assert "Read timeout" in line["exception"]


class TestClocks:
    """A correction of a machine's clock neither loses time nor counts it twice."""

    HOUR = 3_600

    @pytest.fixture
    def ask(self, api: Api) -> Callable[[str], dict[str, Any]]:
        timer_id = ""

        def ask(action: str) -> dict[str, Any]:
            nonlocal timer_id
            path = "start/" if action == "start" else f"{timer_id}/{action}/"
            answer = api.ann("POST", f"/api/timelogs/{path}")
            assert answer.status in {200, 201}, answer.body
            timer: dict[str, Any] = answer.json()
            timer_id = timer["id"]
            return timer

        return ask

    @pytest.mark.parametrize("last", ["pause", "stop"])
    def test_a_clock_set_back_by_an_hour_never_counts_negative_time(
        self, ask: Callable[[str], dict[str, Any]], clock: Clock, last: str
    ) -> None:
        started = ask("start")
        clock.advance(-self.HOUR)
        ended = ask(last)
        assert ended["active_duration"] == 0
        assert (ended["end_time"] or ended["last_pause_time"]) == started["start_time"]

    def test_actions_of_now_follow_those_of_a_machine_whose_clock_is_ahead(
        self, api: Api, clock: Clock
    ) -> None:
        start_ms = clock.ms

        def act(path: str, later_ms: int) -> dict[str, Any]:
            at = format_time(to_time(start_ms + later_ms))
            answer = api.ann("POST", f"/api/timelogs/{path}/", {"at": at})
            assert answer.status in {200, 201}, answer.body
            timer: dict[str, Any] = answer.json()
            return timer

        started = act("start", 0)
        # The client estimates the time from the first response. A machine whose clock is behind sends the
        # others.
        clock.advance(-0.5)
        for later_ms, action in ((100, "pause"), (200, "resume"), (300, "stop")):
            ended = act(f"{started['id']}/{action}", later_ms)
        assert ended["end_time"] == started["start_time"]

    def test_a_clock_set_back_during_a_pause_changes_no_active_time(
        self, ask: Callable[[str], dict[str, Any]], clock: Clock
    ) -> None:
        ask("start")
        clock.advance(600)
        assert ask("pause")["active_duration"] == 600
        clock.advance(-self.HOUR)
        assert ask("resume")["active_duration"] == 600
        clock.advance(self.HOUR + 60)
        stopped = ask("stop")
        assert (stopped["active_duration"], stopped["paused_duration"]) == (660, 0)

    def test_a_clock_set_forward_and_back_counts_only_recorded_time(
        self, ask: Callable[[str], dict[str, Any]], clock: Clock
    ) -> None:
        ask("start")
        clock.advance(60)
        clock.advance(self.HOUR)
        assert ask("pause")["active_duration"] == self.HOUR + 60
        clock.advance(-self.HOUR)
        ask("resume")
        clock.advance(60)
        # The clock has not yet reached the time of the recorded pause.
        assert ask("stop")["active_duration"] == self.HOUR + 60

    def test_a_list_shows_no_negative_time(
        self, api: Api, ask: Callable[[str], dict[str, Any]], clock: Clock
    ) -> None:
        ask("start")
        clock.advance(-self.HOUR)
        (timer,) = api.ann("GET", "/api/timelogs/").json()["results"]
        assert timer["active_duration"] == 0
