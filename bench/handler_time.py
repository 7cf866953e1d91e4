"""Time that the API's handler takes for a request, without its calls to the database."""

import statistics
import time

from bench.stage import Stage, stage
from tests.support.gateway import Client

_REQUESTS = 400
_WARM_UP = 50


def measure() -> str:
    """Return the table of medians and 99th percentiles over warm requests, in milliseconds."""
    rows = ["| request | median ms | p99 ms | with the database, median ms |", "| --- | ---: | ---: | ---: |"]
    on = stage()
    _, api = on.new_person()
    timer = api("POST", "/api/timelogs/start/").json()["id"]
    for name, requests in {
        "get": [("GET", f"/api/timelogs/{timer}/")],
        "pause, resume": [("POST", f"/api/timelogs/{timer}/{act}/") for act in ("pause", "resume")],
        "start (already open)": [("POST", "/api/timelogs/start/")],
        "list, page of 1": [("GET", "/api/timelogs/?page_size=1")],
    }.items():
        own, total = _times(on, api, requests)
        rows.append(
            f"| {name} | {statistics.median(own):.2f} | {statistics.quantiles(own, n=100)[98]:.2f} "
            f"| {statistics.median(total):.2f} |"
        )
    return "\n".join(rows)


def _times(on: Stage, api: Client, requests: list[tuple[str, str]]) -> tuple[list[float], list[float]]:
    own, total = [], []
    issue = {"github_repo": "octocat/warm", "github_issue_number": 1}
    for number in range(_WARM_UP + _REQUESTS):
        method, path = requests[number % len(requests)]
        on.meter.reset()
        began = time.perf_counter()
        answer = api(method, path, issue if path.endswith("start/") else None)
        elapsed = time.perf_counter() - began
        assert answer.status in (200, 201), answer
        if number >= _WARM_UP:
            own.append((elapsed - on.meter.seconds) * 1000)
            total.append(elapsed * 1000)
    return own, total
