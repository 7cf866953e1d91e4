"""Loading each function as it is built, and its first request, compared with bare boto3 clients.

``python -m bench.cold_start timelogs.api`` measures only the named functions, and changes no page.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from bench.aws_over_tls import SECRET, serve
from bench.built import Built, prepare
from bench.fresh_process import Program, counts_instructions
from bench.stage import stage
from tests.support.connection import REGION
from tests.support.gateway import request_event
from timer_core.api.sessions import SESSION_COOKIE, Sessions
from timer_core.clock import now_ms
from timer_core.github.webhooks.signature import sign

_PAYLOADS = Path(__file__).parents[1] / "tests" / "payloads"
_ROUNDS = 11
_SHOWN = 60
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "DELIVERY_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/bench.fifo",
    "LAMBDA_TASK_ROOT": "/var/task",
    "SESSION_SECRET_ARN": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:bench",
    "TIMESHEET_QUEUE_URL": f"https://sqs.{REGION}.amazonaws.com/123456789012/bench",
    "WEBHOOK_SECRET_ARN": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:bench",
}
# The program that loads each function. A function without a client after its import makes it in its first
# request; the client is part of loading here, so that the figures are comparable.
_CLIENT = "handler.table.connection.client"
_CLIENT_OF_API = "handler.shared.table.connection.client"
LOADS = {
    "timelogs.api": ("TimelogsFunction", _CLIENT_OF_API),
    "auth.api": ("AuthFunction", _CLIENT_OF_API),
    "schedule.api": ("ScheduleFunction", _CLIENT_OF_API),
    "reports.api": ("ReportsFunction", _CLIENT_OF_API),
    "webhook.receive": ("WebhookReceiveFunction", "handler.sqs"),
    "webhook.process": ("WebhookProcessFunction", _CLIENT),
    "timesheets.refresh": ("TimesheetsFunction", _CLIENT),
    "live.connections": ("LiveFunction", _CLIENT),
    "stale_sweeper.sweep": ("StaleSweeperFunction", _CLIENT),
}
# The widget's request (LIST in web/timer-manager.js).
POLL = "/api/timelogs/?end_time__isnull=true&page_size=100"
BASE = "boto3.client('dynamodb')"
_BARE = f"import boto3; client = {BASE}"
_GET_ITEM = """
import os
client.get_item(TableName=os.environ["TABLE_NAME"], Key={"pk": {"S": "-"}, "sk": {"S": "-"}})
"""
# The connections to AWS go to this machine. The names, and so the endpoints and the checks of certificates,
# are those of AWS.
_CONNECT = """
import socket
def resolve(host, port, *rest, resolve=socket.getaddrinfo, **options):
    return resolve("127.0.0.1", {port}, *rest, **options)
socket.getaddrinfo = resolve
"""
_CONTEXT = """
class Context:
    function_name = "bench"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:bench"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    def get_remaining_time_in_millis(self):
        return 10_000
"""
_REQUEST = """
answer = handler.handler({event!r}, Context())
assert answer["statusCode"] == {status} and {content!r} in answer["body"], answer
"""


@dataclass(frozen=True, slots=True)
class Programs:
    """Makes programs that load a function and use it, with AWS's services on this machine."""

    built: Built
    environment: Mapping[str, str]
    connect: str

    def of_clients(self, text: str, then: str = "") -> Program:
        """Return a program without a function; the connections are to this machine for its second part."""
        return Program(f"{text}{self.connect}{then}" if then else text, environment=self.environment)

    def of_function(self, module: str, then: str = "") -> Program:
        """Return a program that loads a function as `handler`, and then uses it with a `Context`."""
        function, client = LOADS[module]
        text = f"import {module} as handler; {client}"
        if then:
            text += f"{self.connect}{_CONTEXT}{then}"
        environment = {**self.environment, **self.built.environment(function)}
        return Program(text, self.built.paths(function), environment)


@contextmanager
def serving(built: Built, **variables: str) -> Iterator[Programs]:
    """Yield the maker of programs, which run only while the context lasts."""
    on = stage()
    with serve(built.certificates, on.database.meta.endpoint_url) as port:
        environment = {**_ENVIRONMENT, "TABLE_NAME": on.table_name, **variables}
        yield Programs(built, environment, _CONNECT.format(port=port))


@dataclass(frozen=True, slots=True)
class _Request:
    """A first request: its name, the function's event, and a part of the response."""

    name: str
    event: dict[str, Any]
    status: int
    content: str


def measure() -> str:
    """Return a table of all functions."""
    built = prepare()
    with programs(built, list(LOADS)) as found:
        return _table(built.python, found, _ROUNDS)


