"""A client of the handlers that keeps cookies and sends an ``Origin``, as a browser does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tests.support.gateway import Answer, Context, request_event

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "timer.example.com"
ORIGIN = f"https://{HOST}"


@dataclass
class Browser:
    """Sends each request to the first handler whose path prefix matches.

    Attributes
    ----------
    handlers
        The handlers by path prefix.
    cookies
        The stored cookies, by name.
    set_cookies
        The ``Set-Cookie`` headers of the last response.
    """

    handlers: dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]]
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def __call__(
        self,
        method: str,
        target: str,
        json_body: Any = None,
        *,
        cookies: list[str] | None = None,
        context: Context | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request as one of our own pages does.

        Parameters
        ----------
        cookies
            The cookies to send instead of the stored ones.
        headers
            Further headers, or values that replace a browser's headers; an empty value removes a header.
        """
        sent = {"x-viewer-host": HOST, "x-forwarded-proto": "https"}
        if method not in {"GET", "HEAD"}:
            sent |= {"origin": ORIGIN, "sec-fetch-site": "same-origin"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if json_body is None else json.dumps(json_body).encode()
        event = request_event(method, target, body=body, headers={k: v for k, v in sent.items() if v})
        own = [f"{name}={value}" for name, value in self.cookies.items()]
        event["cookies"] = own if cookies is None else cookies
        path = urlsplit(target).path
        handler = next(handler for prefix, handler in self.handlers.items() if path.startswith(prefix))
        answer = handler(event, context or Context())
        self.set_cookies = list(answer.get("cookies", ()))
        for header in self.set_cookies:
            self._store_cookie(header)
        found = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        for name, values in answer.get("multiValueHeaders", {}).items():
            found[name.lower()] = ", ".join(values)
        return Answer(answer["statusCode"], found, answer.get("body") or "")

    def _store_cookie(self, header: str) -> None:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def redirect_target(answer: Answer) -> str:
    """Return the absolute URL of a redirect."""
    assert answer.status == 302, answer
    return urljoin(ORIGIN, answer.headers["location"])
