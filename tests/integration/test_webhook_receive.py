"""Receiving GitHub's deliveries, with moto's SQS and Secrets Manager."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from tests.support.connection import REGION
from tests.support.gateway import Answer, Context, request_event
from tests.support.handlers import loaded
from timer_core import secrets, settings
from timer_core.clock import now_ms
from timer_core.github.messages import IssueEvent, from_json
from timer_core.github.webhooks.signature import sign

PAYLOADS = Path(__file__).parents[1] / "payloads"
SECRET = "It's a Secret to Everybody"
GUID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
PATH = "/api/github-timer-webhook/"


def payload(name: str) -> dict[str, Any]:
    """Return an example of a delivery with the present time."""
    loaded_body: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    if "issue" in loaded_body:
        loaded_body["issue"]["updated_at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return loaded_body


@dataclass
class Seconds:
    """The clock that the secret's cache uses."""

    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class Receiver:
    """The handler with its queue and its secret."""

    module: ModuleType
    queue_url: str
    secret_arn: str
    seconds: Seconds

    def send(self, method: str, path: str) -> Answer:
        answer = self.module.handler(request_event(method, path), Context())
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def post(self, body: bytes, *, base64_encoded: bool = False, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        event = request_event("POST", PATH, body=body, headers=sent)
        if base64_encoded:
            event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
        answer = self.module.handler(event, Context())
        return Answer(answer["statusCode"], answer["headers"], answer["body"])

    def deliver(
        self,
        name: str = "issues.assigned",
        body: Any = None,
        *,
        secret: str = SECRET,
        guid: str = GUID,
        raw: bytes | None = None,
        base64_encoded: bool = False,
        content_type: str = "application/json",
    ) -> Answer:
        sent = json.dumps(payload(name) if body is None else body).encode() if raw is None else raw
        return self.post(
            sent,
            base64_encoded=base64_encoded,
            content_type=content_type,
            x_github_event=name.partition(".")[0],
            x_github_delivery=guid,
            x_hub_signature_256=sign(secret, sent),
        )

    def set_secret(self, current: str, previous: str = "") -> None:
        value = json.dumps({"current": current, "previous": previous})
        boto3.client("secretsmanager").put_secret_value(
            SecretId=self.secret_arn, SecretString=value, VersionStages=[secrets.WEBHOOK_STAGE]
        )

    def reported(self) -> tuple[str, str, str, bool]:
        """Return the summary in the only message of the queue, which contains no event."""
        (message,) = self.queued()
        parsed = from_json(message["Body"])
        assert parsed.events == ()
        summary = parsed.summary
        assert summary is not None
        assert abs(now_ms() - summary.received_ms) < 60_000
        return summary.event, summary.source, summary.ignored, summary.is_refused

    def queued(self) -> list[dict[str, Any]]:
        response = boto3.client("sqs").receive_message(
            QueueUrl=self.queue_url, AttributeNames=["All"], MaxNumberOfMessages=10
        )
        messages: list[dict[str, Any]] = response.get("Messages", [])  # type: ignore[assignment]
        return messages


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
            patch.setenv(name, REGION)
        secret = boto3.client("secretsmanager").create_secret(Name="webhook", SecretString="{}")
        with loaded("webhook.receive", "unused", WEBHOOK_SECRET_ARN=secret["ARN"]) as module:
            yield module


@pytest.fixture
def receiver(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """The handler as after a cold start, with an empty queue."""
    sqs = boto3.client("sqs")
    queue_url = sqs.create_queue(QueueName="deliveries.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    monkeypatch.setenv("DELIVERY_QUEUE_URL", queue_url)
    settings.settings.cache_clear()
    module._reported.clear()
    arn = boto3.client("secretsmanager").describe_secret(SecretId="webhook")["ARN"]
    seconds = Seconds()
    monkeypatch.setattr(secrets, "time", seconds)
    monkeypatch.setattr(
        module, "secrets", secrets.RotatingSecret(boto3.client("secretsmanager"), arn, secrets.WEBHOOK_STAGE)
    )
    receiver = Receiver(module, queue_url, arn, seconds)
    receiver.set_secret(SECRET)
    yield receiver
    if queue_url in sqs.list_queues().get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=queue_url)


def assert_refused(answer: Answer, status: int) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], bool(body["title"]), bool(body["detail"])) == (status, True, True)


