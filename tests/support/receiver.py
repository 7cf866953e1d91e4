"""Receivers of outgoing webhooks on this machine: one with HTTPS and its own authority, and one without."""

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


class _Handler(BaseHTTPRequestHandler):
    """Keeps the requests in the receiver of its server, and responds as that says."""

    receiver: LocalReceiver

    def do_POST(self) -> None:
        """Keep a request, and respond."""
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.receiver.requests.append(Received(self.path, headers, body))
        if self.receiver.drip_s:
            self._drip()
            return
        self.send_response(self.receiver.status)
        if self.receiver.location:
            self.send_header("location", self.receiver.location)
        self.send_header("content-length", "0")
        self.end_headers()

    def _drip(self) -> None:
        """Send a response that never ends."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            for _ in range(600):
                self.wfile.write(b"a")
                time.sleep(self.receiver.drip_s)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Write no log."""


@dataclass
class LocalReceiver:
    """An HTTP server, to which notifications may be sent from the local stack.

    Attributes
    ----------
    requests
        The requests, in order.
    status
        The status of the next responses.
    location
        Where the next responses redirect to; empty if they do not.
    drip_s
        The time between the bytes of the next responses (seconds).
    """

    requests: list[Received] = field(default_factory=list)
    status: int = 204
    location: str = ""
    drip_s: float = 0

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._prepare(self._server)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def _prepare(self, server: ThreadingHTTPServer) -> None:
        """Change the server before it begins to serve."""

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port, on 127.0.0.1."""
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://localhost:{self.port}/told"


@dataclass
class Receiver(LocalReceiver):
    """An HTTPS server for the host name ``hooks.example.com``.

    Attributes
    ----------
    names
        The names for which clients asked in TLS (SNI).
    """

    names: list[str | None] = field(default_factory=list)

    def _prepare(self, server: ThreadingHTTPServer) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._root, certificates = Path(self._folder.name, "root.pem"), Path(self._folder.name, "server.pem")
        make_certificates(self._root, certificates, NAME)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates)
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        server.socket = context.wrap_socket(server.socket, server_side=True)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._folder.cleanup()

    def trusted(self) -> ssl.SSLContext:
        """Return a client's TLS context that trusts the receiver's authority."""
        return ssl.create_default_context(cafile=self._root)
