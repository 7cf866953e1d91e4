"""Processor time of the product's handlers and of its Django peer, side by side in one run."""

import json
import os
import platform
import signal
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.peer import postgres, queue
from bench.peer.worker import Account, PastTimer, Request, Response, Worker
from bench.receiver_time import SECRET
from timer_core.clock import now_ms
from timer_core.domain.schedule import DAY_MS
from timer_core.github.webhooks.signature import sign

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv-peer/bin/python"
_PAYLOADS = _ROOT / "tests" / "payloads"
# The repository of the payloads.
_REPO = "Codertocat/Hello-World"
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
_HOURS_OF_DAY = (8, 10, 13, 15)
_STOPPED = 200

# Each round has a new person, because a day with hundreds of timers is no usual day.
_ROUNDS = 40
_WARM_UP = 3
_CYCLES_OF_A_ROUND = 3
_MAX_SECONDS = 1800

DJANGO, PERSISTENT, TUNED = "Django as it comes", "persistent connections", "tuned further"
PRODUCT = "Issue Timer"
_SIDES = (DJANGO, PERSISTENT, TUNED, PRODUCT)
_RESPONSE = "until GitHub has its response"

Times = Mapping[str, Mapping[str, list[tuple[float, float]]]]


def measure() -> str:
    """Return the versions and two tables of medians: processor time with ratios, and time on the clock.

    Raises
    ------
    NotInstalled
        If PostgreSQL or the peer is not installed.
    TimeoutError
        If the bench takes longer than half an hour.
    """
    server = postgres.programs()
    if not _PYTHON.exists():
        raise postgres.NotInstalled("The peer is not installed: make bench-peer")
    # Clean up also if this process is asked to end.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with ExitStack() as stack:
            sides = _start(stack)
            versions: dict[str, str] = sides[0].worker("versions")
            if versions["Python"] != platform.python_version():
                raise RuntimeError("The peer has another Python than the product: rm -r .venv-peer")
            versions["PostgreSQL"] = str(postgres.version(server))
            times = _times(sides)
    finally:
        signal.signal(signal.SIGTERM, previous)
    about = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{about}; medians of {_ROUNDS * _CYCLES_OF_A_ROUND} requests of each kind.\n\n{tables(times)}"


def tables(times: Times) -> str:
    """Return the two tables.

    Parameters
    ----------
    times
        For each side and each request, the processor time and the time on the clock of each response
        (milliseconds).
    """
    cpu = [f"| ms of processor time | {' | '.join(_SIDES)} | ratio to {PERSISTENT} | ratio to {TUNED} |"]
    cpu.append("| --- |" + " ---: |" * (len(_SIDES) + 2))
    clock = [f"| ms on the clock | {' | '.join(_SIDES)} |", "| --- |" + " ---: |" * len(_SIDES)]
    for request in times[PRODUCT]:
        pairs = {side: zip(*times[side][request], strict=True) for side in _SIDES}
        medians = {side: [statistics.median(kind) for kind in kinds] for side, kinds in pairs.items()}
        figures = [medians[side][0] for side in _SIDES]
        figures += (medians[PRODUCT][0] / medians[side][0] for side in (PERSISTENT, TUNED))
        cpu.append(_row(request, figures))
        clock.append(_row(request, [medians[side][1] for side in _SIDES]))
    return "\n".join([*cpu, "", *clock])


def _row(request: str, figures: Iterable[float]) -> str:
    return f"| {request} | {' | '.join(f'{figure:.2f}' for figure in figures)} |"


def _times(sides: list["_Side"]) -> Times:
    times: dict[str, dict[str, list[tuple[float, float]]]] = {side: defaultdict(list) for side in _SIDES}
    deadline = time.monotonic() + _MAX_SECONDS
    for number in range(_WARM_UP + _ROUNDS):
        # Each side has each place in the order equally often.
        sides.append(sides.pop(0))
        for side in sides:
            if time.monotonic() > deadline:
                raise TimeoutError(f"The bench has run for {_MAX_SECONDS} s.")
            for request, cpu_ms, wall_ms in _round(side):
                if number >= _WARM_UP:
                    times[side.name][request].append((cpu_ms, wall_ms))
    return times


def _start(stack: ExitStack) -> list["_Side"]:
    """Start the database, the queue and the workers; they end with the stack."""
    database = stack.enter_context(postgres.running())
    messages = stack.enter_context(queue.running())
    # Settings of the machine's own PostgreSQL have the same prefix.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}

    def django(name: str, settings: str) -> _Side:
        variables = {"DJANGO_SETTINGS_MODULE": settings, "GITHUB_WEBHOOK_SECRET": SECRET, **database}
        worker = stack.enter_context(Worker(_PYTHON, "bench.peer.peer", environment | variables))
        return _Side(name, worker)

    peer = django(DJANGO, "bench.peer.django_app.settings")
    peer.worker("create_tables")
    persistent = django(PERSISTENT, "bench.peer.django_app.persistent")
    tuned = django(TUNED, "bench.peer.django_tuned.settings")
    variables = {"AWS_ENDPOINT_URL_SQS": messages.url, "DELIVERY_QUEUE_URL": f"{messages.url}/bench.fifo"}
    product = Worker(Path(sys.executable), "bench.peer.product", environment | variables)
    return [peer, persistent, tuned, _Side(PRODUCT, stack.enter_context(product), messages)]


