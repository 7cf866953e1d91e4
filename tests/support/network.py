"""Fault injection between a connection and DynamoDB."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from pynamodb.connection import Connection

Send: TypeAlias = Callable[[], AWSResponse]
# A function that responds to a request in place of DynamoDB; its arguments are the operation and `Send`.
Fault: TypeAlias = Callable[[str, Send], AWSResponse]


WRITES = {"PutItem", "UpdateItem", "TransactWriteItems"}


class Killed(BaseException):
    """The process was killed. The product's code does not catch this exception."""


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def refusal(code: str, status: int = 400, **members: Any) -> Fault:
    """Return a fault that responds with an error of DynamoDB's API, and writes nothing."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members})

    def fault(_operation: str, _send: Send) -> AWSResponse:
        headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse("http://dynamodb", status, headers, _Body(body.encode()))

    return fault


def conflict(operation: str, send: Send) -> AWSResponse:
    """Refuse a write because of a concurrent transaction on the item.

    Source: `TransactionConflictException` and `TransactionCanceledException` at
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/.
    """
    if operation != "TransactWriteItems":
        return refusal("TransactionConflictException")(operation, send)
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)(operation, send)


def throttled(operation: str, send: Send) -> AWSResponse:
    """Refuse a write because of throttling."""
    if operation != "TransactWriteItems":
        return refusal("ThrottlingException")(operation, send)
    reasons = [{"Code": "ThrottlingError"}, {"Code": "None"}]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)(operation, send)


def lost_request(_operation: str, _send: Send) -> AWSResponse:
    """Lose the request before it reaches DynamoDB."""
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def lost_response(_operation: str, send: Send) -> AWSResponse:
    """Execute the request, and lose the response."""
    send()
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def killed_before(_operation: str, _send: Send) -> AWSResponse:
    """Kill the process before it sends the request."""
    raise Killed


def killed_after(_operation: str, send: Send) -> AWSResponse:
    """Execute the request, and kill the process."""
    send()
    raise Killed


class Network:
    """Applies faults to the requests of a connection. Requests without a fault are sent unchanged.

    Attributes
    ----------
    requests
        The operations of all requests, including the SDK's retries.
    faults
        Faults by the request's position in ``requests``.
    next_writes
        Faults of the next writes, in order.
    every_write
        The fault of all other writes.
    every_request
        The fault of all other requests.
    """

    def __init__(self, connection: Connection) -> None:
        self.requests: list[str] = []
        self.faults: dict[int, Fault] = {}
        self.next_writes: list[Fault] = []
        self.every_write: Fault | None = None
        self.every_request: Fault | None = None
        self._client = connection.client
        self._http = connection.client._endpoint.http_session
        # The stubs declare that hooks return None, but a before-send hook may return a response.
        self._hook = cast("Callable[..., None]", self._before_send)
        self._client.meta.events.register("before-send.dynamodb", self._hook)

    def close(self) -> None:
        """Stop applying faults and recording requests."""
        self._client.meta.events.unregister("before-send.dynamodb", self._hook)

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        fault = self.faults.get(len(self.requests))
        if operation in WRITES and fault is None:
            fault = self.next_writes.pop(0) if self.next_writes else self.every_write
        fault = fault or self.every_request
        self.requests.append(operation)
        return fault(operation, lambda: self._http.send(request)) if fault else None
