"""DynamoDB calls and consumed capacity of each operation, counted through the real handlers."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from bench.stage import Stage, stage
from tests.support.gateway import Answer, Context
from timer_core.clock import now_ms
from timer_core.github.messages import IssueEvent, to_json


def measure() -> str:
    """Return the table."""
    rows = ["| operation | calls | which | capacity units |", "| --- | ---: | --- | ---: |"]
    for name, calls, units in _operations(stage()):
        which = ", ".join(calls) if calls else "none"
        rows.append(f"| {name} | {len(calls)} | {which} | {units:g} |")
    return "\n".join(rows)


def _operations(on: Stage) -> list[tuple[str, list[str], float]]:
    results = []

    def count(name: str, act: Callable[[], Any]) -> Any:
        on.meter.reset()
        answer = act()
        if isinstance(answer, Answer):
            assert answer.status < 500, answer
        else:
            assert not answer.get("batchItemFailures"), answer
        results.append((name, list(on.meter.calls), on.meter.capacity_units))
        return answer

    def url(timer: Answer, action: str = "") -> str:
        return f"/api/timelogs/{timer.json()['id']}/{action}"

    api, issue = on.api, _issues()
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
    count("patch of the description", lambda: api("PATCH", url(timer), {"description": "x"}))
    count("patch of an open timer's issue", lambda: api("PATCH", url(timer), next(issue)))
    count("stop", lambda: api("POST", url(timer, "stop/")))
    count("patch of the issue", lambda: api("PATCH", url(timer), next(issue)))
    times = {"start_time": "2026-01-01T09:00:00Z", "end_time": "2026-01-01T10:00:00Z"}
    count("patch of start and end", lambda: api("PATCH", url(timer), times))
    count("patch of the end", lambda: api("PATCH", url(timer), {"end_time": "2026-01-01T11:00:00Z"}))
    count("delete", lambda: api("DELETE", url(timer)))
    timer = api("POST", "/api/timelogs/start/", next(issue))
    count("delete of an open timer", lambda: api("DELETE", url(timer)))
    count("add by hand", lambda: api("POST", "/api/timelogs/", times))
    for _ in range(60):
        api("POST", "/api/timelogs/", times)
    count("list, page of 50", lambda: api("GET", "/api/timelogs/"))
    count("list, open timers", lambda: api("GET", "/api/timelogs/?end_time__isnull=true"))
    count("list, by repository", lambda: api("GET", "/api/timelogs/?github_repo=octocat/hello-world"))
    on.other("GET", _NO)
    timer = api("POST", "/api/timelogs/start/", next(issue))
    count("get of somebody else's (403)", lambda: on.other("GET", url(timer)))
    for kind in ("assigned", "unassigned", "closed"):
        count(f"process one delivery: {kind}", lambda kind=kind: on.process.handler(_batch(kind), Context()))
    count(
        "process one delivery: nobody registered",
        lambda: on.process.handler(_batch("assigned", 9), Context()),
    )
    event = {"stale_after_hours": 0.0000001, "dry_run": True, "stop_closed": False, "redeliver": False}
    count("sweep, dry run", lambda: on.sweep.handler(event, Context()))
    return results


_NO = "/api/timelogs/21031067-01ARZ3NDEKTSV4RRFFQ69G5FAV/"


def _issues() -> Any:
    for number in range(1, 1000):
        yield {"github_repo": "octocat/hello-world", "github_issue_number": number}


def _batch(kind: str, user_id: int = 21031067) -> dict[str, Any]:
    users = None if kind == "closed" else (user_id,)
    event = IssueEvent(str(uuid4()), kind, "octocat/bench", 1, now_ms(), users)
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
