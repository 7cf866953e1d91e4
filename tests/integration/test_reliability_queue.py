"""Whichever part fails, every delivery is processed or becomes a dead letter."""

import json
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from moto import mock_aws

from tests.support.connection import REGION
from tests.support.gateway import Context, ExpiringContext, request_event
from tests.support.handlers import loaded
from tests.support.network import (
    Fault,
    Killed,
    Network,
    conflict,
    killed_after,
    killed_before,
    refusal,
    throttled,
)
from tests.support.table import TEMPLATE, TemplateLoader
from timer_core.domain.issues import Issue
from timer_core.github.messages import IssueEvent, from_json
from timer_core.github.webhooks.signature import sign
from timer_core.secrets import WEBHOOK_STAGE
from timer_core.store.queries import Filters
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from webhook.queue import send

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

# This time is far in the future, so that no back end's TTL deletes the tests' items.
T0 = 4_000_000_000_000
MINUTE = 60_000
SECRET = "It's a Secret to Everybody"
POISON = '{"events": [{"type": "issue", "kind": "teleported"}], "hook": null}'
_numbers = count(1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@dataclass
class Queue:
    """The queue and the dead-letter queue with template.yaml's settings, and Lambda's poller."""

    sqs: "SQSClient"
    url: str
    dead_url: str
    process: ModuleType

    def put(self, *events: IssueEvent) -> None:
        for event in events:
            send(self.sqs, self.url, [event], delivery=event.delivery)

    def poll(self, context: Context | None = None) -> int:
        """Process a batch as an event source mapping does, and return its size.

        Processed messages are deleted. Failed messages become visible again immediately.
        """
        received = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=180
        ).get("Messages", [])
        if not received:
            return 0
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in received}
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
            }
            for message in received
        ]
        try:
            answer = self.process.handler({"Records": records}, context or Context())
            failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        except Killed:
            # Without a response, the whole batch is delivered again after the visibility time-out.
            failed = set(handles)
        for message_id, handle in handles.items():
            if message_id in failed:
                # The function may have deleted the message before it was killed.
                with suppress(self.sqs.exceptions.ReceiptHandleIsInvalid):
                    self.sqs.change_message_visibility(
                        QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=0
                    )
            else:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=handle)
        return len(received)

    def remaining(self) -> int:
        """Return the number of messages that are not deleted."""
        found = self.sqs.get_queue_attributes(
            QueueUrl=self.url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def dead(self) -> list[str]:
        found = self.sqs.receive_message(QueueUrl=self.dead_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]


@pytest.fixture
def queue(shared_table: Table) -> Iterator[Queue]:
    template = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)  # noqa: S506
    most = template["Resources"]["DeliveryQueue"]["Properties"]["RedrivePolicy"]["maxReceiveCount"]
    with mock_aws():
        sqs = boto3.client("sqs", region_name=REGION)
        fifo: dict[QueueAttributeNameType, str] = {"FifoQueue": "true"}
        dead_url = sqs.create_queue(QueueName="dead.fifo", Attributes=fifo)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": most})
        url = sqs.create_queue(QueueName="deliveries.fifo", Attributes=fifo | {"RedrivePolicy": redrive})[
            "QueueUrl"
        ]
        variables = {"TRACK_UNREGISTERED": "true", "MAX_RECEIVES": str(most)}
        with loaded("webhook.process", shared_table.name, DELIVERY_QUEUE_URL=url, **variables) as process:
            yield Queue(sqs, url, dead_url, process)


def of_issue(number: int, user_id: int) -> list[IssueEvent]:
    """Return the events of an issue; they result in two timers, of 6 and 8 minutes."""
    events: Sequence[tuple[str, int, bool]] = [
        ("assigned", 1, True),
        ("unassigned", 3, True),
        ("assigned", 5, True),
        ("closed", 9, False),
        ("reopened", 12, True),
        ("closed", 20, False),
    ]
    return [
        IssueEvent(
            delivery=f"{kind}-{minute}-{number}",
            kind=kind,
            repo_id=1296269,
            repo="octocat/Hello-World",
            number=number,
            at_ms=T0 + minute * MINUTE,
            users=(user_id,) if own else None,
        )
        for kind, minute, own in events
    ]


def timers_by_issue(table: Table, user_id: int) -> dict[int, list[tuple[str, float]]]:
    """Map each issue to the state and minutes of the person's timers, earliest first."""
    found: dict[int, list[tuple[str, float]]] = {}
    for timer in TimerStore(table).page(user_id, Filters(), page_size=100).timers[::-1]:
        assert isinstance(timer.issue, Issue)
        minutes = timer.active_ms(T0 + 60 * MINUTE) / MINUTE
        found.setdefault(timer.issue.number, []).append((timer.status.value, minutes))
    return found


