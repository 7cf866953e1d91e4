"""A server for the pages of other sites, on this machine."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self
from urllib.parse import urlsplit


class PageServer(ThreadingHTTPServer):
    """A context manager that serves pages under every host name that ends with ``.localhost``.

    Attributes
    ----------
    pages
        The HTML of each path.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _PageHandler)
        self.pages: dict[str, bytes] = {}

    def origin(self, name: str) -> str:
        """Return the origin of the site with a name."""
        return f"http://{name}.localhost:{self.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _PageHandler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.server.pages[urlsplit(self.path).path])

    def log_message(self, *_: object) -> None:
        """Log nothing."""
