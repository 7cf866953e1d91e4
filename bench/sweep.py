"""Sweeps over many open timers, a fifth of them stale, in runs with a time limit, on DynamoDB Local."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from tests.support import many_timers
from tests.support.connection import connect, environment
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.table import create_table
from timer_core.clock import now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TABLE = "bench-sweep"
_SIZE = 10_000
# The time limit of a run. A run reserves 15 seconds for work in progress, and 40 % for ending stale timers.
_SECONDS = 120


def measure() -> str:
    """Return the table of requests, units, time and memory for a sweep."""
    rows = [
        (
            "| open | stale | runs | ended | ended twice | compared | read units | write units "
            "| requests | ms of processor time | peak MB |"
        ),
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*rows, _row(_SIZE)])


def _row(size: int) -> str:
    stale = size // 5
    with DynamoDBLocal() as db, _github() as (github_url, asked):
        client = connect(db.endpoint_url)
        create_table(client, _TABLE)
        many_timers.put(client, _TABLE, many_timers.open_timers(size, stale=stale, now_ms=now_ms()))
        daily = {"stop_stale": True, "stop_closed": True, "redeliver": False}
        hourly = {"stop_stale": False, "stop_closed": False, "redeliver": False, "resume": True}
        runs = [_run(db.endpoint_url, github_url, daily)]
        while not runs[-1]["summary"]["complete"]:
            runs.append(_run(db.endpoint_url, github_url, hourly))
        versions = _versions(client)
    ended = sum(run["summary"]["stopped"] for run in runs)
    assert versions == {1: size - stale, 2: stale}, versions
    assert ended == stale, runs
    # A run may begin comparisons that it cannot finish in time; the next run repeats them.
    compared = f"{len(asked)} ({asked.total() - len(asked)} twice)"
    each = {
        name: sum(run[name] for run in runs) / stale
        for name in ("read_units", "write_units", "requests", "cpu_s")
    }
    peak_mb = max(run["peak_mb"] for run in runs)
    return (
        f"| {size:,} | {stale:,} | {len(runs)} | {ended:,} | 0 | {compared} | {each['read_units']:.2f} "
        f"| {each['write_units']:.2f} | {each['requests']:.2f} | {each['cpu_s'] * 1000:.1f} | {peak_mb:.0f} |"
    )


def _run(endpoint_url: str, github_url: str, event: dict[str, Any]) -> Any:
    """Run the sweeper in a new process, as after a cold start."""
    variables = environment(endpoint_url) | {
        "TABLE_NAME": _TABLE,
        "GITHUB_API_URL": github_url,
        "GITHUB_CREDENTIAL": "/bench/github",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    command = [sys.executable, "-m", "bench.sweep_run", str(_SECONDS), json.dumps(event)]
    output = subprocess.run(command, env=os.environ | variables, check=True, stdout=subprocess.PIPE)
    # The preceding lines are metrics.
    return json.loads(output.stdout.splitlines()[-1])


@contextmanager
def _github() -> Iterator[tuple[str, Counter[str]]]:
    """Serve a fake GitHub without new events; yield its URL and the number of requests for each issue."""
    asked: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            variables, data = body["variables"], {}
            for name, number in variables.items():
                if name[0] != "x":
                    continue
                index = name[1:]
                full_name = f"{variables['o' + index]}/{variables['n' + index]}"
                asked[f"{full_name}#{number}"] += 1
                timeline = {"pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": []}
                issue = {"number": number, "title": "", "state": "OPEN"}
                repository = {"databaseId": many_timers.repository_id(full_name), "nameWithOwner": full_name}
                issue |= {"repository": repository}
                issue |= {"assignees": {"nodes": []}, "labels": {"nodes": []}}
                data["i" + index] = {"issue": issue | {"timelineItems": timeline}}
            answer = json.dumps({"data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _versions(client: "DynamoDBClient") -> Counter[int]:
    """Return the number of timers by version; a timer that was ended once has version 2."""
    pages = client.get_paginator("scan").paginate(
        TableName=_TABLE,
        FilterExpression="begins_with(sk, :timer)",
        ExpressionAttributeValues={":timer": {"S": "timer#"}},
        ProjectionExpression="version",
    )
    return Counter(int(item["version"]["N"]) for page in pages for item in page["Items"])
