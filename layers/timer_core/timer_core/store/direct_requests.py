"""Requests to DynamoDB that skip most of botocore's layers.

Much of a request's processor time is spent on botocore's rules for endpoints, its types of values, and its
events, which find the same for each request, or what DynamoDB's JSON states. So botocore only signs the first
attempt and sends it. After an unusual response, botocore makes the request again in
its own way, with its retries.
"""

import base64
import json
import random
import time
from binascii import crc32
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError, NoCredentialsError
from botocore.hooks import first_non_none_response

from timer_core.store.throttling import count_throttled

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from botocore.signers import RequestSigner

# Expected refusals of writes. botocore would not repeat these requests either.
_REFUSALS = {
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "TransactionConflictException",
}
# The longest wait before botocore repeats the request of an error response, as in its own first wait.
_LONGEST_WAIT_S = 0.05


class _Serializer:
    """Takes the parameters of a request as its JSON. Only binary values differ."""

    def serialize_to_request(self, parameters: dict[str, Any], model: "OperationModel") -> dict[str, Any]:
        return {
            "method": "POST",
            "url_path": "/",
            "query_string": "",
            "headers": {
                "X-Amz-Target": f"{model.metadata['targetPrefix']}.{model.name}",
                "Content-Type": f"application/x-amz-json-{model.metadata['jsonVersion']}",
            },
            "body": json.dumps(parameters, default=_encode_binary).encode(),
        }


def send_directly(client: Any) -> None:
    """Make botocore's client of DynamoDB send the first attempt of each request directly."""
    http, events = client._endpoint.http_session, client.meta.events
    # The rules would find the same address for each request.
    client._ruleset_resolver = None
    client._serializer = _Serializer()

    def send(
        model: "OperationModel", params: dict[str, Any], request_signer: "RequestSigner", **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Return the response, or None if botocore has to make the request."""
        auth = request_signer.get_auth_instance(request_signer.signing_name, request_signer.region_name)
        request = AWSRequest("POST", params["url"], params["headers"], params["body"])
        try:
            auth.add_auth(request)
            prepared = request.prepare()
            replaced = events.emit(f"before-send.dynamodb.{model.name}", request=prepared)
            response: AWSResponse = first_non_none_response(replaced) or http.send(prepared)
        except (HTTPClientError, NoConnection, NoCredentialsError):
            return None
        parsed = parse(response)
        if parsed is None:
            time.sleep(random.uniform(0, _LONGEST_WAIT_S))  # noqa: S311 - not for secrets
            return None
        return response, parsed

    # The event lets a handler respond in place of botocore.
    events.register("before-call.dynamodb", send, unique_id="send-directly")


def parse(response: AWSResponse) -> dict[str, Any] | None:
    """Return the result that botocore would return; None if the request has to be repeated.

    DynamoDB sends a checksum with each response, which botocore checks too.
    """
    content = response.content
    checksum = response.headers.get("x-amz-crc32")
    if checksum is not None and int(checksum) != crc32(content):
        return None
    has_binary = b'"B":' in content or b'"BS":' in content
    try:
        parsed: dict[str, Any] = json.loads(content, object_hook=_decode_binary if has_binary else None)
    except ValueError:
        return None
    code = ""
    if response.status_code != HTTPStatus.OK:
        code = str(parsed.pop("__type", "")).rpartition("#")[2]
        parsed["Error"] = {"Code": code, "Message": parsed.get("message") or parsed.get("Message", "")}
    count_throttled(parsed)
    if response.status_code != HTTPStatus.OK and code not in _REFUSALS:
        return None
    parsed["ResponseMetadata"] = {
        "RequestId": response.headers.get("x-amzn-RequestId"),
        "HTTPStatusCode": response.status_code,
    }
    return parsed


def _encode_binary(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form in DynamoDB's JSON.")


def _decode_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary value or set. Attributes with the same names have dictionaries as values."""
    if isinstance(encoded := value.get("B"), str):
        return {"B": base64.b64decode(encoded)}
    if isinstance(encoded := value.get("BS"), list):
        return {"BS": [base64.b64decode(element) for element in encoded]}
    return value
