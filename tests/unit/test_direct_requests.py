"""Requests to DynamoDB that are sent directly have the results of botocore's requests."""

import base64
import io
import json
import socket
import threading
from binascii import crc32
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.connection import REGION
from timer_core.store import direct_requests
from timer_core.store.direct_requests import parse, send_directly

Reply: TypeAlias = AWSResponse | Exception
Request: TypeAlias = tuple[str, dict[str, Any]]
_GET: Request = ("GetItem", {"TableName": "t", "Key": {"pk": {"S": "a"}}})
_PUT: Request = ("PutItem", {"TableName": "t", "Item": {"pk": {"S": "a"}, "content": {"B": b"\x00\xff"}}})
_TRANSACT: Request = ("TransactWriteItems", {"TransactItems": [{"Put": _PUT[1]}, {"Put": _PUT[1]}]})


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def reply(document: Any, status: int = 200, *, content: bytes | None = None) -> AWSResponse:
    """Return a response with DynamoDB's headers; its checksum is that of the document."""
    whole = json.dumps(document).encode()
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amzn-requestid": "REQUEST",
        "x-amz-crc32": str(crc32(whole)),
    }
    body = _Body(whole if content is None else content)
    return AWSResponse("http://dynamodb", status, HTTPHeaders.from_dict(headers), body)


