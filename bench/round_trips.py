"""DynamoDB calls and consumed capacity of each operation, counted through the real handlers."""

import time
from collections.abc import Callable
from functools import cache, partial
from itertools import count as count_up
from typing import Any, NamedTuple
from uuid import uuid4

from bench.stage import Stage, stage
from tests.support.gateway import Answer, Client, Context
from tests.support.live import add_connection, connect_event, disconnect_event
from tests.support.stream import timer_record
from timer_core.api.request_guard import TICKET_PATH
from timer_core.api.times import format_time, to_time
from timer_core.clock import now_ms
from timer_core.domain.ids import parse_timer_id
from timer_core.github.messages import DetailsEvent, IssueEvent, QueuedEvent, Seen, to_json
from timer_core.store.queries import TimerQueries

SWEEP = "sweep that finds nothing stale"
STORE_NOTHING = "timesheets function: change of the present"
STORE_A_DAY = "timesheets function: change of the past"
TICKET = "ticket of a live connection"
OPEN_LIVE = "live function: open a connection"
CLOSE_LIVE = "live function: remove a closed connection"
DETAILS = "process one delivery: details of an issue"
OTHER_DETAILS = "process one delivery: details of an issue without timers"
# The number of the issue of which deliveries tell.
_TIMED = 1_000_000
_orders = count_up(1)


class Count(NamedTuple):
    """The cost of an operation.

    Attributes
    ----------
    cpu_ms
        Processor time in milliseconds.
    """

    name: str
    calls: list[str]
    read_units: float
    write_units: float
    cpu_ms: float


def measure() -> str:
    """Return the table of each operation's calls to DynamoDB and capacity units."""
    rows = ["| operation | calls | which | read units | write units |", "| --- | ---: | --- | ---: | ---: |"]
    for count in counts():
        which = ", ".join(count.calls) if count.calls else "none"
        units = f"{count.read_units:g} | {count.write_units:g}"
        rows.append(f"| {count.name} | {len(count.calls)} | {which} | {units} |")
    return "\n".join(rows)


@cache
def counts() -> tuple[Count, ...]:
    """Return the cost of each operation on an almost empty table."""
    return tuple(operations(stage()))


