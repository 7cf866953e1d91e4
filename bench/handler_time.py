"""Processor time and instructions of warm functions for a request or a delivery.

The functions are as built for Lambda, and run in processes of their own. So the figures contain everything
that a function executes, the AWS client and TLS included, and nothing of the database.
"""

import json
import os
import statistics
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from bench.aws_over_tls import SECRET
from bench.built import prepare
from bench.cold_start import POLL, Programs, serving
from bench.fresh_process import counts_instructions
from bench.stage import stage
from tests.support.gateway import Client, request_event
from timer_core.api.times import format_ms
from timer_core.clock import now_ms
from timer_core.github.messages import IssueEvent, to_json
from timer_core.github.webhooks.signature import sign

_PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
_ROUNDS = 110
_WARM_UP = 10
# The rounds of two runs under Valgrind. The difference is that of warm rounds.
_COUNTED = (5, 15)
_DAY_MS = 86_400_000
# The first number of each run, so that runs have different issues and deliveries.
_firsts = count(1, 1000)

# Each person makes a few rounds, because the answers about a timer cost more on a day with many timers.
_ROUNDS_EACH = 5
# Marks in an event, which each round replaces: a person's token, the timer that the round has started, the
# number of the issue, the present in milliseconds, and the number of the event.
_TOKEN, _TIMER, _ISSUE, _NOW, _EVENT = "TOKEN", "TIMER", 1_234_567, 9_876_543_210_123, "111111111111"
_SEND = """
import json, time
result = {{}}
for number in range({first}, {first} + {rounds}):
    timer = ""
    for position, (name, status, text) in enumerate({steps!r}):
        marks = {{
            {token!r}: {tokens!r}[number // {each} % len({tokens!r})],
            {timer!r}: timer,
            {event!r}: f"{{number:011}}{{position}}",
            {now!r}: str(time.time_ns() // 1_000_000),
            {issue!r}: str(number),
        }}
        for mark, value in marks.items():
            text = text.replace(mark, value)
        event = json.loads(text)
        began = time.process_time()
        answer = handler.handler(event, Context())
        result.setdefault(name, []).append(time.process_time() - began)
        assert answer.get("statusCode") == status and not answer.get("batchItemFailures"), answer
        if name == "start":
            timer = json.loads(answer["body"])["id"]
"""


@dataclass(frozen=True, slots=True)
class _Step:
    """An event, and the status of its response; None if the function responds to a queue."""

    name: str
    event: dict[str, Any]
    status: int | None = 200


@dataclass(frozen=True, slots=True)
class _Round:
    """Events that a function receives one after the other, again and again."""

    module: str
    steps: Sequence[_Step]
    tokens: Sequence[str] = ("",)

    def times(self, make: Programs) -> dict[str, list[float]]:
        """Return the processor time of each step of each round, in milliseconds, without the first rounds."""
        run = make.of_function(self.module, self._text(_ROUNDS)).run(make.built.python)
        return {name: [1000 * seconds for seconds in times[_WARM_UP:]] for name, times in run.result.items()}

    def instructions(self, make: Programs) -> float:
        """Return the number of instructions of one round."""
        fewer, more = (
            make.of_function(self.module, self._text(rounds)).count_instructions(make.built.python)
            for rounds in _COUNTED
        )
        return (more - fewer) / (_COUNTED[1] - _COUNTED[0])

    def _text(self, rounds: int) -> str:
        steps = [(step.name, step.status, json.dumps(step.event)) for step in self.steps]
        marks = {"token": _TOKEN, "tokens": self.tokens, "each": _ROUNDS_EACH, "timer": _TIMER}
        marks |= {"event": _EVENT, "now": str(_NOW), "issue": str(_ISSUE)}
        return _SEND.format(first=next(_firsts), rounds=rounds, steps=steps, **marks)


def measure() -> str:
    """Return the table of medians and 99th percentiles, and of the instructions of each round."""
    rows = [
        "| request | median ms of processor time | p99 ms | million instructions |",
        "| --- | ---: | ---: | ---: |",
    ]
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        rounds = _rounds()
    with serving(prepare(), WRITES_PER_MINUTE="1000000") as make:
        for each in rounds:
            counted = f"{each.instructions(make) / 1e6:.1f}" if counts_instructions() else ""
            times = each.times(make)
            for name, taken in times.items():
                p99 = statistics.quantiles(taken, n=100)[98]
                cell = counted if len(times) == 1 else ""
                rows.append(f"| {name} | {statistics.median(taken):.2f} | {p99:.2f} | {cell} |")
            if len(times) > 1:
                total = sum(map(statistics.median, times.values()))
                rows.append(f"| these {len(times)} together | {total:.2f} | | {counted} |")
    return "\n".join(rows)


