"""HTTP requests, and the fake's answers to them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCUMENTATION = "https://docs.github.com/rest"


class RecordedRequest(NamedTuple):
    """A request as the fake records it; ``body`` is the parsed JSON or form, or None."""

    method: str
    path: str
    body: Any


@dataclass(frozen=True)
class Request:
    """A request; the names of headers are in lower case."""

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query_string}" if self.query_string else self.path

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @cached_property
    def body(self) -> Any:
        """The parsed body; None if it is neither JSON nor a form."""
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return {name: values[-1] for name, values in parse_qs(self.content.decode()).items()}
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def members(self) -> dict[str, Any]:
        return self.body if isinstance(self.body, dict) else {}


@dataclass(frozen=True)
class Answer:
    """An answer of the fake. ``body`` is JSON, or an HTML page if it is a string; None means no content."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    @property
    def content_type(self) -> str:
        return f"{'text/html' if isinstance(self.body, str) else 'application/json'}; charset=utf-8"


class ApiError(Exception):
    """An error of the REST API, in GitHub's form."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        body = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        self.answer = Answer(status, body, headers or {})


class Drop(Exception):
    """Close the connection without an answer."""