class TestAccepted:
    def test_a_delivery_is_queued_as_a_small_event(self, receiver: Receiver) -> None:
        before = now_ms()
        answer = receiver.deliver()
        assert (answer.status, answer.json()) == (202, {"status": "accepted", "delivery": GUID})
        (message,) = receiver.queued()
        event = from_json(message["Body"]).events[0]
        assert isinstance(event, IssueEvent)
        assert event == IssueEvent(
            delivery=GUID,
            kind="assigned",
            repo="Codertocat/Hello-World",
            number=1,
            at_ms=event.at_ms,
            users=(21031067,),
            title="Spelling error in the README file",
            repo_id=186853002,
            actor=21031067,
            seen=event.seen,
        )
        assert event.seen["labels"][2] == ["bug"]
        assert before - 2_000 <= event.at_ms <= now_ms()
        assert len(message["Body"]) < 900

    @pytest.mark.parametrize(
        "name", ["issues.assigned", "issues.unassigned", "issues.closed", "issues.reopened", "issues.deleted"]
    )
    def test_every_handled_event_of_an_issue_is_queued(self, receiver: Receiver, name: str) -> None:
        assert receiver.deliver(name).status == 202
        (message,) = receiver.queued()
        (event,) = from_json(message["Body"]).events
        assert isinstance(event, IssueEvent)
        assert event.kind == name.partition(".")[2]

    def test_a_form_encoded_delivery_is_accepted(self, receiver: Receiver) -> None:
        form = urlencode({"payload": json.dumps(payload("issues.assigned"))}).encode()
        answer = receiver.deliver(raw=form, content_type="application/x-www-form-urlencoded")
        assert answer.status == 202
        (message,) = receiver.queued()
        (event,) = from_json(message["Body"]).events
        assert isinstance(event, IssueEvent)
        assert event.repo == "Codertocat/Hello-World"

    @pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
    def test_the_content_type_may_have_parameters(self, receiver: Receiver, content_type: str) -> None:
        assert receiver.deliver(content_type=content_type).status == 202

    def test_a_base64_body_is_accepted(self, receiver: Receiver) -> None:
        assert receiver.deliver(base64_encoded=True).status == 202
        assert len(receiver.queued()) == 1

    def test_the_signature_covers_the_raw_bytes(self, receiver: Receiver) -> None:
        body = payload("issues.assigned")
        body["issue"]["title"] = "é ☕ 🎉"
        for raw in (
            json.dumps(body, indent=3, ensure_ascii=False).encode(),
            b"\n" + json.dumps(body, separators=(",", ":")).encode() + b" ",
        ):
            assert receiver.deliver(raw=raw).status == 202
            changed = json.dumps(json.loads(raw)).encode()
            answer = receiver.post(
                changed,
                content_type="application/json",
                x_github_event="issues",
                x_github_delivery=GUID,
                x_hub_signature_256=sign(SECRET, raw),
            )
            assert_refused(answer, 401)


class TestQueue:
    def test_the_deliveries_of_one_issue_keep_their_order(self, receiver: Receiver) -> None:
        body = payload("issues.unassigned")
        body["repository"]["full_name"] = "CODERTOCAT/hello-world"
        receiver.deliver("issues.assigned", guid="1")
        receiver.deliver("issues.unassigned", body, guid="2")
        groups = {message["Attributes"]["MessageGroupId"] for message in receiver.queued()}
        assert len(groups) == 1

    def test_other_issues_do_not_wait_for_each_other(self, receiver: Receiver) -> None:
        first, second, third = (payload("issues.assigned") for _ in range(3))
        second["issue"]["number"] = 2
        third["repository"] |= {"id": 1, "full_name": "Codertocat/other"}
        for number, body in enumerate((first, second, third)):
            receiver.deliver(body=body, guid=str(number))
        messages = receiver.queued()
        assert len({message["Attributes"]["MessageGroupId"] for message in messages}) == 3

    def test_a_delivery_is_deduplicated_by_its_guid(self, receiver: Receiver) -> None:
        assert [receiver.deliver().status for _ in range(3)] == [202, 202, 202]
        (message,) = receiver.queued()
        assert message["Attributes"]["MessageDeduplicationId"] == GUID

    def test_the_longest_names_fit_into_a_group_id(self, receiver: Receiver) -> None:
        body = payload("issues.assigned")
        body["repository"]["full_name"] = f"{'o' * 39}/{'r' * 100}"
        body["issue"]["number"] = 2**31 - 1
        assert receiver.deliver(body=body).status == 202