@pytest.mark.parametrize("kill", [killed_before, killed_after])
def test_repeated_kills_in_the_middle_of_batches_lose_and_repeat_nothing(
    queue: Queue, shared_table: Table, kill: Any
) -> None:
    user_id, first = 5_000 + next(_numbers), 1000 * next(_numbers)
    choices = random.Random(2026)
    events = [event for number in range(first, first + 4) for event in of_issue(number, user_id)]
    queue.put(*choices.sample(events, len(events)))
    network = Network(queue.process.table.connection)
    try:
        # Each kill comes later than the previous kill. There are seven, because ten kills would turn messages
        # into dead letters.
        for calls in (1, 4, 9, 15, 22, 30, 40):
            network.faults = {len(network.requests) + calls: kill}
            queue.poll()
        network.faults = {}
        while queue.poll():
            pass
    finally:
        network.close()
    assert queue.dead() == []
    assert timers_by_issue(shared_table, user_id) == {
        number: [("stopped", 6), ("stopped", 8)] for number in range(first, first + 4)
    }


@pytest.mark.parametrize(
    "fault",
    [
        throttled,
        conflict,
        refusal("InternalServerError", 500),
        refusal("ProvisionedThroughputExceededException"),
    ],
    ids=["throttled", "conflicts", "internal-errors", "no-throughput"],
)
def test_deliveries_wait_while_dynamodb_fails(queue: Queue, shared_table: Table, fault: Any) -> None:
    user_id, number = 6_000 + next(_numbers), 1000 * next(_numbers)
    events = of_issue(number, user_id)
    queue.put(*events)
    network = Network(queue.process.table.connection)
    network.every_write = fault
    try:
        for _ in range(3):
            assert queue.poll() > 0
        assert timers_by_issue(shared_table, user_id) == {}
    finally:
        network.close()
    while queue.poll():
        pass
    assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}
    assert queue.dead() == []


def test_only_a_poison_message_becomes_a_dead_letter(queue: Queue, shared_table: Table) -> None:
    user_id, number = 7_000 + next(_numbers), 1000 * next(_numbers)
    for body in (POISON, "not even JSON"):
        group = f"poison-{next(_numbers)}"
        queue.sqs.send_message(
            QueueUrl=queue.url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=group
        )
    queue.put(*of_issue(number, user_id))
    polls = 0
    while queue.poll():
        polls += 1
        assert polls < 30
    assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}
    assert sorted(queue.dead()) == sorted([POISON, "not even JSON"])


@pytest.mark.parametrize("position", [0, 2, 6])
def test_a_message_that_kills_its_process_makes_no_other_a_dead_letter(
    queue: Queue, shared_table: Table, position: int
) -> None:
    """The message needs more time or memory than the function has."""
    user_id, number, poison_id = (base + next(_numbers) for base in (9_000, 90_000, 66_600))
    events = of_issue(number, user_id)
    (poison, *_) = of_issue(number + 1, poison_id)
    queue.put(*events[:position], poison, *events[position:])

    def kill(request: AWSPreparedRequest, **_: object) -> None:
        assert isinstance(request.body, bytes)
        if str(poison_id).encode() in request.body:
            raise Killed

    hooks = queue.process.table.connection.client.meta.events
    hooks.register("before-send.dynamodb", kill)
    try:
        for _ in range(3):
            queue.poll()
        assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}
        assert queue.remaining() == 1
        while queue.poll():
            pass
    finally:
        hooks.unregister("before-send.dynamodb", kill)
    assert [from_json(body).delivery for body in queue.dead()] == [poison.delivery]


class TestLittleTime:
    def test_the_rest_of_a_batch_waits_for_another_one(self, queue: Queue, shared_table: Table) -> None:
        user_id, number = 9_500 + next(_numbers), 1000 * next(_numbers)
        queue.put(*of_issue(number, user_id))
        # The processor reads the remaining time before each message.
        assert queue.poll(ExpiringContext(readings=2)) == 6
        assert queue.remaining() == 4
        assert timers_by_issue(shared_table, user_id) == {number: [("paused", 2)]}
        assert queue.poll() == 4
        assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}

    def test_no_message_becomes_a_dead_letter_without_an_attempt(
        self, queue: Queue, shared_table: Table
    ) -> None:
        user_id, number = 9_600 + next(_numbers), 1000 * next(_numbers)
        queue.put(*of_issue(number, user_id))
        for _ in range(9):
            queue.poll(ExpiringContext(readings=0))
        assert timers_by_issue(shared_table, user_id) == {}
        queue.poll(ExpiringContext(readings=0))
        assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}
        assert (queue.remaining(), queue.dead()) == (0, [])


