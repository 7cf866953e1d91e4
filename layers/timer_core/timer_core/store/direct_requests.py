"""Requests to DynamoDB that skip most of botocore's layers.

Much of a request's processor time is spent on botocore's events, headers, and response parser, which looks up
the type of each value in AWS's model, although DynamoDB's JSON states it. So the first attempt is signed
and sent directly. After an unusual response, botocore makes the request again in its own way, with its
retries.
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
from botocore.exceptions import HTTPClientError
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


def send_directly(client: Any) -> None:
    """Make botocore's client of DynamoDB send the first attempt of each request directly."""
    http, events = client._endpoint.http_session, client.meta.events

    def send(
        model: "OperationModel", params: dict[str, Any], request_signer: "RequestSigner", **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Return the response, or None if botocore has to make the request."""
        request = AWSRequest("POST", params["url"], params["headers"], params["body"])
        auth = request_signer.get_auth_instance(request_signer.signing_name, request_signer.region_name)
        auth.add_auth(request)
        prepared = request.prepare()
        try:
            replaced = events.emit(f"before-send.dynamodb.{model.name}", request=prepared)
            response: AWSResponse = first_non_none_response(replaced) or http.send(prepared)
        except (HTTPClientError, NoConnection):
            return None
        parsed = parse(response)
        if parsed is None:
            time.sleep(random.uniform(0, _LONGEST_WAIT_S))  # noqa: S311 - not for secrets
            return None
        return response, parsed

    # The event lets a handler respond in place of botocore.
    client.meta.events.register("before-call.dynamodb", send, unique_id="send-directly")


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


def _decode_binary(value: dict[str, Any]) -> dict[str, Any]:
    """Decode a binary value or set. Attributes with the same names have dictionaries as values."""
    if isinstance(encoded := value.get("B"), str):
        return {"B": base64.b64decode(encoded)}
    if isinstance(encoded := value.get("BS"), list):
        return {"BS": [base64.b64decode(element) for element in encoded]}
    return value
