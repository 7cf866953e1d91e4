"""What can happen between a connection and DynamoDB, made to happen."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, cast

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from pynamodb.connection import Connection

Send: TypeAlias = Callable[[], AWSResponse]
# Answers a request for an operation in DynamoDB's place.
Fault: TypeAlias = Callable[[str, Send], AWSResponse]


WRITES = {"PutItem", "UpdateItem", "TransactWriteItems"}


class Killed(BaseException):
    """The process ended here; nothing may catch this."""


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def refusal(code: str, status: int = 400, **members: Any) -> Fault:
    """Return a fault that refuses a request with an error of DynamoDB's API, and writes nothing."""
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members})

    def fault(_operation: str, _send: Send) -> AWSResponse:
        headers = HTTPHeaders.from_dict({"content-type": "application/x-amz-json-1.0"})
        return AWSResponse("http://dynamodb", status, headers, _Body(body.encode()))

    return fault


def conflict(operation: str, send: Send) -> AWSResponse:
    """Another transaction is at work on the item; nothing is written.

    As described for `TransactionConflictException` and `TransactionCanceledException` at
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/.
    """
    if operation != "TransactWriteItems":
        return refusal("TransactionConflictException")(operation, send)
    reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)(operation, send)


def throttled(operation: str, send: Send) -> AWSResponse:
    """There is no capacity for the write now."""
    if operation != "TransactWriteItems":
        return refusal("ThrottlingException")(operation, send)
    reasons = [{"Code": "ThrottlingError"}, {"Code": "None"}]
    return refusal("TransactionCanceledException", CancellationReasons=reasons)(operation, send)


def lost_request(_operation: str, _send: Send) -> AWSResponse:
    """The request does not get there."""
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def lost_answer(_operation: str, send: Send) -> AWSResponse:
    """The request is carried out, and the answer does not come back."""
    send()
    raise ReadTimeoutError(endpoint_url="http://dynamodb")


def killed_before(_operation: str, _send: Send) -> AWSResponse:
    """The process ends before it sends the request."""
    raise Killed


def killed_after(_operation: str, send: Send) -> AWSResponse:
    """The process ends when the request is carried out."""
    send()
    raise Killed


class Network:
    """Lets the requests of a connection through, but for some that go wrong.

    Attributes
    ----------
    requests
        The operations asked for so far, repetitions by the SDK among them.
    faults
        What happens to the request of a position in ``requests``.
    next_writes
        What happens to the next writes, one after the other.
    every_write
        What happens to all other writes.
    every_request
        What happens to all others.
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
        """Let everything through from now on."""
        self._client.meta.events.unregister("before-send.dynamodb", self._hook)

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: object) -> AWSResponse | None:
        operation = event_name.rpartition(".")[2]
        fault = self.faults.get(len(self.requests))
        if operation in WRITES and fault is None:
            fault = self.next_writes.pop(0) if self.next_writes else self.every_write
        fault = fault or self.every_request
        self.requests.append(operation)
        return fault(operation, lambda: self._http.send(request)) if fault else None
