"""The receiver, the processor and the sweeper in this process, which turn deliveries into timers."""

from __future__ import annotations

import json
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tests.support.gateway import Context, request_event
from tests.support.handlers import loaded
from timer_core.clock import now_ms
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import CredentialParameter
from timer_core.store.hooks import HookStore
from timer_core.store.people import PeopleStore
from timer_core.store.queries import Filters
from timer_core.store.repositories import PresentNames
from timer_core.store.timers import TimerStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from fake_github.webhooks import Delivery
    from timer_core.domain.timers import Timer
    from timer_core.store.table import Table

SECRET = "It's a Secret to Everybody"
TOKEN = "github_pat_test"
BATCH = 10
_numbers = count(1)


@dataclass
class Message:
    body: str
    group: str
    receives: int = 0
    visibility_timeout_s: int | None = None
    deleted: bool = False


@dataclass
class MemoryQueue:
    """An SQS FIFO queue in memory, with the calls that the functions make.

    Attributes
    ----------
    failed
        Messages that are received again after their ``visibility_timeout_s``.
    deduplication_ids
        Ids of messages sent within the deduplication interval; a message with such an id is dropped.
    batch
        The messages of the last call of `receive`.
    """

    waiting: deque[Message] = field(default_factory=deque)
    failed: list[Message] = field(default_factory=list)
    deduplication_ids: set[str] = field(default_factory=set)
    batch: list[Message] = field(default_factory=list)

    def send_message(self, **request: str) -> None:
        assert request["QueueUrl"]
        if request["MessageDeduplicationId"] not in self.deduplication_ids:
            self.deduplication_ids.add(request["MessageDeduplicationId"])
            self.waiting.append(Message(request["MessageBody"], request["MessageGroupId"]))

    def change_message_visibility(self, **request: Any) -> None:
        assert request["QueueUrl"]
        self.batch[int(request["ReceiptHandle"])].visibility_timeout_s = request["VisibilityTimeout"]

    def delete_message(self, **request: str) -> None:
        assert request["QueueUrl"]
        self.batch[int(request["ReceiptHandle"])].deleted = True

    def receive(self) -> list[Message]:
        self.batch = [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]
        for message in self.batch:
            message.receives += 1
        return self.batch

    def retry(self) -> None:
        """Make the failed messages available again."""
        self.waiting += self.failed
        self.failed.clear()

    def expire_visibility_timeout(self) -> None:
        """Make the last batch available again, as SQS does when a function is killed."""
        self.waiting.extendleft(message for message in reversed(self.batch) if not message.deleted)
        self.batch = []

    def end_deduplication(self) -> None:
        """End the deduplication interval, which lasts five minutes in SQS."""
        self.deduplication_ids.clear()


@dataclass
class Product:
    """The functions behind the webhook, and the timers that they write.

    Attributes
    ----------
    receiver, processor, sweeper
        The modules of the functions.
    """

    table: Table
    receiver: ModuleType
    processor: ModuleType
    sweeper: ModuleType
    credential_name: str
    api_url: str
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Receive a delivery from a webhook of the fake GitHub, and return the response's status."""
        event = request_event("POST", "/api/github-timer-webhook/", body=body, headers=dict(headers))
        status: int = self.receiver.handler(event, Context())["statusCode"]
        return status

    def process(self) -> list[Message]:
        """Process all queued messages, and return the messages to be retried."""
        while batch := self.queue.receive():
            records = [*map(_record, range(len(batch)), batch)]
            response = self.processor.handler({"Records": records}, Context())
            for failure in response["batchItemFailures"]:
                self.queue.failed.append(batch[int(failure["itemIdentifier"])])
        return self.queue.failed

    def store_credential(self, content: Mapping[str, str]) -> None:
        """Store a credential for GitHub's API."""
        boto3.client("ssm").put_parameter(
            Name=self.credential_name, Value=json.dumps(content), Type="SecureString", Overwrite=True
        )

    def restart_processor(self) -> None:
        """Empty the processor's cache of the credential, and reset its circuit breaker."""
        github = GitHub(CredentialParameter(self.credential_name), api_url=self.api_url)
        self.processor.queued_events.github = self.processor.lead_teams.github = github

    def clear(self) -> None:
        """Delete all open timers, known webhooks and messages."""
        self.queue.waiting.clear()
        self.queue.failed.clear()
        store, hooks = TimerStore(self.table), HookStore(self.table)
        for timer in list(store.open_timers()):
            store.delete(timer.user_id, timer.ulid, now_ms=now_ms())
        for hook in hooks.known():
            hooks.forget(hook.path)

    def sweep(self, **options: bool) -> dict[str, Any]:
        """Run the sweeper's repairs; with ``stop_stale=True`` it also stops stale timers."""
        summary: dict[str, Any] = self.sweeper.handler({"stop_stale": False, **options}, Context())
        return summary

    def timers(self, user_id: int) -> list[Timer]:
        """Return a person's timers, oldest first."""
        page = TimerStore(self.table).page(user_id, Filters(), page_size=100)
        timers = PresentNames(self.table).of(page.timers, now_ms=0)
        return sorted(timers, key=lambda timer: (timer.start_ms, timer.ulid))