@contextmanager
def programs(built: Built, modules: Sequence[str]) -> Iterator[dict[str, Program]]:
    """Yield the programs by name: the interpreter, the bare clients, the functions and the first requests."""
    # Discard the metrics that the functions in this process print.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        requests = _first_requests()
    with serving(built) as make:
        found = {
            "": Program(""),
            BASE: make.of_clients(_BARE),
            f"{BASE} with one GetItem": make.of_clients(_BARE, _GET_ITEM),
            "boto3.client('sqs')": make.of_clients("import boto3; boto3.client('sqs')"),
        }
        for module in modules:
            found[module] = make.of_function(module)
            for request in requests.get(module, ()):
                send = _REQUEST.format(event=request.event, status=request.status, content=request.content)
                found[f"{module} with {request.name}"] = make.of_function(module, send)
        yield found


def _first_requests() -> dict[str, list[_Request]]:
    """Return the requests that a page or widget, and GitHub, send first."""
    on = stage()
    person, api = on.new_person()
    issue = {"github_repo": "octocat/warm", "github_issue_number": 1}
    timer = api("POST", "/api/timelogs/start/", issue).json()["id"]
    # The day's first use of a token writes the time; this request is not measured.
    assert api("GET", "/api/timelogs/").status == 200
    keys = SimpleNamespace(signing=lambda _now_s: SECRET)
    _, session = Sessions(cast("Any", keys)).begin(person.user_id, person.login, now_ms=now_ms())
    by_token = {"authorization": f"Token {api.token}"}
    by_session = {"cookie": f"{SESSION_COOKIE}={session}"}
    delivery = (_PAYLOADS / "issues.assigned.json").read_bytes()
    headers = {
        "content-type": "application/json",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-github-event": "issues",
        "x-hub-signature-256": sign(SECRET, delivery),
    }
    webhook = request_event("POST", "/api/github-timer-webhook/", body=delivery, headers=headers)

    def get(target: str, credentials: dict[str, str]) -> dict[str, Any]:
        event = request_event("GET", target, headers=credentials)
        if "cookie" in credentials:
            event["cookies"] = [event["headers"].pop("cookie")]
        return event

    return {
        "timelogs.api": [
            _Request("the first poll (token)", get(POLL, by_token), 200, timer),
            _Request("the first poll (session)", get(POLL, by_session), 200, timer),
        ],
        "auth.api": [_Request("the first page", get("/api/auth/me/", by_session), 200, person.login)],
        "schedule.api": [_Request("the first page", get("/api/schedule/", by_session), 200, "organization")],
        "webhook.receive": [_Request("the first delivery", webhook, 202, json.dumps("accepted"))],
    }


def _table(python: Path, found: dict[str, Program], rounds: int) -> str:
    counts = counts_instructions()
    seconds: dict[str, list[float]] = {name: [] for name in found}
    megabytes: dict[str, float] = {}
    for _ in range(rounds):
        for name, program in found.items():
            run = program.run(python)
            megabytes[name] = run.megabytes
            seconds[name].append(run.seconds)
    least = {name: min(times) for name, times in seconds.items()}
    instructions = {
        name: program.count_instructions(python) if counts else 0 for name, program in found.items()
    }
    heading = ["loaded", "ms of processor time", "ratio", "million instructions", "ratio", "peak MB"]
    rows = [f"| {' | '.join(heading)} |", f"| --- |{' ---: |' * 5}"]
    for name in list(found)[1:]:
        cells = _own(least, name, 1000) + _own(instructions, name, 1e-6) if counts else ["", ""]
        loaded, *request = name.split(" with ")
        rows.append(
            f"| {' with '.join([f'`{loaded}`', *request])} | {' | '.join(cells)} | {megabytes[name]:.0f} |"
        )
    return "\n".join(rows)


def _modules(python: Path, found: dict[str, Program]) -> str:
    """Return the largest parts of each function and first request."""
    rows = []
    for name in [name for name in found if name.split(" with ")[0] in LOADS]:
        parts = sorted(found[name].by_module(python).items(), key=lambda part: -part[1].size)
        executed = sum(part.executed for _, part in parts)
        loaded = sum(part.loaded for _, part in parts)
        rows += [
            f"{name}: {len(parts)} modules and files",
            f"{executed:>12,} {loaded:>12,}  instructions of byte code, bytes loaded",
            *(f"{part.executed:>12,} {part.loaded:>12,}  {module}" for module, part in parts[:_SHOWN]),
        ]
    return "\n".join(rows)


def _own(measured: dict[str, Any], name: str, unit: float) -> list[str]:
    """Return a figure without the interpreter's start, and its ratio to the bare client's."""
    own, base = measured[name] - measured[""], measured[BASE] - measured[""]
    return [f"{own * unit:.0f}", f"{own / base:.2f}"]


def main() -> None:
    """Print the table of some functions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help=", ".join(LOADS))
    parser.add_argument("--modules", action="store_true", help="print what each module and file adds")
    parser.add_argument("--rounds", type=int, default=3, help="runs for the processor time, default 3")
    options = parser.parse_args()
    if unknown := set(options.functions) - set(LOADS):
        parser.error(f"no such functions: {', '.join(unknown)}")
    built, names = prepare(), options.functions or list(LOADS)
    with programs(built, names) as found:
        print(
            _modules(built.python, found) if options.modules else _table(built.python, found, options.rounds)
        )


if __name__ == "__main__":
    main()
