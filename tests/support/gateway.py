"""Requests to a handler as API Gateway makes them: events of payload format 2.0."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4


@dataclass
class Context:
    """Lambda's context of an invocation."""

    function_name: str = "test"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:test"
    aws_request_id: str = ""
    remaining_ms: int = 300_000

    def __post_init__(self) -> None:
        self.aws_request_id = self.aws_request_id or str(uuid4())

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


class ExpiringContext(Context):
    """An invocation's context; the remaining time becomes short after it was read ``readings`` times."""

    def __init__(self, readings: int) -> None:
        super().__init__()
        self._readings = iter(range(readings))

    def get_remaining_time_in_millis(self) -> int:
        # Threads share the iterator, so the limit applies to the readings of all threads together.
        return 1_000 if next(self._readings, None) is None else 60_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


def request_event(
    method: str, target: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return API Gateway's event for a request."""
    url = urlsplit(target)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {url.path}",
        "rawPath": url.path,
        "rawQueryString": url.query,
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "requestId": str(uuid4()),
            "domainName": "api.example.com",
            "stage": "$default",
            "http": {"method": method, "path": url.path, "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": False,
    }
    if url.query:
        event["queryStringParameters"] = dict(parse_qsl(url.query, keep_blank_values=True))
    if body is not None:
        try:
            event["body"] = body.decode()
        except UnicodeDecodeError:
            event["body"] = base64.b64encode(body).decode()
            event["isBase64Encoded"] = True
    return event


class Client:
    """Sends requests to a handler, with the token if the client has a token."""

    def __init__(self, handler: Callable[[dict[str, Any], Any], dict[str, Any]], token: str = "") -> None:
        self._handler = handler
        self.token = token

    def __call__(
        self, method: str, target: str, json_body: Any = None, *, body: bytes | None = None, **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("authorization", f"Token {self.token}")
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent.setdefault("content-type", "application/json")
        answer = self._handler(request_event(method, target, body=body, headers=sent), Context())
        found = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        for name, values in answer.get("multiValueHeaders", {}).items():
            found[name.lower()] = ", ".join(values)
        return Answer(answer["statusCode"], found, answer.get("body") or "")