def _rounds() -> list[_Round]:
    """Return the requests of widgets and pages, and the deliveries, after making the timers for them."""
    on = stage()
    (_, poller), (listing, lister), (assignee, _) = (on.new_person() for _ in range(3))
    workers = [on.new_person()[1].token for _ in range(_ROUNDS // _ROUNDS_EACH)]
    timer = poller("POST", "/api/timelogs/start/", _issue(1)).json()["id"]
    etag = poller("GET", POLL).headers["etag"]
    for number in range(1, 51):
        start = now_ms() // _DAY_MS * _DAY_MS - number // 4 * _DAY_MS - (number % 4 + 1) * 3_600_000
        times = {"start_time": _time(start), "end_time": _time(start + 3_000_000)}
        assert lister("POST", "/api/timelogs/", {**_issue(number), **times}).status == 201
    on.timesheets.timesheets.refresh(listing.user_id, now_ms=now_ms())
    post = partial(_request, Client(on.timelogs.handler, _TOKEN), "POST")
    delivery = partial(_delivery, user_id=assignee.user_id)
    return [
        _Round("timelogs.api", [_Step("poll", _request(poller, "GET", POLL))]),
        _Round(
            "timelogs.api",
            [_Step("poll, not modified", _request(poller, "GET", POLL, if_none_match=etag), 304)],
        ),
        _Round("timelogs.api", [_Step("get", _request(poller, "GET", f"/api/timelogs/{timer}/"))]),
        _Round("timelogs.api", [_Step("list of 50", _request(lister, "GET", "/api/timelogs/"))]),
        _Round(
            "timelogs.api",
            [
                _Step("start", post("/api/timelogs/start/", body=_issue(_ISSUE)), 201),
                *(
                    _Step(action, post(f"/api/timelogs/{_TIMER}/{action}/"))
                    for action in ("pause", "resume", "stop")
                ),
            ],
            workers,
        ),
        _Round("webhook.receive", [_Step("receive a delivery", _webhook(), 202)]),
        _Round(
            "webhook.process",
            [
                _Step("process assigned", delivery("assigned"), None),
                _Step("process unassigned", delivery("unassigned"), None),
                _Step("process closed", delivery("closed"), None),
            ],
        ),
    ]


def _issue(number: int) -> dict[str, Any]:
    return {"github_repo": "octocat/warm", "github_issue_number": number}


def _time(milliseconds: int) -> str:
    return format_ms(milliseconds)


def _request(
    client: Client, method: str, target: str, body: dict[str, Any] | None = None, **headers: str
) -> dict[str, Any]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    sent |= {"authorization": f"Token {client.token}", "content-type": "application/json"}
    return request_event(method, target, body=json.dumps(body).encode() if body else None, headers=sent)


def _webhook() -> dict[str, Any]:
    body = (_PAYLOADS / "issues.assigned.json").read_bytes()
    headers = {
        "content-type": "application/json",
        "x-github-delivery": f"72d3162e-cc78-11e3-81ab-{_EVENT}",
        "x-github-event": "issues",
        "x-hub-signature-256": sign(SECRET, body),
    }
    return request_event("POST", "/api/github-timer-webhook/", body=body, headers=headers)


def _delivery(kind: str, *, user_id: int) -> dict[str, Any]:
    """Return a batch with one delivery, as SQS sends it to the processor."""
    guid = f"72d3162e-cc78-11e3-81ab-{_EVENT}"
    users = None if kind == "closed" else (user_id,)
    event = IssueEvent(guid, kind, 186_853_002, "octocat/delivered", _ISSUE, _NOW, users, title="A title")
    record = {
        "messageId": guid,
        "receiptHandle": "MessageReceiptHandle",
        "body": to_json([event]),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "MessageDeduplicationId": guid,
            "MessageGroupId": "5fea7756",
            "SentTimestamp": str(_NOW),
        },
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:bench.fifo",
        "awsRegion": "eu-west-1",
    }
    return {"Records": [record]}
