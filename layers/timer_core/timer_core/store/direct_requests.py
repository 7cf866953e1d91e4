"""Requests to DynamoDB that skip most of botocore's layers.

Much of a request's processor time is spent on botocore's rules for endpoints, its types of values, its
headers, and the settings of its connections, which are the same for each request, or which DynamoDB's JSON
states. So botocore only signs the first attempt, and one of its connections sends it. After an unusual
response, botocore makes the request again in its own way, with its retries.
"""

import base64
import json
import random
import time
from binascii import crc32
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError, NoCredentialsError
from botocore.hooks import first_non_none_response
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from timer_core.store.throttling import count_throttled

if TYPE_CHECKING:
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
_NO_RETRIES = Retry(False)


class Response(NamedTuple):
    """A response, with the attributes of botocore's that are used here."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _Request(AWSPreparedRequest):
    """A request that can be signed as it is sent. Its URL has no query."""

    params = None


class _SignedHeaders(dict[str, str]):
    """Headers by their names, as botocore's signer reads them."""

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [self[name]]


class _Signer(SigV4Auth):
    """botocore's signer of requests that name each header once, and name the host."""

    # The four keys from which botocore derives the last one are the same for each request of a day.
    _sign = staticmethod(lru_cache(maxsize=16)(partial(SigV4Auth._sign, None)))  # type: ignore[attr-defined]

    # The types that botocore declares are those of email messages, which take ten times as long.
    def headers_to_sign(self, request: Any) -> Any:
        """Return the headers without those that proxies may change."""
        headers = ((name.lower(), value) for name, value in request.headers.items())
        return _SignedHeaders(header for header in headers if header[0] not in SIGNED_HEADERS_BLACKLIST)


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
        service, region = request_signer.signing_name, request_signer.region_name
        credentials = request_signer.get_auth_instance(service, region).credentials
        url, body = params["url"], params["body"]
        headers: Any = {"Host": urlsplit(url).netloc, **params["headers"]}
        request: Any = _Request("POST", url, headers, body, stream_output=False, context={})
        try:
            _Signer(credentials, service, region).add_auth(request)
            replaced = events.emit(f"before-send.dynamodb.{model.name}", request=request)
            response = first_non_none_response(replaced) or _send(request, *connections(url))
        except (HTTPError, HTTPClientError, NoConnection, NoCredentialsError):
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


def _send(request: Any, pool: "HTTPConnectionPool", target: str) -> Response:
    sent = pool.urlopen(
        "POST",
        target,
        request.body,
        request.headers,
        _NO_RETRIES,
        assert_same_host=False,
        decode_content=False,
    )
    return Response(sent.status, sent.headers, sent.data)


def parse(response: AWSResponse | Response) -> dict[str, Any] | None:
    """Return the result that botocore would return; None if the request has to be repeated.

    DynamoDB sends a checksum with each response, which botocore checks too.
    """
    content = response.content
    checksum = response.headers.get("x-amz-crc32")
    has_binary = b'"B":' in content or b'"BS":' in content
    try:
        if checksum is not None and int(checksum) != crc32(content):
            return None
        parsed = json.loads(content, object_hook=_decode_binary if has_binary else None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
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
