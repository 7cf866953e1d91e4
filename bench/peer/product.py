"""The product's worker: the handlers in a process of their own, on DynamoDB Local."""

import sys
from collections.abc import Sequence
from itertools import repeat
from uuid import uuid4

from bench.peer.worker import Account, PastTimer, Request, Response, measured, serve
from bench.receiver_time import load_receiver
from bench.stage import stage
from tests.support import many_timers
from tests.support.gateway import Context, request_event
from timer_core.clock import now_ms
from timer_core.domain.ids import derived_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.state import Action, Transition
from timer_core.domain.timers import Timer

_WEBHOOK = "/api/github-timer-webhook/"

on = stage()
receiver = load_receiver()


def add_person(past: Sequence[PastTimer]) -> Account:
    """Register a person with these timers, whose days are stored."""
    person, api = on.new_person()
    many_timers.put(on.database, on.table_name, map(_timer, repeat(person.user_id), past))
    on.timesheets.timesheets.refresh(person.user_id, now_ms=now_ms())
    return Account(person.user_id, person.login, api.token)


def _timer(user_id: int, past: PastTimer) -> Timer:
    """Return a timer as deliveries produce it: assigned, unassigned, assigned again, closed."""
    owner, _, name = past.repo.partition("/")
    timer = Timer.start(
        user_id=user_id,
        ulid=derived_ulid(past.start_ms, f"{user_id}"),
        at_ms=past.start_ms,
        now_ms=past.start_ms,
        by="assigned",
        cause=str(uuid4()),
        issue=Issue(owner, name, past.number),
    )
    timer = timer.pause(past.pause_ms, "unassigned", str(uuid4()))
    timer = timer.apply(Transition(past.resume_ms, Action.RESUME, "assigned", str(uuid4())))
    return timer.stop(past.end_ms, "closed", str(uuid4()))


def respond(request: Request) -> Response:
    """Respond to a request as API Gateway passes it on."""
    method, target, headers, body = request
    event = request_event(method, target, body=body or None, headers=headers)
    handler = receiver.handler if target == _WEBHOOK else on.timelogs.handler

    def call() -> tuple[int, bytes]:
        answer = handler(event, Context())
        return answer["statusCode"], (answer.get("body") or "").encode()

    return measured(call)


def process(message: str) -> Response:
    """Process a message of the queue."""
    record = {
        "messageId": str(uuid4()),
        "body": message,
        "attributes": {"MessageGroupId": "g", "ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }

    def call() -> tuple[int, bytes]:
        failures = on.process.handler({"Records": [record]}, Context())["batchItemFailures"]
        return 500 if failures else 200, b""

    return measured(call)


if __name__ == "__main__":
    serve(int(sys.argv[1]), {"add_person": add_person, "respond": respond, "process": process})
