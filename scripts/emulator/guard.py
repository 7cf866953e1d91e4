"""Access to the emulator: the functions and tools of this run, and the front door.

Any web page that a developer visits can send requests to a port on their machine, and MiniStack answers
everybody: with data, with secrets, and with a reset. So each run has an access key and a secret of its own.
"""

import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from ministack import app as ministack
from ministack.core.responses import set_request_account_id, set_request_client_ip, set_request_region
from ministack.core.sigv4 import decode_header_value
from ministack.services import cloudfront

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The header of the front door's requests.
SECRET_HEADER = b"x-front-door"
# Browsers add these headers, and AWS SDKs do not.
_BROWSER_HEADERS = {b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"referer"}
_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")
_DISTRIBUTION = re.compile(r"([a-z0-9]+)\.cloudfront\.net")
_API_PATH = "/_aws/execute-api/"
_REFUSAL = b"Only the tools of this run and its front door may use the emulator.\n"

_log = logging.getLogger("guard")


class Guard:
    """ASGI middleware that refuses all other requests.

    - A request signed with the run's access key reaches AWS's services and MiniStack's own addresses, unless
      it comes from a browser or names another host.
    - A request with the front door's secret reaches the viewers' side of a distribution, or an API.

    The signature itself is not verified, because the access key is as secret as the key that signs.

    Parameters
    ----------
    app
        MiniStack.
    hosts
        The values of the Host header that name the emulator.
    access_key_id
        The run's access key.
    secret
        The front door's secret.
    """

    def __init__(self, app: App, *, hosts: frozenset[str], access_key_id: str, secret: str) -> None:
        self._app = app
        self._hosts = hosts
        self._access_key_id = access_key_id.encode()
        self._secret = secret.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if hmac.compare_digest(headers.get(SECRET_HEADER, b""), self._secret):
            distribution = _DISTRIBUTION.fullmatch(headers.get(b"host", b"").decode("latin-1"))
            if distribution and scope["type"] == "http":
                await _serve_viewer(distribution[1], scope, receive, send)
                return
            if not distribution and scope["path"].startswith(_API_PATH):
                kept = [header for header in scope["headers"] if header[0] != SECRET_HEADER]
                await self._app({**scope, "headers": kept}, receive, send)
                return
        elif scope["type"] == "http" and self._is_signed(headers):
            await self._app(scope, receive, send)
            return
        _log.warning("Refused %s %s", scope.get("method", "WebSocket"), scope["path"])
        await _refuse(scope, receive, send)

    def _is_signed(self, headers: Mapping[bytes, bytes]) -> bool:
        if (
            headers.keys() & _BROWSER_HEADERS
            or headers.get(b"host", b"").decode("latin-1") not in self._hosts
        ):
            return False
        credential = _CREDENTIAL.match(headers.get(b"authorization", b"").decode("latin-1"))
        return credential is not None and hmac.compare_digest(credential[1].encode(), self._access_key_id)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(_REFUSAL)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL})


async def _serve_viewer(label: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a viewer's request at a distribution, and at nothing else.

    MiniStack itself matches many paths, such as `/health`, before it considers the Host.
    """
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1"), decode_header_value(value)
        if name == SECRET_HEADER:
            continue
        # RFC 9110, section 5.3, and for cookies RFC 9113, section 8.2.3.
        headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in headers else text
    client = (scope.get("client") or ("127.0.0.1",))[0]
    set_request_client_ip(client)
    set_request_account_id("")
    set_request_region(ministack.extract_region({}))
    path, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("latin-1")
    send = ministack._with_date_header(send)
    distribution = cloudfront.find_distribution_for_label(label)
    if distribution is None:
        await ministack._send_response(send, 404, {"Content-Type": "text/plain"}, b"No such distribution.\n")
        return
    try:
        body = await ministack._read_request_body(receive, scope["method"], headers)
    except ministack._RequestBodyDisconnected:
        return
    except ministack._IncompleteRequestBody as error:
        body = error.body
    status, answered, content = await cloudfront.handle_viewer_request(
        distribution,
        scope["method"],
        # A behavior's pattern is compared with the path as the viewer encoded it.
        path,
        path,
        query,
        headers,
        body,
        parse_qs(query, keep_blank_values=True),
        client,
    )
    await ministack._send_response(send, status, answered, content)
