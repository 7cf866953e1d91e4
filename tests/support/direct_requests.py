"""Requests to DynamoDB Local without botocore, for tests that make tens of thousands of them.

botocore signs each request, emits events and parses the response with AWS's model; that takes four times as
long as DynamoDB Local's answer. The requests and the answers are the same.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.client import BaseClient
from botocore.exceptions import ClientError

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


def send_directly(patch: pytest.MonkeyPatch) -> None:
    """Send the requests of all DynamoDB clients directly; the policies of template.yaml still apply."""
    send = vars(BaseClient)["_make_api_call"]
    local = threading.local()

    def make_call(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name != "dynamodb" or operation not in _OPERATIONS:
            return send(client, operation, parameters)
        guard.check("dynamodb", operation, parameters)
        address = urlsplit(client.meta.endpoint_url)
        connections: dict[str, socket.socket] = vars(local).setdefault("connections", {})
        if address.netloc not in connections:
            connections[address.netloc] = socket.create_connection((address.hostname, address.port))
        return _send(connections[address.netloc], operation, parameters)

    patch.setattr(BaseClient, "_make_api_call", make_call)


def _send(connection: socket.socket, operation: str, parameters: Any) -> Any:
    body = json.dumps(parameters, default=_encoded).encode()
    # One packet has the head and the body, so the server wakes up once.
    connection.sendall((_HEAD % (operation, len(body))).encode() + body)
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    document: dict[str, Any] = json.loads(response.read(), object_hook=_decoded)
    if response.status == http.HTTPStatus.OK:
        return document
    code, message = document["__type"].rpartition("#")[2], document.get("message", "")
    raise ClientError(document | {"Error": {"Code": code, "Message": message}}, operation)  # type: ignore[arg-type]


def _encoded(value: Any) -> str:
    """Return binary data as in DynamoDB's JSON."""
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()


def _decoded(value: dict[str, Any]) -> dict[str, Any]:
    """Convert a binary attribute value; a map has attribute values as its values."""
    content = value.get("B")
    return {"B": base64.b64decode(content)} if isinstance(content, str) else value
