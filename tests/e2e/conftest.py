"""The stack on MiniStack, and helpers that send requests to it over HTTP."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers
from deployed_stack.http_client import Response, request
from deployed_stack.stack import LIVE
from fake_github import FakeGitHub
from local_stack import LocalStack, free_port
from tests.support.repositories import repo_id

PAYLOADS = Path(__file__).parents[1] / "payloads"
ANN = (21031067, "Codertocat")
BOB = (583231, "octocat")
# The stack's own domain. The emulator serves it at CloudFront's domain only.
DOMAIN = "timer.example.com"


def restart(stack: LocalStack, function: str, **changed: str) -> None:
    """Replace the processes of a function by those of a new version, with some variables changed."""
    functions, name = stack.aws.client("lambda"), stack.resources[function]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | changed})
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)
    version = functions.publish_version(FunctionName=name)["Version"]
    functions.update_alias(FunctionName=name, Name=LIVE, FunctionVersion=version)


class Site:
    """A running stack with two registered users, Ann and Bob."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.url = stack.url
        self.secret = stack.webhook_secret()
        self.ann = stack.mint_token(ANN[0], login=ANN[1])
        self.bob = stack.mint_token(BOB[0], login=BOB[1])
        for user_id, _ in (ANN, BOB):
            self.backdate_registration(user_id)

    def send(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Response:
        """Send a request, with Ann's token unless another token is given."""
        sent = {"Authorization": f"Token {self.ann if token is None else token}"}
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if raw:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, self.url + path, body=raw, headers=sent)

    def get(self, path: str, token: str | None = None) -> Any:
        """Return the JSON of a response; fail unless its status is 200."""
        response = self.send("GET", path, token=token)
        assert response.status == 200, response
        return json.loads(response.body)

    def deliver(
        self, event: str, payload: Mapping[str, Any], *, delivery: str | None = None, **headers: str
    ) -> Response:
        """Send a signed delivery."""
        body = json.dumps(payload).encode()
        sent = delivery_headers(event, body, self.secret, delivery=delivery)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return request("POST", self.url + WEBHOOK_PATH, body=body, headers=sent)

    def timers(self, repo: str, number: int, token: str | None = None) -> list[dict[str, Any]]:
        """Return a user's timers on an issue, oldest first."""
        page = self.get(f"/api/timelogs/?github_repo={repo}&github_issue_number={number}", token)
        results: list[dict[str, Any]] = page["results"]
        return results[::-1]

    def process_everything(self) -> None:
        """Wait until every accepted delivery has been processed.

        The emulator ends the processes of a function that is replaced. Their messages are delivered again
        after the queue's visibility timeout of 180 seconds.
        """
        sqs, queue = self.stack.aws.client("sqs"), self.stack.resources["DeliveryQueue"]
        assert eventually(lambda: not any(waiting(sqs, queue)), seconds=240), waiting(sqs, queue)

    def backdate_registration(self, user_id: int) -> None:
        """Backdate a user's registration, because events before the registration are ignored."""
        self.stack.aws.client("dynamodb").update_item(
            TableName=self.stack.table_name,
            Key={"pk": {"S": f"user#{user_id}"}, "sk": {"S": "profile"}},
            UpdateExpression="SET created_ms = :then",
            ExpressionAttributeValues={":then": {"N": "0"}},
        )

    def store_credential(self, content: Mapping[str, str] | None) -> None:
        """Store a credential for GitHub's API (None deletes it), and restart the functions that use it."""
        ssm, name = self.stack.aws.client("ssm"), self.stack.outputs["GitHubCredentialName"]
        if content is None:
            ssm.delete_parameter(Name=name)
        else:
            ssm.put_parameter(Name=name, Value=json.dumps(content), Type="SecureString", Overwrite=True)
        self.process_everything()
        # A process caches the credential for five minutes.
        self.restart("WebhookProcessFunction")
        self.restart("StaleSweeperFunction")

    def health(self) -> Any:
        """Return the health report of a new process, because processes cache it for a minute."""
        self.restart("TimelogsFunction")
        return self.get("/api/health/")

    def restart(self, function: str) -> None:
        """Replace the processes of a function."""
        restart(self.stack, function)

    def items(self, pk: str) -> list[dict[str, Any]]:
        """Return the items with a partition key."""
        items: list[dict[str, Any]] = self.stack.aws.client("dynamodb").query(
            TableName=self.stack.table_name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )["Items"]
        return items


@pytest.fixture(scope="session")
def fake_github() -> Iterator[FakeGitHub]:
    """The GitHub that the stack calls when it has a credential; initially empty."""
    with FakeGitHub() as github:
        yield github


@pytest.fixture(scope="session")
def site(fake_github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    parameters = {
        "GitHubApiUrl": fake_github.url,
        "StartLabels": "bug",
        "DomainName": DOMAIN,
        "CertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/example",
        # Tests write more often than people do.
        "WritesPerMinute": "1000000",
    }
    with LocalStack(free_port(), tmp_path_factory.mktemp("stack"), parameters=parameters) as stack:
        # Tests wait until all messages are done.
        restart(stack, "WebhookProcessFunction", APPLY_AGAIN_AFTER_S="1")
        yield Site(stack)


def payload(name: str, repo: str | None = None, number: int | None = None, **issue: Any) -> dict[str, Any]:
    """Return one of GitHub's example payloads, with another issue if one is given."""
    loaded: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    if repo is not None:
        # Issues are identified by the repository's id.
        loaded["repository"] |= {"full_name": repo, "id": repo_id(repo)}
    if number is not None:
        loaded["issue"]["number"] = number
    if issue:
        loaded["issue"] |= issue
    return loaded


def waiting(sqs: Any, queue: str) -> list[int]:
    """Return the numbers of messages in a queue: waiting, in flight, and delayed."""
    names = ["", "NotVisible", "Delayed"]
    attributes = [f"ApproximateNumberOfMessages{name}" for name in names]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=attributes)["Attributes"]
    return [int(found[attribute]) for attribute in attributes]


def eventually(poll: Callable[[], Any], seconds: float = 90) -> Any:
    """Call ``poll`` until its result is truthy or the time limit is reached; return the last result."""
    deadline = time.monotonic() + seconds
    while True:
        result = poll()
        if result or time.monotonic() > deadline:
            return result
        time.sleep(0.2)
