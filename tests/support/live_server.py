"""A server of live connections, on this machine."""

from __future__ import annotations

import json
import time
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route
    from websockets.sync.server import ServerConnection

PING_AFTER_S, RENEW_AFTER_S = 540, 6_900


class LiveServer:
    """A context manager that accepts connections, and sends hints when a test wants it to.

    Attributes
    ----------
    accepted
        The number of connections since the server was started.
    pings
        The number of pings, which it answers.
    tickets
        The headers of the requests for a ticket.
    status
        The status of the responses to these requests.
    """

    def __init__(self) -> None:
        self.accepted = self.pings = 0
        self.tickets: list[dict[str, str]] = []
        self.status = 200
        self._open: set[ServerConnection] = set()
        self._server = serve(self._handle, "127.0.0.1", 0)
        self._port: int = self._server.socket.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()

    def issue_tickets(self, target: BrowserContext | Page) -> None:
        """Answer the requests for tickets of a browser or a page."""
        target.route("**/api/live/ticket/", self._issue)

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    def expect_connections(self, page: Page, count: int, seconds: float = 30) -> None:
        """Wait until a number of connections is open, while a page's requests are answered."""
        deadline = time.monotonic() + seconds
        while self.connections != count:
            assert time.monotonic() < deadline, f"{self.connections} connections, expected {count}"
            page.wait_for_timeout(50)

    def hint(self) -> None:
        """Send a hint over all connections."""
        for connection in list(self._open):
            connection.send(json.dumps({"type": "changed"}))

    def close_all(self, code: int = 1001) -> None:
        """Close all connections."""
        for connection in list(self._open):
            connection.close(code)

    def _issue(self, route: Route) -> None:
        headers = route.request.all_headers()
        self.tickets.append(headers)
        ticket: dict[str, Any] = {
            "url": f"ws://127.0.0.1:{self._port}/live?ticket={len(self.tickets)}",
            "expires_in": 60,
            "ping_after": PING_AFTER_S,
            "renew_after": RENEW_AFTER_S,
        }
        allowed = {"Access-Control-Allow-Origin": headers.get("origin", "*")}
        route.fulfill(status=self.status, json=ticket if self.status == 200 else {}, headers=allowed)

    def _handle(self, connection: ServerConnection) -> None:
        self.accepted += 1
        self._open.add(connection)
        try:
            for message in connection:
                assert json.loads(message) == {"type": "ping"}
                self.pings += 1
                connection.send(json.dumps({"type": "pong"}))
        except ConnectionClosed:
            pass
        finally:
            self._open.discard(connection)