def operations(on: Stage, *, sweeps: bool = True) -> list[Count]:
    """Run each operation once, the sweep only if wanted, and return its cost."""
    results = []

    def count(name: str, act: Callable[[], Any]) -> Any:
        on.meter.reset()
        began = time.process_time()
        answer = act()
        cpu_ms = (time.process_time() - began) * 1000
        if isinstance(answer, Answer):
            assert answer.status < 500, answer
        else:
            assert not answer.get("batchItemFailures"), answer
        meter = on.meter
        results.append(Count(name, list(meter.calls), meter.read_units, meter.write_units, cpu_ms))
        return answer

    def url(timer: Answer, action: str = "") -> str:
        body = timer.json()
        return f"/api/timelogs/{body.get('second', body)['id']}/{action}"

    def hours_ago(hours: float) -> str:
        return format_time(to_time(now_ms() - round(hours * 3_600_000)))

    (person, api), (_, stranger) = on.new_person(), on.new_person()
    repo = f"octocat/hello-{person.user_id}"
    # No other round has the repositories, so the cost of a round does not depend on those before.
    repo_id, new_repo_id = 2 * person.user_id, 2 * person.user_id + 1
    issue = ({"github_repo": repo, "github_issue_number": number} for number in count_up(1))
    # Name the repository, as the first of its deliveries does.
    on.process.handler(_batch("assigned", repo, repo_id, 9), Context())
    count("authentication, first request of a token (with a get that finds nothing)", lambda: api("GET", _NO))
    count("the same again, token cached", lambda: api("GET", _NO))
    first = next(issue)
    timer = count("start", lambda: api("POST", "/api/timelogs/start/", first))
    count("start, already open", lambda: api("POST", "/api/timelogs/start/", first))
    key = str(uuid4())
    count(
        "start with an Idempotency-Key",
        lambda: api("POST", "/api/timelogs/start/", next(issue), idempotency_key=key),
    )
    count("start on no issue", lambda: api("POST", "/api/timelogs/start/"))
    count("get", lambda: api("GET", url(timer)))
    count("pause", lambda: api("POST", url(timer, "pause/")))
    count("pause, refused (is paused)", lambda: api("POST", url(timer, "pause/")))
    count("resume", lambda: api("POST", url(timer, "resume/")))
    count("focus", lambda: api("POST", url(timer, "focus/")))
    _count_histories(count, api, url, partial(next, issue))
    count("patch of the description", lambda: api("PATCH", url(timer), {"description": "x"}))
    count("patch of an open timer's issue", lambda: api("PATCH", url(timer), next(issue)))
    count("patch of an open timer's start", lambda: api("PATCH", url(timer), {"start_time": hours_ago(1)}))
    pause = {"start": hours_ago(0.5), "end": hours_ago(0.4)}
    count("insert a pause into an open timer", lambda: api("POST", url(timer, "pauses/"), pause))
    split = {"at": hours_ago(0.2)}
    divided = timer
    timer = count("split of an open timer", lambda: api("POST", url(divided, "split/"), split))
    count("stop of a corrected timer", lambda: api("POST", url(timer, "stop/")))
    count("patch of the issue", lambda: api("PATCH", url(timer), next(issue)))
    times = {"start_time": "2026-01-01T09:00:00Z", "end_time": "2026-01-01T10:00:00Z"}
    count("patch of start and end", lambda: api("PATCH", url(timer), times))
    count("patch of the end", lambda: api("PATCH", url(timer), {"end_time": "2026-01-01T11:00:00Z"}))
    pause = {"start": "2026-01-01T09:10:00Z", "end": "2026-01-01T09:20:00Z"}
    count("insert a pause", lambda: api("POST", url(timer, "pauses/"), pause))
    count("delete", lambda: api("DELETE", url(timer)))
    timer = api("POST", "/api/timelogs/start/", next(issue))
    count("delete of an open timer", lambda: api("DELETE", url(timer)))
    count("add", lambda: api("POST", "/api/timelogs/", times))
    _fill(on, person.user_id, api, times)
    count("list, page of 50, after a start was corrected", lambda: api("GET", "/api/timelogs/"))
    person, api = on.new_person()
    for _ in range(4):
        api("POST", "/api/timelogs/start/", next(issue))
    _fill(on, person.user_id, api, times)
    count("list, page of 50", lambda: api("GET", "/api/timelogs/"))
    count("list, open timers", lambda: api("GET", "/api/timelogs/?end_time__isnull=true"))
    month = "since=2026-01-01T00:00:00Z&until=2026-02-01T00:00:00Z"
    count("list of a month, page of 50", lambda: api("GET", f"/api/timelogs/?{month}"))
    count("list of a month, last page", lambda: api("GET", f"/api/timelogs/?{month}&page_size=100"))
    count("the same with a count", lambda: api("GET", f"/api/timelogs/?{month}&page_size=100&count=true"))
    count("totals of a month", lambda: api("GET", f"/api/timelogs/totals/?{month}"))
    count("list, by repository", lambda: api("GET", f"/api/timelogs/?github_repo={repo}"))
    stranger("GET", _NO)
    timer = api("POST", "/api/timelogs/start/", next(issue))
    count("get of another person's timer (403)", lambda: stranger("GET", url(timer)))
    first_delivery = _batch("assigned", f"{repo}-new", new_repo_id, person.user_id)
    count("process the first delivery of a repository", lambda: on.process.handler(first_delivery, Context()))
    for name, kind, user_id in (
        ("assigned", "assigned", person.user_id),
        ("unassigned", "unassigned", person.user_id),
        ("assigned again", "assigned", person.user_id),
        ("closed", "closed", None),
        ("nobody registered", "assigned", 9),
    ):
        delivery = partial(on.process.handler, _batch(kind, repo, repo_id, user_id), Context())
        count(f"process one delivery: {name}", delivery)
    for name, number in ((DETAILS, _TIMED), (OTHER_DETAILS, _TIMED + 1)):
        details = DetailsEvent(str(uuid4()), repo_id, repo, number, _seen(), "only_details")
        count(name, partial(on.process.handler, _records(details), Context()))
    _count_timesheets(on, count, hours_ago)
    _, api = on.new_person()
    api("GET", _NO)
    ticket = count(TICKET, lambda: api("POST", TICKET_PATH))
    opened = count(OPEN_LIVE, lambda: on.live.handler(connect_event(ticket.json()["url"]), Context()))
    count(CLOSE_LIVE, lambda: on.live.handler(disconnect_event(opened), Context()))
    options = {"dry_run": True, "stop_closed": False, "redeliver": False}
    if sweeps:
        count(SWEEP, lambda: on.sweep.handler(options, Context()))
    return results


