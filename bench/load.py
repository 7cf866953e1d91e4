"""Requests over HTTP to the local stack, with more and more timers and more and more people at once."""

import json
import statistics
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from deployed_stack.http_client import request
from local_stack import LocalStack, free_port
from tests.support import crowd
from timer_core.clock import now_ms

_SIZES = (1_000, 10_000, 100_000)
_PEOPLE = (1, 4, 16)
_ROUNDS = 5
_FIRST_PERSON = 1_000


def measure() -> str:
    """Return the table: answers, and times as ratios to one person at a time on the smallest table."""
    rows = [
        "| timers | people at once | requests | answers | median time | 95th percentile | throughput |",
        "| ---: | ---: | ---: | --- | ---: | ---: | ---: |",
    ]
    base: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory() as folder, _stack(Path(folder)) as stack:
        tokens = [
            stack.mint_token(_FIRST_PERSON + number, login=f"octocat-{number}")
            for number in range(max(_PEOPLE))
        ]
        timers = crowd.open_timers(_SIZES[-1], stale=0, now_ms=now_ms())
        there = 0
        for size in _SIZES:
            crowd.put(stack.aws.client("dynamodb"), stack.table_name, islice(timers, size - there))
            there = size
            for people in _PEOPLE:
                began = time.perf_counter()
                with ThreadPoolExecutor(people) as pool:
                    answers = [
                        answer
                        for of_one in pool.map(lambda token: _use(stack.url, token), tokens[:people])
                        for answer in of_one
                    ]
                rate = len(answers) / (time.perf_counter() - began)
                times = [seconds for _, seconds in answers]
                median = statistics.median(times)
                base = base or (median, rate)
                statuses = Counter(status for status, _ in answers)
                said = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
                rows.append(
                    f"| {size:,} | {people} | {len(answers)} | {said} | {median / base[0]:.1f} "
                    f"| {statistics.quantiles(times, n=20)[18] / base[0]:.1f} | {rate / base[1]:.1f} |"
                )
    return "\n".join(rows)


def _stack(folder: Path) -> LocalStack:
    return LocalStack(free_port(), folder, parameters={"WritesPerMinute": "1000000"})


def _use(url: str, token: str) -> list[tuple[int, float]]:
    """Do what a person does with a timer, a few times; return each answer's status and time."""
    answers = []

    def send(method: str, path: str, body: object = None) -> bytes:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        began = time.perf_counter()
        response = request(method, url + path, body=content, headers=headers)
        answers.append((response.status, time.perf_counter() - began))
        return response.body

    for number in range(_ROUNDS):
        issue = {"github_repo": "octocat/hello-world", "github_issue_number": number + 1}
        timer = json.loads(send("POST", "/api/timelogs/start/", issue))["id"]
        for method, path in (
            ("POST", f"{timer}/pause/"),
            ("POST", f"{timer}/resume/"),
            ("GET", f"{timer}/"),
            ("GET", "?end_time__isnull=true"),
            ("POST", f"{timer}/stop/"),
            ("DELETE", f"{timer}/"),
        ):
            send(method, f"/api/timelogs/{path}")
    return answers
