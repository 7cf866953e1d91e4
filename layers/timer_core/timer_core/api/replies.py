"""The replies of routes, as values that do not depend on Powertools' resolver."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

# Bodies contain no cycles, for which the encoder would look otherwise.
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


class Reply(NamedTuple):
    """The reply of a route.

    Attributes
    ----------
    body
        A JSON object, or a text whose media type is in the headers.
    cookies
        The values of ``Set-Cookie`` headers.
    """

    status: HTTPStatus
    body: Mapping[str, Any] | str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    cookies: Sequence[str] = ()

    def to_response(self) -> dict[str, Any]:
        """Return the response to API Gateway (payload format 2.0)."""
        headers, body = dict(self.headers), self.body
        if not isinstance(body, str):
            headers["Content-Type"], body = "application/json", to_json(body)
        return {
            "statusCode": self.status.value,
            "body": body,
            "isBase64Encoded": False,
            "headers": headers,
            "cookies": [*self.cookies],
        }


def to_json(body: Any) -> str:
    """Serialize a body."""
    return _ENCODER.encode(body)