class TestReports:
    """Deliveries that no timer needs are reported to admins once a minute."""

    def test_a_delivery_is_queued_with_its_summary(self, receiver: Receiver) -> None:
        receiver.deliver()
        (message,) = receiver.queued()
        summary = from_json(message["Body"]).summary
        assert summary is not None
        assert (summary.event, summary.source, summary.ignored) == (
            "issues.assigned",
            "Codertocat/Hello-World",
            "",
        )

    def test_of_many_ignored_deliveries_one_a_minute_is_reported(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        minute = now_ms() // 60_000
        for second in (0, 30, 59, 60):
            monkeypatch.setattr(receiver.module, "now_ms", lambda at=second: minute * 60_000 + at * 1000)
            receiver.deliver("issues.pinned", guid=f"delivery-{second}")
        messages = receiver.queued()
        ids = {message["Attributes"]["MessageDeduplicationId"] for message in messages}
        assert ids == {f"ignored-{minute}", f"ignored-{minute + 1}"}

    def test_reports_of_other_processes_have_the_same_id(self, receiver: Receiver) -> None:
        for guid in ("one", "two"):
            receiver.deliver("issues.pinned", guid=guid)
            receiver.module._reported.clear()
        (message,) = receiver.queued()
        assert message["Attributes"]["MessageDeduplicationId"].startswith("ignored-")

    def test_a_wrong_signature_is_reported_without_anything_that_the_sender_wrote(
        self, receiver: Receiver
    ) -> None:
        assert_refused(receiver.deliver(secret="wrong"), 401)
        assert receiver.reported() == ("", "", "", True)

    def test_a_report_that_cannot_be_queued_changes_no_response(self, receiver: Receiver) -> None:
        boto3.client("sqs").delete_queue(QueueUrl=receiver.queue_url)
        assert receiver.deliver("issues.pinned").status == 200
        assert_refused(receiver.deliver(secret="wrong"), 401)


class TestIgnored:
    def test_a_ping_gets_a_pong(self, receiver: Receiver) -> None:
        answer = receiver.deliver("ping.ping")
        assert (answer.status, answer.json()) == (200, {"status": "pong"})
        assert receiver.reported() == ("ping", "Octocoders/Hello-World", "", False)

    @pytest.mark.parametrize(
        "name", ["issues.pinned", "issues.locked", "issue_comment.edited", "installation.created"]
    )
    def test_an_unhandled_event_is_acknowledged(self, receiver: Receiver, name: str) -> None:
        answer = receiver.deliver(name)
        assert (answer.status, answer.json()) == (200, {"status": "ignored", "reason": "not_handled"})
        event, _, *outcome = receiver.reported()
        assert (event, outcome) == (name, ["not_handled", False])

    def test_a_bots_event_is_acknowledged(self, receiver: Receiver) -> None:
        body = payload("issues.assigned")
        body["assignee"]["type"] = "Bot"
        answer = receiver.deliver(body=body)
        assert (answer.status, answer.json()) == (200, {"status": "ignored", "reason": "bot"})


class TestSignature:
    @pytest.mark.parametrize("signature", ["", "sha256=", "sha256=0", "sha1=0", "é", sign("wrong", b"{}")])
    def test_a_missing_or_wrong_signature_is_refused(self, receiver: Receiver, signature: str) -> None:
        answer = receiver.post(
            b"{}",
            content_type="application/json",
            x_github_event="issues",
            x_github_delivery=GUID,
            x_hub_signature_256=signature,
        )
        assert_refused(answer, 401)

    def test_only_the_guid_of_an_unsigned_request_is_logged(self, receiver: Receiver) -> None:
        for guid, logged in ((GUID, GUID), ("a secret of somebody's", None), ("x" * 73, None), ("", None)):
            answer = receiver.post(b"{}", x_github_delivery=guid, x_hub_signature_256="sha256=0")
            assert_refused(answer, 401)
            assert receiver.module.logger.get_correlation_id() == logged

    def test_a_delivery_without_a_signature_header_is_refused(self, receiver: Receiver) -> None:
        answer = receiver.post(b"{}", content_type="application/json", x_github_event="issues")
        assert_refused(answer, 401)

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"x" * 1_000_000])
    @pytest.mark.parametrize("content_type", ["application/json", "text/xml", ""])
    def test_nothing_is_parsed_before_the_signature_is_verified(
        self, receiver: Receiver, body: bytes, content_type: str
    ) -> None:
        answer = receiver.post(body, content_type=content_type, x_hub_signature_256=sign("wrong", body))
        assert_refused(answer, 401)

    def test_an_unset_secret_signs_nothing(self, receiver: Receiver) -> None:
        receiver.set_secret("")
        assert_refused(receiver.deliver(secret=""), 401)