def _fill(on: Stage, user_id: int, api: Client, times: dict[str, str]) -> None:
    """Add entries of the past, and store their days."""
    for _ in range(61):
        api("POST", "/api/timelogs/", times)
    on.timesheets.timesheets.refresh(user_id, now_ms=now_ms())


def _count_histories(
    count: Callable[[str, Callable[[], Any]], Any],
    api: Client,
    url: Callable[[Answer, str], str],
    next_issue: Callable[[], dict[str, Any]],
) -> None:
    """Count the operations that depend on the length of a timer's history, and a second start on an issue."""
    issue = next_issue()
    timer = api("POST", "/api/timelogs/start/", issue)
    count("stop", lambda: api("POST", url(timer, "stop/")))
    again = count("start on an issue that had a timer", lambda: api("POST", "/api/timelogs/start/", issue))
    api("POST", url(again, "stop/"))
    timer = api("POST", "/api/timelogs/start/", next_issue())
    for number in range(1, 59):
        api("POST", url(timer, "pause/" if number % 2 else "resume/"), idempotency_key=str(uuid4()))
    pause = partial(api, "POST", url(timer, "pause/"), idempotency_key=str(uuid4()))
    count("pause, the 60th transition", pause)
    count("stop after 60 transitions", lambda: api("POST", url(timer, "stop/")))


def _count_timesheets(
    on: Stage, count: Callable[[str, Callable[[], Any]], Any], hours_ago: Callable[[float], str]
) -> None:
    """Count the work of the timesheets function for a person with an old entry and an open timer."""
    person, api = on.new_person()
    # A page of the person is open.
    add_connection(on.timesheets.table, person.user_id, now_ms=now_ms())
    timers = TimerQueries(on.timelogs.shared.table)

    def change(path: str, body: dict[str, Any]) -> Callable[[], Any]:
        """Make a change; return the function that stores the days after it."""
        key = parse_timer_id(api("POST", path, body).json()["id"])
        assert key is not None
        timer = timers.get(*key)
        return lambda: on.timesheets.handler({"Records": [timer_record(None, timer)]}, Context())

    def entry(days: float) -> dict[str, str]:
        return {"start_time": hours_ago(24 * days), "end_time": hours_ago(24 * days - 1)}

    change("/api/timelogs/", entry(4))()
    present = {"github_repo": "octocat/hello-world", "github_issue_number": person.user_id}
    count(STORE_NOTHING, change("/api/timelogs/start/", present))
    count(STORE_A_DAY, change("/api/timelogs/", entry(3)))


_NO = "/api/timelogs/21031067-01ARZ3NDEKTSV4RRFFQ69G5FAV/"


def _batch(kind: str, repo: str, repo_id: int, user_id: int | None) -> dict[str, Any]:
    users = None if user_id is None else (user_id,)
    return _records(IssueEvent(str(uuid4()), kind, repo_id, repo, _TIMED, now_ms(), users, seen=_seen()))


def _seen() -> Seen:
    """Return the details that a delivery shows, newer than all before."""
    details = {"title": "Login fails", "state": "open", "labels": ["bug"], "milestone": "v1", "type": "Bug"}
    return {name: [now_ms(), next(_orders), content] for name, content in details.items()}


def _records(event: QueuedEvent) -> dict[str, Any]:
    attributes = {"MessageGroupId": "g", "ApproximateReceiveCount": "1"}
    return {
        "Records": [
            {
                "messageId": str(uuid4()),
                "body": to_json([event]),
                "attributes": attributes,
                "eventSource": "aws:sqs",
            }
        ]
    }