@dataclass
class Team:
    """Registered people, and an organization whose webhook sends deliveries to the product.

    Attributes
    ----------
    t0
        The start of the test's history (milliseconds since the epoch, a whole second).
    """

    github: FakeGitHub
    product: Product
    name: str
    people: tuple[Account, ...]
    t0: int

    def at(self, second: float) -> None:
        """Set GitHub's clock to some seconds after ``t0``."""
        self.github.now = self.t0 / 1000 + second

    def pop_deliveries(self) -> list[Delivery]:
        """Return the pending deliveries, and remove them from GitHub's outbox."""
        deliveries, self.github.outbox[:] = list(self.github.outbox), []
        return deliveries

    def send(self) -> None:
        """Send all pending deliveries."""
        for delivery in self.pop_deliveries():
            assert self.github.send(delivery) in (200, 202)

    def deliver(self) -> None:
        """Send and process all pending deliveries."""
        self.send()
        self.product.process()


def new_team(github: FakeGitHub, running: Product, *, size: int, t0: int) -> Team:
    """Return a new team, after resetting GitHub and the product."""
    github.reset()
    running.clear()
    number = next(_numbers)
    people = tuple(github.new_user(f"octocat-{number}-{i}") for i in range(size))
    store = PeopleStore(running.table)
    for person in people:
        store.register(person.id, person.login, now_ms=0)
    github.tokens[TOKEN] = github.tokens.pop(github.new_token())
    team = Team(github, running, f"octo-team-{number}", people, t0)
    github.new_organization(team.name)
    team.at(0)
    github.add_hook(team.name, running.receive, SECRET)
    team.deliver()
    return team


class _Secrets:
    def get(self) -> tuple[str, ...]:
        return (SECRET, "")

    def refresh(self) -> bool:
        return False


@contextmanager
def product(table: Table, api_url: str, **variables: str) -> Iterator[Product]:
    """Load the functions with a table, ``api_url`` as GitHub's API, and no credential."""
    credential_name = f"/issue-timer-{next(_numbers)}/github"
    own = {
        "GITHUB_CREDENTIAL": credential_name,
        "GITHUB_API_URL": api_url,
        "DELIVERY_QUEUE_URL": "https://sqs.example/deliveries.fifo",
        "WEBHOOK_SECRET_ARN": "webhook",
        "START_LABELS": "bug",
        # No other process is at work, so no event has to be applied again.
        "APPLY_AGAIN_AFTER_S": "0",
    }
    with ExitStack() as stack:
        # moto replaces SSM only. The table keeps its back end and credentials.
        stack.enter_context(mock_aws(config={"core": {"mock_credentials": False}}))
        receiver, processor, sweeper = (
            stack.enter_context(loaded(name, table.name, **own | variables))
            for name in ("webhook.receive", "webhook.process", "stale_sweeper.sweep")
        )
        running = Product(table, receiver, processor, sweeper, credential_name, api_url)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(receiver, "secrets", _Secrets())
        patch.setattr(receiver, "sqs", running.queue)
        patch.setattr(processor, "_sqs", lambda: running.queue)
        yield running


def ago(minutes: float) -> int:
    """Return a time in whole seconds before the present, in milliseconds since the epoch."""
    return now_ms() // 1000 * 1000 - round(minutes * 60_000)


def _record(position: int, message: Message) -> dict[str, Any]:
    return {
        "messageId": str(position),
        "receiptHandle": str(position),
        "body": message.body,
        "attributes": {"MessageGroupId": message.group, "ApproximateReceiveCount": str(message.receives)},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:deliveries.fifo",
        "awsRegion": "eu-west-1",
    }