class TestRotation:
    def test_no_delivery_is_lost_while_the_secret_changes(self, receiver: Receiver) -> None:
        assert receiver.deliver(guid="1").status == 202
        receiver.set_secret("new", previous=SECRET)
        assert receiver.deliver(guid="2").status == 202
        assert receiver.deliver(guid="3", secret="new").status == 202
        assert receiver.deliver(guid="4").status == 202
        assert len(receiver.queued()) == 4

    def test_the_previous_secret_is_refused_after_the_rotation(self, receiver: Receiver) -> None:
        assert receiver.deliver().status == 202
        receiver.set_secret("new")
        receiver.seconds.now += 301
        assert_refused(receiver.deliver(), 401)
        assert receiver.deliver(secret="new").status == 202

    def test_wrong_signatures_do_not_fetch_the_secret_each_time(self, receiver: Receiver) -> None:
        assert_refused(receiver.deliver(secret="new"), 401)
        receiver.set_secret("new")
        receiver.seconds.now += 9
        assert_refused(receiver.deliver(secret="new"), 401)
        receiver.seconds.now += 2
        assert receiver.deliver(secret="new").status == 202


class TestMalformed:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'"text"',
            b"5",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b"[" * 100_000,
            b'{"action": "assigned"}',
            b'{"action": "assigned", "issue": {"number": ' + b"9" * 5000 + b"}}",
        ],
    )
    def test_a_signed_body_without_a_payload_is_refused(self, receiver: Receiver, raw: bytes) -> None:
        assert_refused(receiver.deliver(raw=raw), 400)
        assert receiver.queued() == []

    @pytest.mark.parametrize(
        "raw", [b"", b"payload", b"payload=", b"payload=%7B", b"other=%7B%7D", b"payload=%ff"]
    )
    def test_a_signed_form_without_a_payload_is_refused(self, receiver: Receiver, raw: bytes) -> None:
        assert_refused(receiver.deliver(raw=raw, content_type="application/x-www-form-urlencoded"), 400)

    @pytest.mark.parametrize("full_name", ["\ud800/Hello-World", "Hello-World", "", None, 5])
    def test_a_payload_without_a_repository_is_refused(self, receiver: Receiver, full_name: Any) -> None:
        body = payload("issues.assigned")
        body["repository"]["full_name"] = full_name
        assert_refused(receiver.deliver(body=body), 400)

    @pytest.mark.parametrize("content_type", ["", "text/plain", "text/xml", "multipart/form-data"])
    def test_another_content_type_is_refused(self, receiver: Receiver, content_type: str) -> None:
        assert_refused(receiver.deliver(content_type=content_type), 415)

    @pytest.mark.parametrize("guid", ["", " ", "a b", "é", "x" * 73, "a\n", "../x"])
    def test_a_delivery_without_a_guid_is_refused(self, receiver: Receiver, guid: str) -> None:
        assert_refused(receiver.deliver(guid=guid), 400)
        assert receiver.queued() == []

    def test_a_delivery_without_an_event_is_refused(self, receiver: Receiver) -> None:
        answer = receiver.post(
            b"{}",
            content_type="application/json",
            x_github_delivery=GUID,
            x_hub_signature_256=sign(SECRET, b"{}"),
        )
        assert_refused(answer, 400)

    def test_an_invalid_base64_body_is_refused(self, receiver: Receiver) -> None:
        event = request_event("POST", PATH)
        event["body"], event["isBase64Encoded"] = "a", True
        assert receiver.module.handler(event, Context())["statusCode"] == 400


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[Any]:
    """Return the values of a field in the log."""
    return [vars(record)[name] for record in caplog.records if name in vars(record)]


