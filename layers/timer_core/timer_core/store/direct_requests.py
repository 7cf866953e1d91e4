"""Requests to DynamoDB that skip most of botocore's layers.

Much of a request's processor time is spent on botocore's rules for endpoints, its types of values, events,
headers, and connections' settings, which are the same for each request, or which DynamoDB's JSON states. So
the first attempt is signed and sent directly. After an unusual response, botocore makes the request again in
its own way, with its retries.
"""

import base64
import hmac
import json
import random
import time
from binascii import crc32
from collections.abc import Mapping
from functools import cache, lru_cache
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError
from botocore.hooks import first_non_none_response
from urllib3.exceptions import HTTPError

from timer_core.store.throttling import count_throttled

if TYPE_CHECKING:
    from botocore.compat import HTTPHeaders
    from botocore.credentials import ReadOnlyCredentials
    from botocore.model import OperationModel
    from botocore.signers import RequestSigner
    from urllib3 import HTTPConnectionPool

# Expected refusals of writes. botocore would not repeat these requests either.
_REFUSALS = {
    "ConditionalCheckFailedException",
    "TransactionCanceledException",
    "TransactionConflictException",
}
# The longest wait before botocore repeats the request of an error response, as in its own first wait.
_LONGEST_WAIT_S = 0.05
# Headers that botocore does not sign either, because proxies may change them.
_UNSIGNED = {"user-agent", "x-amzn-trace-id"}


class Response(NamedTuple):
    """A response, with the attributes of botocore's that are used here."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


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
    events = client.meta.events
    # The rules would find the same address for each request.
    client._ruleset_resolver = None
    client._serializer = _Serializer()

    @cache
    def connections(url: str) -> "tuple[HTTPConnectionPool, str]":
        return _connections(client._endpoint.http_session, url)

    def send(
        model: "OperationModel", params: dict[str, Any], request_signer: "RequestSigner", **_: Any
    ) -> tuple[AWSResponse | Response, dict[str, Any]] | None:
        """Return the response, or None if botocore has to make the request."""
        auth = request_signer.get_auth_instance(request_signer.signing_name, request_signer.region_name)
        if auth.credentials is None:
            return None
        url, body = params["url"], params["body"]
        headers = sign(url, params["headers"], body, auth.credentials, request_signer.region_name)
        # The type that botocore declares is one of several that it accepts.
        request = AWSPreparedRequest("POST", url, cast("HTTPHeaders", headers), body, stream_output=False)
        response: AWSResponse | Response | None
        try:
            replaced = events.emit(f"before-send.dynamodb.{model.name}", request=request)
            response = first_non_none_response(replaced)
            if response is None:
                pool, target = connections(url)
                sent = pool.urlopen(
                    "POST", target, body, headers, retries=False, assert_same_host=False, decode_content=False
                )
                response = Response(sent.status, sent.headers, sent.data)
        except (HTTPError, HTTPClientError, NoConnection):
            return None
        parsed = parse(response)
        if parsed is None:
            time.sleep(random.uniform(0, _LONGEST_WAIT_S))  # noqa: S311 - not for secrets
            return None
        return response, parsed

    # The event lets a handler respond in place of botocore.
    events.register("before-call.dynamodb", send, unique_id="send-directly")


def _connections(http: Any, url: str) -> "tuple[HTTPConnectionPool, str]":
    """Return botocore's connections for an address, with its proxy and certificates, and the target there."""
    proxy = http._proxy_config.proxy_url_for(url)
    pool: HTTPConnectionPool = http._get_connection_manager(url, proxy).connection_from_url(url)
    http._setup_ssl_cert(pool, url, http._verify)
    return pool, http._get_request_target(url, proxy)


def sign(
    url: str, headers: Mapping[str, str], body: bytes, credentials: "ReadOnlyCredentials", region: str
) -> dict[str, str]:
    """Return the headers of a POST request to the root, with its signature.

    Source: AWS, "Create a signed AWS API request" (Signature Version 4).
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    added = {"Host": urlsplit(url).netloc, "X-Amz-Date": moment}
    if credentials.token:
        added["X-Amz-Security-Token"] = credentials.token
    complete = {**headers, **added}
    signed = sorted(
        (name, value) for key, value in complete.items() if (name := key.lower()) not in _UNSIGNED
    )
    names = ";".join(name for name, _ in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    canonical = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/dynamodb/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = _hmac(_signing_key(credentials.secret_key, scope), text).hex()
    complete["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return complete


@lru_cache(maxsize=1)
def _signing_key(secret: str, scope: str) -> bytes:
    """Return the key of a day."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def parse(response: AWSResponse | Response) -> dict[str, Any] | None:
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
