"""Plain HTTP requests, for the command line and for tests."""

import http.client
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 130


class Response(NamedTuple):
    """A response of any status."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def request(
    method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Response:
    """Send one request and return the response, whatever its status. Do not follow redirects."""
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=_TIMEOUT_SECONDS)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(
            method, target, body=body or None, headers={"Host": parts.netloc, **(headers or {})}
        )
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()