class TestServers:
    """The stack belongs to one GitHub server. The users and repositories of others have other ids."""

    def deliver(self, receiver: Receiver, name: str = "issues.assigned", **headers: str) -> Answer:
        body = json.dumps(payload(name)).encode()
        return receiver.post(
            body,
            base64_encoded=False,
            content_type="application/json",
            x_github_event=name.partition(".")[0],
            x_github_delivery=GUID,
            x_hub_signature_256=sign(SECRET, body),
            **headers,
        )

    @pytest.mark.parametrize(
        "headers",
        [{"x_github_enterprise_host": "github.example.com"}, {"x_github_tenant": "octo-corp"}],
        ids=["Enterprise Server", "data residency"],
    )
    @pytest.mark.parametrize("name", ["issues.assigned", "ping.ping"])
    def test_a_delivery_of_another_server_is_ignored(
        self, receiver: Receiver, headers: dict[str, str], name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = self.deliver(receiver, name, **headers)
        assert (answer.status, answer.json()) == (200, {"status": "ignored", "reason": "other_server"})
        assert receiver.reported()[2] == "other_server"
        server = headers.get("x_github_enterprise_host", "octo-corp.ghe.com")
        assert server in logged(caplog, "server")

    def test_a_delivery_that_names_the_stacks_own_server_is_accepted(self, receiver: Receiver) -> None:
        assert self.deliver(receiver, x_github_enterprise_host="GitHub.com").status == 202

    def test_a_stack_of_an_enterprise_accepts_its_own_deliveries_only(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GITHUB_API_URL", "https://api.octo-corp.ghe.com")
        settings.settings.cache_clear()
        assert self.deliver(receiver, x_github_tenant="octo-corp").status == 202
        assert self.deliver(receiver, x_github_tenant="another").json()["reason"] == "other_server"


def test_the_log_names_accounts_that_are_never_timed(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    body = payload("issues.assigned")
    body["assignee"] |= {"id": 7, "type": "Mannequin"}
    answer = receiver.deliver(body=body)
    assert (answer.status, answer.json()) == (200, {"status": "ignored", "reason": "not_a_person"})
    assert logged(caplog, "accounts") == [["not_a_person 7"]]


class TestUnavailable:
    def test_github_sees_a_failure_if_the_queue_refuses_a_message(self, receiver: Receiver) -> None:
        boto3.client("sqs").delete_queue(QueueUrl=receiver.queue_url)
        assert_refused(receiver.deliver(), 503)

    def test_github_sees_a_failure_if_the_queue_is_unreachable(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nowhere = boto3.client(
            "sqs", endpoint_url="http://127.0.0.1:1", config=Config(retries={"total_max_attempts": 1})
        )
        monkeypatch.setattr(receiver.module, "sqs", nowhere)
        assert_refused(receiver.deliver(), 503)

    def test_github_sees_a_failure_if_the_secret_cannot_be_read(self, receiver: Receiver) -> None:
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=receiver.secret_arn, RecoveryWindowInDays=7)
        try:
            assert_refused(receiver.deliver(), 503)
        finally:
            client.restore_secret(SecretId=receiver.secret_arn)
        assert receiver.deliver().status == 202

    def test_a_wrong_signature_gets_503_while_the_secret_cannot_be_fetched(self, receiver: Receiver) -> None:
        """The secret may have been rotated, and GitHub's next attempt may be valid."""
        assert receiver.deliver(guid="1").status == 202
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=receiver.secret_arn, RecoveryWindowInDays=7)
        try:
            for _ in range(2):
                assert_refused(receiver.deliver(guid="2", secret="rotated"), 503)
        finally:
            client.restore_secret(SecretId=receiver.secret_arn)
        receiver.seconds.now += 10
        assert_refused(receiver.deliver(guid="2", secret="rotated"), 401)

    def test_the_cached_secret_is_used_while_secrets_manager_is_unreachable(self, receiver: Receiver) -> None:
        assert receiver.deliver(guid="1").status == 202
        client = boto3.client("secretsmanager")
        client.delete_secret(SecretId=receiver.secret_arn, RecoveryWindowInDays=7)
        try:
            receiver.seconds.now += 200
            assert receiver.deliver(guid="2").status == 202
        finally:
            client.restore_secret(SecretId=receiver.secret_arn)


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/")])
def test_a_person_who_opens_the_address_learns_what_it_is(receiver: Receiver, path: str) -> None:
    got, head = (receiver.send(method, path) for method in ("GET", "HEAD"))
    assert got.status == 200
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.body == (
        "This is the address of Issue Timer's webhook, to which GitHub delivers events with POST requests."
    )
    assert (head.status, head.headers, head.body) == (got.status, got.headers, "")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_with_the_allowed_ones(receiver: Receiver, method: str) -> None:
    answer = receiver.send(method, PATH)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["detail"] == f"This path does not allow {method}."


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_only_post_requests_count_as_deliveries(
    receiver: Receiver, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.send(method, PATH)
    assert "Deliveries" not in capsys.readouterr().out
