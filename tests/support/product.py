"""The functions that GitHub has to do with, in this process: a delivery goes in, and timers come out."""

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
from timer_core.store.timers import TimerStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from tests.support.fake_github import FakeGitHub
    from tests.support.fake_github.model import Account
    from tests.support.fake_github.webhooks import Delivery
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
    wait_s: int | None = None
    deleted: bool = False


@dataclass
class MemoryQueue:
    """A queue as far as the functions call it: takes no message twice, and gives back what failed.

    Attributes
    ----------
    put_off
        Messages that failed; ``wait_s`` is how long they were put off.
    batch
        The messages that were received last.
    """

    waiting: deque[Message] = field(default_factory=deque)
    put_off: list[Message] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    batch: list[Message] = field(default_factory=list)

    def send_message(self, **request: str) -> None:
        assert request["QueueUrl"]
        if request["MessageDeduplicationId"] not in self.seen:
            self.seen.add(request["MessageDeduplicationId"])
            self.waiting.append(Message(request["MessageBody"], request["MessageGroupId"]))

    def change_message_visibility(self, **request: Any) -> None:
        assert request["QueueUrl"]
        self.batch[int(request["ReceiptHandle"])].wait_s = request["VisibilityTimeout"]

    def delete_message(self, **request: str) -> None:
        assert request["QueueUrl"]
        self.batch[int(request["ReceiptHandle"])].deleted = True

    def receive(self) -> list[Message]:
        self.batch = [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]
        for message in self.batch:
            message.receives += 1
        return self.batch

    def retry(self) -> None:
        """Let what failed be received again."""
        self.waiting += self.put_off
        self.put_off.clear()

    def time_out(self) -> None:
        """Let the last batch be received again, because nobody said what became of it."""
        self.waiting.extendleft(message for message in reversed(self.batch) if not message.deleted)
        self.batch = []

    def wait(self) -> None:
        """Let the five minutes pass after which a repetition is taken for another message."""
        self.seen.clear()


@dataclass
class Product:
    """What GitHub sees of the product, and what people see of their timers.

    Attributes
    ----------
    receiver, processor, sweeper
        The functions' modules.
    """

    table: Table
    receiver: ModuleType
    processor: ModuleType
    sweeper: ModuleType
    credential_name: str
    api_url: str
    queue: MemoryQueue = field(default_factory=MemoryQueue)

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take a delivery, as a webhook of the fake GitHub calls it, and return the status."""
        event = request_event("POST", "/api/github-timer-webhook/", body=body, headers=dict(headers))
        status: int = self.receiver.handler(event, Context())["statusCode"]
        return status

    def process(self) -> list[Message]:
        """Process all that is queued, and return what has to be tried again."""
        while batch := self.queue.receive():
            answer = self.processor.handler({"Records": [*map(_record, range(len(batch)), batch)]}, Context())
            for failure in answer["batchItemFailures"]:
                self.queue.put_off.append(batch[int(failure["itemIdentifier"])])
        return self.queue.put_off

    def give_credential(self, content: Mapping[str, str]) -> None:
        """Store a credential for GitHub."""
        boto3.client("ssm").put_parameter(
            Name=self.credential_name, Value=json.dumps(content), Type="SecureString", Overwrite=True
        )

    def restart(self) -> None:
        """Let the processor forget what it knows of GitHub: its credential, and that it was unavailable."""
        self.processor.queued_events.github = GitHub(
            CredentialParameter(self.credential_name), api_url=self.api_url
        )

    def clear(self) -> None:
        """Leave no open timer, no webhook and no message."""
        self.queue.waiting.clear()
        self.queue.put_off.clear()
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
        return sorted(page.timers, key=lambda timer: (timer.start_ms, timer.ulid))


@dataclass
class Team:
    """People who have signed in, and their organization, whose webhook leads to the product.

    Attributes
    ----------
    t0
        When it begins (milliseconds since the epoch, a whole second).
    """

    github: FakeGitHub
    product: Product
    name: str
    people: tuple[Account, ...]
    t0: int

    def at(self, second: float) -> None:
        """Let it be some seconds after the beginning."""
        self.github.now = self.t0 / 1000 + second

    def happened(self) -> list[Delivery]:
        """Return what there is to deliver, which is not delivered otherwise."""
        deliveries, self.github.outbox[:] = list(self.github.outbox), []
        return deliveries

    def send(self) -> None:
        """Deliver all that has happened."""
        for delivery in self.happened():
            assert self.github.send(delivery) in (200, 202)

    def deliver(self) -> None:
        """Deliver all that has happened, and process it."""
        self.send()
        self.product.process()


def new_team(github: FakeGitHub, running: Product, *, size: int, t0: int) -> Team:
    """Return a new team, and remove the ones before it."""
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
    """Run the functions on a table, with ``api_url`` in GitHub's place and no credential."""
    credential_name = f"/issue-timer-{next(_numbers)}/github"
    own = {
        "GITHUB_CREDENTIAL": credential_name,
        "GITHUB_API_URL": api_url,
        "DELIVERY_QUEUE_URL": "https://sqs.example/deliveries.fifo",
        "WEBHOOK_SECRET_ARN": "webhook",
        "START_LABELS": "bug",
    }
    with ExitStack() as stack:
        # Only SSM is moto's: the table is where it is, with the credentials that it was made with.
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
