"""Requests over HTTP to the local stack, with growing numbers of timers and concurrent people."""

import json
import math
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from deployed_stack.http_client import request
from local_stack import LocalStack, free_port
from tests.support import many_timers
from timer_core.clock import now_ms

_SIZES = (1_000, 10_000, 100_000)
_PEOPLE = (1, 4, 16)
# The minimum number of requests in a measurement, and the number of requests in each round of `_use`.
_REQUESTS, _REQUESTS_OF_A_ROUND = 200, 7
_FIRST_PERSON = 1_000


def measure() -> str:
    """Return the table of responses and times, with ratios to one person on the smallest table."""
    rows = [
        (
            "| timers | concurrent people | requests | responses | median ms | 95th percentile ms "
            "| requests a second | median | 95th percentile | throughput |"
        ),
        "| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    base: tuple[float, float] | None = None
    with tempfile.TemporaryDirectory() as folder, _stack(Path(folder)) as stack:
        tokens = [
            stack.mint_token(_FIRST_PERSON + number, login=f"octocat-{number}")
            for number in range(max(_PEOPLE))
        ]
        timers = many_timers.open_timers(_SIZES[-1], stale=0, now_ms=now_ms())
        written = 0
        for size in _SIZES:
            many_timers.put(stack.aws.client("dynamodb"), stack.table_name, islice(timers, size - written))
            written = size
            for people in _PEOPLE:
                # Warm up, so that no function starts during the measurement and no cache is empty.
                _use_at_once(stack.url, tokens[:people], requests=1)
                began = time.perf_counter()
                answers = _use_at_once(stack.url, tokens[:people], requests=_REQUESTS)
                rate = len(answers) / (time.perf_counter() - began)
                times = [seconds * 1000 for _, seconds in answers]
                median, slow = statistics.median(times), statistics.quantiles(times, n=20)[18]
                base = base or (median, rate)
                statuses = Counter(status for status, _ in answers)
                counts = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
                rows.append(
                    f"| {size:,} | {people} | {len(answers)} | {counts} "
                    f"| {median:.0f} | {slow:.0f} | {rate:.0f} "
                    f"| {median / base[0]:.1f} | {slow / base[0]:.1f} | {rate / base[1]:.1f} |"
                )
    return "\n".join(rows)


def _stack(folder: Path) -> LocalStack:
    return LocalStack(free_port(), folder, parameters={"WritesPerMinute": "1000000"})


def _use_at_once(url: str, tokens: Sequence[str], *, requests: int) -> list[tuple[int, float]]:
    """Send at least ``requests`` requests, concurrently for all tokens; return all responses."""
    rounds = math.ceil(requests / len(tokens) / _REQUESTS_OF_A_ROUND)
    with ThreadPoolExecutor(len(tokens)) as pool:
        answers = pool.map(lambda token: _use(url, token, rounds), tokens)
        return [answer for of_one in answers for answer in of_one]


def _use(url: str, token: str, rounds: int) -> list[tuple[int, float]]:
    """Use one timer after another, as a person does; return the status and seconds of each response."""
    answers = []

    def send(method: str, path: str, body: object = None) -> bytes:
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        began = time.perf_counter()
        response = request(method, url + path, body=content, headers=headers)
        answers.append((response.status, time.perf_counter() - began))
        return response.body

    for number in range(rounds):
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