@dataclass(frozen=True)
class _Side:
    """The peer or the product; `messages` is the queue of the product's deliveries."""

    name: str
    worker: Worker
    messages: queue.Queue | None = None

    def request(self, account: Account, method: str, target: str, body: object = None) -> Response:
        headers = {"authorization": f"Token {account.token}"}
        content = b""
        if body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(body).encode()
        response: Response = self.worker("respond", Request(method, target, headers, content))
        if response.status not in {200, 201}:
            raise RuntimeError(f"{self.name}: {method} {target} had the response {response}.")
        return response

    def deliver(self, account: Account, action: str, number: int) -> tuple[Response, float, float]:
        """Deliver an event of an issue.

        Return the response, and the processor time and the time on the clock until the timers have changed.
        """
        body = _payload(action, account, number)
        headers = {
            "content-type": "application/json",
            "x-github-event": "issues",
            "x-github-delivery": str(uuid4()),
            "x-hub-signature-256": sign(SECRET, body),
        }
        response: Response = self.worker(
            "respond", Request("POST", "/api/github-timer-webhook/", headers, body)
        )
        if response.status not in {200, 202}:
            raise RuntimeError(f"{self.name}: the delivery {action} had the response {response}.")
        if self.messages is None:
            return response, response.cpu_ms, response.wall_ms
        done: Response = self.worker("process", self.messages.get())
        if done.status != 200:
            raise RuntimeError(f"{self.name}: the delivery {action} was not processed.")
        return response, response.cpu_ms + done.cpu_ms, response.wall_ms + done.wall_ms


_numbers = count(1000)


def _round(side: _Side) -> Iterator[tuple[str, float, float]]:
    """Send the requests of a new person; yield the name and the times of each.

    The person has an open timer, and in addition another one between the deliveries that start and stop it.
    """
    account: Account = side.worker("add_person", list(_past(now_ms())))
    send = partial(side.request, account)
    open_timer = json.loads(send("POST", "/api/timelogs/start/", _issue(next(_numbers))).body)
    for _ in range(_CYCLES_OF_A_ROUND):
        url = f"/api/timelogs/{open_timer['id']}/"
        for name, method, target, check in (
            ("poll: open timers, one", "GET", "/api/timelogs/?end_time__isnull=true", _has_rows(1)),
            ("list, page of 50", "GET", "/api/timelogs/", _has_rows(50)),
            ("get", "GET", url, _is_running),
            ("pause", "POST", f"{url}pause/", lambda timer: timer["is_paused"]),
            ("resume", "POST", f"{url}resume/", _is_running),
            ("stop", "POST", f"{url}stop/", lambda timer: timer["end_time"]),
        ):
            response = send(method, target)
            _verify(check(json.loads(response.body)), side, name, response)
            yield name, response.cpu_ms, response.wall_ms
        response = send("POST", "/api/timelogs/start/", _issue(next(_numbers)))
        open_timer = json.loads(response.body)
        _verify(response.status == 201 and _is_running(open_timer), side, "start", response)
        yield "start", response.cpu_ms, response.wall_ms
        yield from _deliveries(side, account, next(_numbers))


def _deliveries(side: _Side, account: Account, number: int) -> Iterator[tuple[str, float, float]]:
    for action, effect, check in (
        ("assigned", "starts", _is_running),
        ("unassigned", "pauses", lambda timer: timer["is_paused"]),
        ("closed", "stops", lambda timer: timer["end_time"]),
    ):
        response, cpu_ms, wall_ms = side.deliver(account, action, number)
        newest = side.request(account, "GET", "/api/timelogs/?page_size=1")
        timer = json.loads(newest.body)["results"][0]
        _verify(timer["github_issue_number"] == number and check(timer), side, action, newest)
        if action == "assigned":
            yield f"delivery, {_RESPONSE}", response.cpu_ms, response.wall_ms
        yield f"delivery: {action}, {effect}", cpu_ms, wall_ms


def _has_rows(expected: int) -> Callable[[Any], bool]:
    return lambda page: len(page["results"]) == expected


def _is_running(timer: Any) -> bool:
    return timer["end_time"] is None and not timer["is_paused"]


def _verify(is_right: bool, side: _Side, request: str, response: Response) -> None:
    if not is_right:
        raise RuntimeError(f"{side.name}: {request} had the wrong response {response}.")


def _issue(number: int) -> dict[str, Any]:
    return {"github_repo": _REPO, "github_issue_number": number}


def _past(now_ms: int) -> Iterator[PastTimer]:
    """Yield the stopped timers of the past days, four a day, the newest first."""
    midnight_ms = now_ms // DAY_MS * DAY_MS
    for number in range(_STOPPED):
        day, of_day = divmod(number, len(_HOURS_OF_DAY))
        start_ms = midnight_ms - (day + 1) * DAY_MS + _HOURS_OF_DAY[-1 - of_day] * _HOUR_MS
        times = (start_ms + minutes * _MINUTE_MS for minutes in (0, 20, 30, 70))
        yield PastTimer(_REPO, number + 1, *times)


def _payload(action: str, account: Account, number: int) -> bytes:
    """Return the recorded payload of a delivery, for this person and issue, of now."""
    payload = json.loads((_PAYLOADS / f"issues.{action}.json").read_text())
    person = {"id": account.github_id, "login": account.login}
    # With milliseconds, which GitHub omits, because a delivery follows the one before at once.
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    issue = payload["issue"]
    issue |= {"number": number, "updated_at": now}
    if action == "closed":
        issue["closed_at"] = now
    else:
        payload["assignee"] |= person
        issue["assignee"] = payload["assignee"] if action == "assigned" else None
        issue["assignees"] = [payload["assignee"]] if action == "assigned" else []
    payload["sender"] |= person
    return json.dumps(payload).encode()