def test_a_batch_that_kills_its_process_ten_times_can_be_redriven(queue: Queue, shared_table: Table) -> None:
    user_id, number = 8_000 + next(_numbers), 1000 * next(_numbers)
    queue.put(*of_issue(number, user_id))
    network = Network(queue.process.table.connection)
    network.every_request = killed_before
    try:
        for _ in range(10):
            assert queue.poll() == 6
        assert queue.poll() == 0
    finally:
        network.close()
    kept = queue.dead()
    assert len(kept) == 6
    for position, body in enumerate(kept):
        queue.sqs.send_message(
            QueueUrl=queue.url,
            MessageBody=body,
            MessageGroupId="back",
            MessageDeduplicationId=f"back-{position}",
        )
    while queue.poll():
        pass
    assert timers_by_issue(shared_table, user_id) == {number: [("stopped", 6), ("stopped", 8)]}


class TestReceive:
    """Responses to GitHub if the queue does not accept a delivery."""

    @pytest.fixture
    def receive(self, queue: Queue) -> Iterator[ModuleType]:
        value = json.dumps({"current": SECRET, "previous": ""})
        client = boto3.client("secretsmanager", region_name=REGION)
        secret = client.create_secret(Name="webhook", SecretString="{}")
        client.put_secret_value(SecretId="webhook", SecretString=value, VersionStages=[WEBHOOK_STAGE])
        variables = {"WEBHOOK_SECRET_ARN": secret["ARN"], "DELIVERY_QUEUE_URL": queue.url}
        with loaded("webhook.receive", "unused", **variables) as module:
            yield module

    def deliver(
        self, module: ModuleType, guid: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
    ) -> dict[str, Any]:
        body = (TEMPLATE.parent / "tests" / "payloads" / "issues.assigned.json").read_bytes()
        headers = {
            "content-type": "application/json",
            "x-github-event": "issues",
            "x-github-delivery": guid,
            "x-hub-signature-256": sign(SECRET, body),
        }
        event = request_event("POST", "/api/github-timer-webhook/", body=body, headers=headers)
        answer: dict[str, Any] = module.handler(event, Context())
        return answer

    @pytest.mark.parametrize(
        "failure",
        [
            refusal("InternalFailure", 500),
            refusal("ServiceUnavailable", 503),
            refusal("RequestThrottled"),
            ConnectTimeoutError(endpoint_url="http://sqs"),
            ReadTimeoutError(endpoint_url="http://sqs"),
        ],
        ids=["internal-error", "unavailable", "throttled", "connect-time-out", "read-time-out"],
    )
    def test_github_sees_a_failure_and_a_redelivery_is_queued_once(
        self, receive: ModuleType, queue: Queue, failure: Exception | Fault
    ) -> None:
        sent = []

        def fail(request: object, **_: object) -> AWSResponse:
            sent.append(request)
            if isinstance(failure, Exception):
                raise failure
            return failure("SendMessage", lambda: pytest.fail("The request was sent."))

        receive.sqs.meta.events.register_first("before-send.sqs", fail)
        try:
            answer = self.deliver(receive)
        finally:
            receive.sqs.meta.events.unregister("before-send.sqs", fail)
        assert answer["statusCode"] == 503
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["detail"] == "The delivery could not be queued."
        # Each attempt takes up to two seconds, and GitHub waits ten seconds for the response.
        assert 1 <= len(sent) <= 3

        assert [self.deliver(receive)["statusCode"] for _ in range(2)] == [202, 202]
        (message,) = queue.sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)["Messages"]
        (event,) = from_json(message["Body"]).events
        assert event.delivery == "72d3162e-cc78-11e3-81ab-4c9367dc0958"

    @pytest.mark.usefixtures("receive")
    def test_many_cold_starts_fetch_the_secret_once_and_queue_each_delivery_once(self, queue: Queue) -> None:
        reads: list[object] = []
        with ExitStack() as stack:
            arn = boto3.client("secretsmanager", region_name=REGION).describe_secret(SecretId="webhook")[
                "ARN"
            ]
            variables = {"WEBHOOK_SECRET_ARN": arn, "DELIVERY_QUEUE_URL": queue.url}
            cold = [stack.enter_context(loaded("webhook.receive", "unused", **variables)) for _ in range(8)]
            for module in cold:
                events = module.secrets._client.meta.events
                events.register("before-call.secretsmanager.GetSecretValue", lambda **_: reads.append(1))

            def storm(module: ModuleType) -> list[int]:
                return [self.deliver(module, f"guid-{number}")["statusCode"] for number in range(4)]

            with ThreadPoolExecutor(len(cold)) as pool:
                assert list(pool.map(storm, cold)) == [[202] * 4] * len(cold)
        assert len(reads) == len(cold)
        attributes = queue.sqs.get_queue_attributes(
            QueueUrl=queue.url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "4"
