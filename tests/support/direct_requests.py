"""Requests to DynamoDB without botocore, for tests that make thousands of them.

botocore signs each request, emits events, and parses the response with AWS's model; that takes four times as
long as DynamoDB Local's answer. The requests and the answers are the same. botocore still validates
parameters, once for each combination of an operation and its parameters' names.
"""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

from botocore.client import BaseClient
from botocore.validate import validate_parameters

from tests.support.connection import REGION
from tests.support.permissions import guard

if TYPE_CHECKING:
    import pytest

_OPERATIONS = {
    "BatchGetItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactWriteItems",
    "UpdateItem",
}
# DynamoDB Local reads the access key and the region, and does not check the signature.
_HEAD = f"""\
POST / HTTP/1.1\r
Host: localhost\r
Authorization: AWS4-HMAC-SHA256 Credential=testing/20260101/{REGION}/dynamodb/aws4_request, \
SignedHeaders=host, Signature=0\r
Content-Type: application/x-amz-json-1.0\r
X-Amz-Target: DynamoDB_20120810.%s\r
Content-Length: %d\r
\r
"""
# The idle connections to each host and port, which all threads share.
_idle: dict[str, list[socket.socket]] = {}
# Clients whose requests are sent by botocore, because tests use the clients' events.
botocore_clients: WeakSet[Any] = WeakSet()
_validated: set[tuple[str, frozenset[str]]] = set()


def send_directly(patch: pytest.MonkeyPatch) -> None:
    """Send the requests to local DynamoDBs directly; the policies of template.yaml still apply."""
    call_with_botocore = vars(BaseClient)["_make_api_call"]

    def make_call(client: Any, operation: str, parameters: Any) -> Any:
        if (
            operation not in _OPERATIONS
            or not client.meta.endpoint_url.startswith("http://127.0.0.1:")
            or client.meta.service_model.service_name != "dynamodb"
            or client in botocore_clients
        ):
            return call_with_botocore(client, operation, parameters)
        guard.check("dynamodb", operation, parameters)
        _validate(client, operation, parameters)
        status, document = send(client.meta.endpoint_url, operation, parameters)
        if status == http.HTTPStatus.OK:
            return document
        code, message = document["__type"].rpartition("#")[2], document.get("message", "")
        error = client.exceptions.from_code(code)
        raise error(document | {"Error": {"Code": code, "Message": message}}, operation)

    patch.setattr(BaseClient, "_make_api_call", make_call)


def send(endpoint_url: str, operation: str, parameters: Any) -> tuple[int, dict[str, Any]]:
    """Send a request, and return the status and the document of the response."""
    body = json.dumps(parameters, default=_encoded).encode()
    connection = _connection(endpoint_url)
    try:
        # One packet has the head and the body, so the server wakes up once.
        connection.sendall((_HEAD % (operation, len(body))).encode() + body)
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        document = json.loads(response.read(), object_hook=_decoded)
    except BaseException:
        connection.close()
        raise
    _idle[endpoint_url].append(connection)
    return response.status, document


def _connection(endpoint_url: str) -> socket.socket:
    idle = _idle.setdefault(endpoint_url, [])
    while idle:
        try:
            connection = idle.pop()
        except IndexError:
            # Another thread was faster.
            break
        # An idle connection is readable only if the server has closed it.
        if not select.select([connection], [], [], 0)[0]:
            return connection
        connection.close()
    address = urlsplit(endpoint_url)
    return socket.create_connection((address.hostname, address.port))


def _validate(client: Any, operation: str, parameters: Any) -> None:
    names = operation, frozenset(parameters)
    if names not in _validated:
        validate_parameters(parameters, client.meta.service_model.operation_model(operation).input_shape)
        _validated.add(names)


def _encoded(value: Any) -> str:
    """Return binary data as in DynamoDB's JSON."""
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """Convert a binary attribute value; a map has attribute values as its values."""
    content = value.get("B")
    return {"B": base64.b64decode(content)} if isinstance(content, str) else value
