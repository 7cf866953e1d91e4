"""Carries out what it is asked on standard input, line by line, with the timer_core that it finds.

Run by `tests.support.release` with that of an earlier release, of which it can use no more than all have.
"""

import json
import os
import sys

from pynamodb.connection import Connection

import timer_core
from timer_core.domain.errors import IssueTimerError
from timer_core.domain.issues import Issue
from timer_core.domain.replay import Fact
from timer_core.domain.timers import Timer
from timer_core.store.facts import FactStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

try:
    from timer_core.store.queries import Filters
except ImportError:
    # Where 0.1.0 has it.
    from timer_core.store.timers import Filters

table = Table(
    os.environ["TABLE_NAME"],
    Connection(region=os.environ["AWS_REGION"], host=os.environ["AWS_ENDPOINT_URL_DYNAMODB"]),
)
store = TimerStore(table)
facts = FactStore(table, store)


def start(user_id: int, number: int, now_ms: int) -> object:
    issue = Issue("octocat", "Hello-World", number)
    timer, _ = store.start(user_id=user_id, now_ms=now_ms, issue=issue)
    return seen(timer)


def change(action: str, user_id: int, ulid: str, now_ms: int, cause: str) -> object:
    method = getattr(store, action)
    return seen(method(user_id, ulid, now_ms=now_ms, by="manual", cause=cause))


def deliver(delivery: str, kind: str, number: int, at_ms: int, users: list[int] | None) -> object:
    fact = Fact(delivery, kind, at_ms, None if users is None else frozenset(users))
    changed = facts.apply(fact, Issue("octocat", "Hello-World", number), now_ms=at_ms)
    return [seen(timer) for timer in changed]


def timers(user_id: int) -> object:
    return [seen(timer) for timer in store.page(user_id, Filters(), page_size=100).timers]


def where() -> object:
    return timer_core.__file__


def seen(timer: Timer) -> dict[str, object]:
    return {
        "ulid": timer.ulid,
        "status": timer.status,
        "issue": timer.issue and f"{timer.issue.full_name}#{timer.issue.number}",
        "start_ms": timer.start_ms,
        "end_ms": timer.end_ms,
        "clock_ms": timer.clock_ms,
        "description": timer.description,
        "causes": [transition.cause for transition in timer.history],
    }


COMMANDS = {
    "start": start,
    "change": change,
    "deliver": deliver,
    "timers": timers,
    "where": where,
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"answer": COMMANDS[request.pop("command")](**request)}
    except IssueTimerError as error:
        answer = {"refused": type(error).__name__}
    print(json.dumps(answer), flush=True)
