"""The function that writes the time of issues to GitHub, with its queue in memory."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gateway import Context
from tests.support.handlers import Clock, loaded
from timer_core.clock import now_ms
from timer_core.domain.issues import Issue
from timer_core.services.write_back import INTERVAL_MS
from timer_core.services.write_back_queue import WriteBackQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from fake_github.model import Issue as GitHubIssue
    from tests.support.product import Product

QUEUE_URL = "https://sqs.example/write-back.fifo"
FIELD = "Time spent"


@dataclass
class WriteBackMessages:
    """An SQS FIFO queue in memory. Its deduplication interval lasts until the messages are taken.

    Attributes
    ----------
    bodies
        The bodies of the waiting messages, by their deduplication ids.
    delays_s
        The visibility timeouts of the messages that failed.
    """

    bodies: dict[str, str] = field(default_factory=dict)
    delays_s: list[int] = field(default_factory=list)

    def send_message_batch(self, **request: Any) -> dict[str, Any]:
        assert request["QueueUrl"] == QUEUE_URL
        assert len(request["Entries"]) <= 10
        for entry in request["Entries"]:
            self.bodies.setdefault(entry["MessageDeduplicationId"], entry["MessageBody"])
        return {}

    def change_message_visibility(self, **request: Any) -> None:
        assert request["QueueUrl"] == QUEUE_URL
        self.delays_s.append(request["VisibilityTimeout"])

    @property
    def queue(self) -> WriteBackQueue:
        return WriteBackQueue(lambda: self, QUEUE_URL)

    def take_keys(self) -> set[str]:
        """Return the keys of the queued issues, and forget them."""
        found, self.bodies = set(self.bodies), {}
        return found


@dataclass
class WriteBackFunction:
    """The function, and the issues that it is to write.

    Attributes
    ----------
    waiting
        The messages that failed last.
    """

    module: ModuleType
    clock: Clock
    messages: WriteBackMessages = field(default_factory=WriteBackMessages)
    waiting: dict[str, str] = field(default_factory=dict)

    def write(self, *issues: GitHubIssue) -> list[str]:
        """Queue issues, process all messages once, and return the ids of those to be retried."""
        self.messages.queue.send(known(issue) for issue in issues)
        return self.process()

    def process(self) -> list[str]:
        """Process the queued messages, and those for other issues that they queue.

        Returns
        -------
        list[str]
            The ids of the messages to be retried.
        """
        failed: list[str] = []
        self.waiting = {}
        done: set[str] = set()
        while bodies := {key: body for key, body in self.messages.bodies.items() if key not in done}:
            done |= bodies.keys()
            for key in bodies:
                del self.messages.bodies[key]
            records = [record(key, body) for key, body in bodies.items()]
            response = self.module.handler({"Records": records}, Context())
            again = [one["itemIdentifier"] for one in response["batchItemFailures"]]
            failed += again
            self.waiting |= {key: bodies[key] for key in again}
        return failed

    def until_done(self, *issues: GitHubIssue, attempts: int = 5) -> None:
        """Process the messages of issues until none fails, with more than five minutes between attempts."""
        self.messages.queue.send(known(issue) for issue in issues)
        for _ in range(attempts):
            if not self.process() and not self.messages.bodies:
                return
            self.clock.ms += INTERVAL_MS + 1
            self.messages.bodies |= self.waiting
            # The pause of the circuit breaker after a fault is over.
            restart(self.module)
        pytest.fail("The messages keep failing.")


def known(issue: GitHubIssue) -> Issue:
    """Return an issue of the fake as the product knows it."""
    return Issue.of(issue.repository.full_name, issue.number, repo_id=issue.repository.id)


def record(key: str, body: str | None = None, *, receives: int = 1) -> dict[str, Any]:
    """Return a message as Lambda passes it to the function."""
    return {
        "messageId": key,
        "receiptHandle": key,
        "body": body or "",
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSource": "aws:sqs",
    }


def restart(module: ModuleType) -> None:
    """Forget the pause of the circuit breaker, the token and the cached fields, as another process does."""
    github = module.write_back._github
    github._access = None
    module.write_back._field._ids.clear()


@contextmanager
def write_back(running: Product, **variables: str) -> Iterator[WriteBackFunction]:
    """Load the function with the table and the credential of a product."""
    own = {
        "GITHUB_CREDENTIAL": running.credential_name,
        "GITHUB_API_URL": running.api_url,
        "WRITE_BACK_QUEUE_URL": QUEUE_URL,
        "TIME_FIELD": FIELD,
        "CLOSING_COMMENT": "true",
    }
    with (
        loaded("write_back.write", running.table.name, **own | variables) as module,
        pytest.MonkeyPatch.context() as patch,
    ):
        function = WriteBackFunction(module, Clock(now_ms()))
        patch.setattr(module, "now_ms", function.clock)
        patch.setattr(module, "_sqs", lambda: function.messages)
        patch.setattr(module, "_PACE_S", 0.0)
        patch.setattr(module.write_back, "_queue", function.messages.queue)
        yield function