def refusal(code: str, status: int = 400, **members: Any) -> AWSResponse:
    return reply({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": code, **members}, status)


def _client(
    *,
    attempts: int,
    endpoint_url: str | None = None,
    credentials: tuple[str, str, str | None] = ("key", "secret", "token"),
) -> Any:
    session = botocore.session.get_session()
    session.set_credentials(*credentials)
    config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": attempts})
    return session.create_client("dynamodb", REGION, config=config, endpoint_url=endpoint_url)


class Caller:
    """A client whose requests are answered with prepared replies.

    Attributes
    ----------
    sent
        The requests that the client has sent.
    """

    def __init__(self, *, attempts: int, direct: bool, **options: Any) -> None:
        self._client = _client(attempts=attempts, **options)
        self._client.meta.events.register("before-send.dynamodb", self._answer)
        if direct:
            send_directly(self._client)
        self._replies: list[Reply] = []
        self.sent: list[AWSPreparedRequest] = []

    def call(self, request: Request, replies: Sequence[Callable[[], Reply]]) -> Any:
        """Return the result of a request; the response of the error if it fails."""
        self._replies, self.sent = [make() for make in replies], []
        try:
            return self._client._make_api_call(*request)
        except ClientError as error:
            return type(error).__name__, error.operation_name, dict(error.response)

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        self.sent.append(request)
        answer = self._replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(scope="module")
def plain() -> Caller:
    return Caller(attempts=3, direct=False)


@pytest.fixture(scope="module")
def direct() -> Caller:
    return Caller(attempts=2, direct=True)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which take no time."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def without_metadata(result: Any) -> Any:
    """Return a result without the headers of the response, and check its other metadata."""
    metadata = result.pop("ResponseMetadata")
    assert (metadata["RequestId"], metadata["HTTPStatusCode"]) == ("REQUEST", 200)
    return result


_BINARY = st.binary(max_size=20).map(lambda content: base64.b64encode(content).decode())
_NUMBER = st.one_of(st.integers(-(10**37), 10**37), st.decimals(allow_nan=False, allow_infinity=False)).map(
    str
)
_SCALAR = st.one_of(
    st.builds(lambda text: {"S": text}, st.text()),
    st.builds(lambda number: {"N": number}, _NUMBER),
    st.builds(lambda content: {"B": content}, _BINARY),
    st.builds(lambda value: {"BOOL": value}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda texts: {"SS": texts}, st.lists(st.text(), min_size=1)),
    st.builds(lambda numbers: {"NS": numbers}, st.lists(_NUMBER, min_size=1)),
    st.builds(lambda contents: {"BS": contents}, st.lists(_BINARY, min_size=1)),
)
# Attributes may have the names of types.
_NAME = st.one_of(st.sampled_from(["S", "N", "B", "BS", "M", "L", "NULL"]), st.text(min_size=1))
_VALUE = st.recursive(
    _SCALAR,
    lambda values: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(values, max_size=3)),
        st.builds(lambda members: {"M": members}, st.dictionaries(_NAME, values, max_size=3)),
    ),
    max_leaves=8,
)
_ITEM = st.dictionaries(_NAME, _VALUE, max_size=5)
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestSuccess:
    @_UNTIMED
    @given(_ITEM)
    def test_items_are_equal(self, plain: Caller, direct: Caller, item: dict[str, Any]) -> None:
        documents = {
            "GetItem": {"Item": item},
            "Query": {"Items": [item, item], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": item},
            "BatchGetItem": {
                "Responses": {"B": [item]},
                "UnprocessedKeys": {"B": {"Keys": [item], "ConsistentRead": True}},
            },
            "UpdateItem": {"Attributes": item},
            "TransactWriteItems": {},
        }
        parameters: dict[str, dict[str, Any]] = {
            "BatchGetItem": {"RequestItems": {}},
            "TransactWriteItems": {"TransactItems": []},
        }
        for operation, document in documents.items():
            request = operation, parameters.get(operation, {"TableName": "t"})
            replies = [partial(reply, document)]
            expected, found = (caller.call(request, replies) for caller in (plain, direct))
            assert without_metadata(found) == without_metadata(expected)

    def test_the_request_is_equal(self, plain: Caller, direct: Caller) -> None:
        for caller in (plain, direct):
            caller.call(_PUT, [lambda: reply({})])
        (expected,), (found,) = plain.sent, direct.sent
        assert (found.method, found.url, found.body) == (expected.method, expected.url, expected.body)
        assert b"AP8=" in cast("bytes", found.body)
        for name in ("X-Amz-Target", "Content-Type", "X-Amz-Security-Token"):
            assert _text(found.headers[name]) == _text(expected.headers[name])
        assert "/dynamodb/aws4_request" in _text(found.headers["Authorization"])

    @pytest.mark.parametrize("endpoint_url", [None, "http://localhost:8000"])
    @pytest.mark.parametrize("token", [None, "token"])
    def test_the_signature_is_that_of_botocore(
        self, monkeypatch: pytest.MonkeyPatch, token: str | None, endpoint_url: str | None
    ) -> None:
        for day, secret in ((1, "one"), (2, "one"), (2, "another"), (1, "one")):
            now = datetime(2026, 1, day, 23, 59, 59, tzinfo=UTC)
            monkeypatch.setattr("botocore.auth.get_current_datetime", lambda now=now: now)
            credentials = ("key", secret, token)
            caller = Caller(attempts=1, direct=True, endpoint_url=endpoint_url, credentials=credentials)
            caller.call(_PUT, [lambda: reply({})])
            (sent,) = caller.sent
            unsigned = {name: sent.headers[name] for name in ("X-Amz-Target", "Content-Type", "User-Agent")}
            expected = AWSRequest("POST", sent.url, unsigned, sent.body)
            SigV4Auth(ReadOnlyCredentials(*credentials), "dynamodb", REGION).add_auth(expected)
            host = {"Host": urlsplit(sent.url).netloc}
            assert dict(sent.headers.items()) == dict(expected.headers.items()) | host

    @_UNTIMED
    @given(_ITEM)
    def test_items_are_sent_equally(self, plain: Caller, direct: Caller, item: dict[str, Any]) -> None:
        written = parse(reply({"Item": item}))
        assert written is not None
        for caller in (plain, direct):
            caller.call(("PutItem", {"TableName": "t", "Item": written["Item"]}), [lambda: reply({})])
        assert direct.sent[0].body == plain.sent[0].body

    def test_all_attempts_of_a_transaction_have_the_same_token(self, direct: Caller) -> None:
        """The second attempt has no effect if the first one succeeded (AWS, "TransactWriteItems")."""
        direct.call(_TRANSACT, [_FAULTS["timeout"], _FAULTS["internal"], lambda: reply({})])
        tokens = {json.loads(cast("bytes", sent.body))["ClientRequestToken"] for sent in direct.sent}
        assert len(direct.sent) == 3
        assert len(tokens) == 1


class TestConnections:
    def test_are_reused_and_replaced(self) -> None:
        connections = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                connections.append(self.client_address)
                request = json.loads(self.rfile.read(int(self.headers["content-length"])))
                document = json.dumps({"Item": request["Key"]}).encode()
                # The third response ends early, and with it the connection.
                self.close_connection = len(connections) == 3
                self.send_response(200)
                self.send_header("x-amz-crc32", str(crc32(document)))
                self.send_header("content-length", str(len(document)))
                self.end_headers()
                self.wfile.write(document[: -5 if self.close_connection else None])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Log nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            client = _client(attempts=2, endpoint_url=f"http://127.0.0.1:{server.server_port}")
            send_directly(client)
            for _ in range(4):
                assert client._make_api_call(*_GET)["Item"] == _GET[1]["Key"]
            client.close()
            server.shutdown()
        assert len(connections) == 5
        assert connections[0] == connections[1] == connections[2] != connections[3]
        assert connections[3] == connections[4]

    def test_errors_are_those_of_botocore(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        client = _client(attempts=2, endpoint_url=f"http://127.0.0.1:{port}")
        send_directly(client)
        with pytest.raises(EndpointConnectionError):
            client._make_api_call(*_GET)


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_", "refused"),
        [
            (_PUT, lambda: refusal("ConditionalCheckFailedException")),
            (
                _PUT,
                lambda: refusal("ConditionalCheckFailedException", Item={"b": {"B": "AP8="}}),
            ),
            (_PUT, lambda: refusal("TransactionConflictException")),
            (
                _TRANSACT,
                lambda: refusal(
                    "TransactionCanceledException",
                    CancellationReasons=[
                        {"Code": "None"},
                        {"Code": "ConditionalCheckFailed", "Item": {"b": {"B": "AP8="}}, "Message": "Failed"},
                    ],
                ),
            ),
            (
                _TRANSACT,
                lambda: refusal(
                    "TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}]
                ),
            ),
        ],
        ids=["condition", "condition-item", "conflict", "transaction", "transaction-throttled"],
    )
    def test_are_equal_and_not_repeated(
        self,
        plain: Caller,
        direct: Caller,
        request_: Request,
        refused: Callable[[], AWSResponse],
    ) -> None:
        expected, found = plain.call(request_, [refused]), direct.call(request_, [refused])
        assert len(direct.sent) == 1
        (*kind, response), (*expected_kind, expected_response) = found, expected
        assert kind == expected_kind
        for name in ("Error", "Item", "CancellationReasons"):
            assert response.get(name) == expected_response.get(name)


_DOCUMENT = {"Item": {"n": {"N": "1"}}}
_FAULTS: dict[str, Callable[[], Reply]] = {
    "throttled": lambda: refusal("ThrottlingException"),
    "throughput": lambda: refusal("ProvisionedThroughputExceededException"),
    "internal": lambda: refusal("InternalServerError", 500),
    "unavailable": lambda: reply({}, 503, content=b"<html>Service Unavailable</html>"),
    "truncated": lambda: reply(_DOCUMENT, content=json.dumps(_DOCUMENT).encode()[:-4]),
    "checksum": lambda: reply(_DOCUMENT, content=json.dumps({"Item": {"n": {"N": "2"}}}).encode()),
    "no-connection": lambda: EndpointConnectionError(endpoint_url="http://dynamodb"),
    "no-connection-in-time": lambda: ConnectTimeoutError(endpoint_url="http://dynamodb"),
    "timeout": lambda: ReadTimeoutError(endpoint_url="http://dynamodb"),
    "closed": lambda: ConnectionClosedError(endpoint_url="http://dynamodb"),
}


class TestFaults:
    @pytest.mark.parametrize("fault", _FAULTS.values(), ids=_FAULTS)
    @pytest.mark.parametrize("times", [1, 2])
    def test_are_repeated(self, direct: Caller, fault: Callable[[], Reply], times: int) -> None:
        result = direct.call(_GET, [fault] * times + [lambda: reply(_DOCUMENT)])
        assert result["Item"] == _DOCUMENT["Item"]
        assert len(direct.sent) == times + 1
        assert {_text(request.headers["X-Amz-Target"]) for request in direct.sent} == {
            "DynamoDB_20120810.GetItem"
        }

    @pytest.mark.parametrize(
        "content",
        [b"[]", b"null", b'"Service Unavailable"', b'{"Item":' * 100_000],
        ids=["list", "null", "text", "deep"],
    )
    @pytest.mark.parametrize("status", [200, 500])
    def test_a_document_of_another_form_is_requested_again(
        self, direct: Caller, content: bytes, status: int
    ) -> None:
        def other() -> AWSResponse:
            response = reply({}, status, content=content)
            response.headers["x-amz-crc32"] = str(crc32(content))
            return response

        assert direct.call(_GET, [other, lambda: reply(_DOCUMENT)])["Item"] == _DOCUMENT["Item"]

    @pytest.mark.parametrize("checksum", ["", "abc"])
    def test_a_response_without_a_valid_checksum_is_requested_again(
        self, direct: Caller, checksum: str
    ) -> None:
        def other() -> AWSResponse:
            response = reply({})
            response.headers["x-amz-crc32"] = checksum
            return response

        assert direct.call(_GET, [other, lambda: reply(_DOCUMENT)])["Item"] == _DOCUMENT["Item"]

    @pytest.mark.parametrize("name", ["throttled", "internal"])
    def test_are_errors_after_three_attempts(self, plain: Caller, direct: Caller, name: str) -> None:
        expected, found = (caller.call(_GET, [_FAULTS[name]] * 3) for caller in (plain, direct))
        assert len(direct.sent) == len(plain.sent) == 3
        assert found[0] == expected[0]
        assert found[2]["Error"] == expected[2]["Error"]

    def test_are_repeated_after_a_wait(self, direct: Caller, waits: list[float]) -> None:
        direct.call(_GET, [_FAULTS["throttled"], lambda: reply(_DOCUMENT)])
        assert len(waits) == 1
        assert waits[0] <= direct_requests._LONGEST_WAIT_S

    def test_a_lost_connection_is_replaced_at_once(self, direct: Caller, waits: list[float]) -> None:
        direct.call(_GET, [_FAULTS["closed"], lambda: reply(_DOCUMENT)])
        assert waits == []

    def test_other_errors_are_those_of_botocore(self, plain: Caller, direct: Caller) -> None:
        invalid = [lambda: refusal("ValidationException")]
        expected, found = plain.call(_GET, invalid), direct.call(_GET, invalid * 2)
        assert found[:2] == expected[:2]
        assert found[2]["Error"] == expected[2]["Error"]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
