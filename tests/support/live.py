"""Live connections without WebSockets: API Gateway's management API on a local port, and its events."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from timer_core.store.connections import KEPT_S, Connection, ConnectionStore, session_credential

if TYPE_CHECKING:
    from timer_core.store.table import Table

ARN = "arn:aws:execute-api:us-east-1:123456789012:LiveApi/live/$connect"
_numbers = count(1)


def add_connection(
    table: Table, user_id: int, *, now_ms: int, credential: str = session_credential("other")
) -> Connection:
    """Store a connection of a person, and return it."""
    until_s = now_ms // 1000 + KEPT_S
    connection = Connection(now_ms, until_s, credential, f"connection-{next(_numbers)}=")
    ConnectionStore(table).add(user_id, connection)
    return connection


def connect_event(url: str, connection_id: str = "") -> dict[str, Any]:
    """Return the event of the authorizer when a browser opens the address of a ticket.

    Source: "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers" in API Gateway's guide.
    """
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return {
        "type": "REQUEST",
        "methodArn": ARN,
        "queryStringParameters": query or None,
        "requestContext": {
            "routeKey": "$connect",
            "eventType": "CONNECT",
            "connectionId": connection_id or f"connection-{next(_numbers)}=",
            "stage": "live",
        },
    }


def disconnect_event(response: dict[str, Any]) -> dict[str, Any]:
    """Return the event after the end of a connection, given the authorizer's response."""
    context = {"principalId": response["principalId"], **response["context"]}
    return {
        "requestContext": {
            "routeKey": "$disconnect",
            "eventType": "DISCONNECT",
            "connectionId": response["context"]["connection"].split(" ")[-1],
            "stage": "live",
            "authorizer": context,
        }
    }


@dataclass
class ManagementApi:
    """API Gateway's management API of connections, for connections of any id.

    Attributes
    ----------
    hints
        The ids of the connections to which hints were sent, in order.
    closed
        The ids of the connections that were closed. Further requests to them are refused, as in AWS.
    requests
        The number of all requests.
    status
        The status of the next responses; 200, unless a test makes the API fail.
    delay_s
        The time after which it responds.
    lost
        The number of the next requests whose connections it closes without a response.
    """

    hints: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    requests: int = 0
    status: int = 200
    delay_s: float = 0
    lost: int = 0

    def __enter__(self) -> Self:
        api = self

        class Handler(BaseHTTPRequestHandler):
            # HTTP/1.1 keeps connections open, as API Gateway does.
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.requests += 1
                body = self.rfile.read(int(self.headers["content-length"]))
                assert json.loads(body) == {"type": "changed"}
                if api.lost:
                    api.lost -= 1
                    self.close_connection = True
                    return
                self._answer(api.hints)

            def do_DELETE(self) -> None:
                api.requests += 1
                self._answer(api.closed)

            def _answer(self, done: list[str]) -> None:
                stage, kind, connection_id = self.path.strip("/").split("/", 2)
                assert (stage, kind) == ("live", "@connections")
                assert "/execute-api/aws4_request" in self.headers["authorization"]
                connection_id = unquote(connection_id)
                time.sleep(api.delay_s)
                status = 410 if connection_id in api.closed else api.status
                if status == 200:
                    done.append(connection_id)
                self.send_response(status)
                if status == 410:
                    self.send_header("x-amzn-ErrorType", "GoneException")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The endpoint of the stage."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/live"
