"""A receiver of outgoing webhooks: an HTTPS server on this machine, with its own authority."""

from __future__ import annotations

import ssl
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.aws_over_tls import make_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "hooks.example.com"


@dataclass(frozen=True)
class Received:
    """A request that the receiver has got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTPS server for the host name ``hooks.example.com``.

    Attributes
    ----------
    requests
        The requests, in order.
    names
        The names for which clients asked in TLS (SNI).
    status
        The status of the next responses.
    location
        Where the next responses redirect to; empty if they do not.
    drip_s
        The time between the bytes of the next responses (seconds).
    """

    requests: list[Received] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    status: int = 204
    location: str = ""
    drip_s: float = 0

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append(Received(self.path, headers, body))
                if receiver.drip_s:
                    self._drip()
                    return
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("location", receiver.location)
                self.send_header("content-length", "0")
                self.end_headers()

            def _drip(self) -> None:
                """Send a response that never ends."""
                try:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
                    for _ in range(600):
                        self.wfile.write(b"a")
                        time.sleep(receiver.drip_s)
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Write no log."""

        self._folder = tempfile.TemporaryDirectory()
        self._root, server = Path(self._folder.name, "root.pem"), Path(self._folder.name, "server.pem")
        make_certificates(self._root, server, NAME)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()

    @property
    def port(self) -> int:
        """The port, on 127.0.0.1."""
        port: int = self._server.server_address[1]
        return port

    def trusted(self) -> ssl.SSLContext:
        """Return a client's TLS context that trusts the receiver's authority."""
        return ssl.create_default_context(cafile=self._root)
