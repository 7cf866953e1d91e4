"""A plain HTTP client as people's browsers are: it keeps cookies, and says where a request comes from."""

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
    """Sends requests to handlers, each of which answers to paths that begin so.

    Attributes
    ----------
    cookies
        What was set, and not taken back.
    set_cookies
        The ``Set-Cookie`` headers of the last answer.
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
        """Send a request as a page of our own does.

        Parameters
        ----------
        cookies
            What is sent instead of the browser's own.
        headers
            What is sent besides what browsers send, or in its place; an empty one is left out.
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
            self._take(header)
        found = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        for name, values in answer.get("multiValueHeaders", {}).items():
            found[name.lower()] = ", ".join(values)
        return Answer(answer["statusCode"], found, answer.get("body") or "")

    def _take(self, header: str) -> None:
        pair, *attributes = header.split("; ")
        name, _, value = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def where(answer: Answer) -> str:
    """Return where a redirect leads."""
    assert answer.status == 302, answer
    return urljoin(ORIGIN, answer.headers["location"])
