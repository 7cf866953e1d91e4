"""A throttled request is counted, also if a repetition succeeds."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.unit.test_direct_requests import _GET, Caller, refusal, reply
from timer_core.store.throttling import count_throttled, report_throttling


def counted(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the reasons in the published metrics."""
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(entry["TableThrottles"] == [1.0] for entry in entries)
    return [entry["reason"] for entry in entries]


@pytest.mark.parametrize(
    "response",
    [
        {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "index"}},
        {"Error": {"Code": "ThrottlingException", "Message": "index"}},
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "index"},
            "CancellationReasons": [{"Code": "None"}, {"Code": "ThrottlingError"}],
        },
    ],
)
def test_a_throttled_request_is_counted_with_dynamodbs_message(
    response: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    count_throttled(response)
    assert counted(capsys) == ["index"]


def test_a_batch_that_is_read_in_part_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    count_throttled({"Responses": {}, "UnprocessedKeys": {"t": {"Keys": [{}]}}})
    assert len(counted(capsys)) == 1


@pytest.mark.parametrize(
    "response",
    [
        {"Item": {}},
        {"Responses": {}, "UnprocessedKeys": {}},
        {
            "Responses": {"t": [{"history": {"S": "x" * 400_000}, "carry": {"B": b"x" * 400_000}}] * 3},
            "UnprocessedKeys": {"t": {"Keys": [{}]}},
        },
        {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}},
        {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": [{"Code": "ConditionalCheckFailed"}, {"Code": "TransactionConflict"}],
        },
    ],
)
def test_other_responses_are_not_counted(
    response: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    count_throttled(response)
    assert counted(capsys) == []


@pytest.mark.parametrize(
    ("replies", "count"),
    [
        ([partial(reply, {})], 0),
        ([partial(refusal, "ThrottlingException"), partial(reply, {})], 1),
        ([partial(refusal, "ThrottlingException")] * 3, 3),
        (
            [
                partial(refusal, "ThrottlingException"),
                partial(ConnectionClosedError, endpoint_url="http://dynamodb"),
                partial(reply, {}),
            ],
            1,
        ),
    ],
)
def test_every_throttled_attempt_of_a_client_is_counted(
    replies: list[Callable[[], Any]],
    count: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    caller = Caller(attempts=2, direct=True)
    report_throttling(caller._client)
    caller.call(_GET, replies)
    assert len(counted(capsys)) == count
