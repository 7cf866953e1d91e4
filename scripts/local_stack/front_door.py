"""The one origin of the local stack: an HTTP server in front of the emulator and the demo GitHub.

- The stack's distribution in the emulator answers all paths except those below: page, API and webhook.
- `/live` is a WebSocket, which the emulator's distribution would not forward.
- Applications can be mounted below a path; `/demo` is the demo GitHub.

The emulator's own addresses are not reachable through the door, whatever the path: the emulator's guard
passes the door's requests to the distribution only.

Viewers may use any name of this machine's loopback interface, with any port, because the port may be
forwarded over SSH; and in a codespace its own address. Other names in the Host header are refused, because
they may belong to a web site whose name resolves to this machine (DNS rebinding). Tunnels have other names;
through them, only the webhook answers, whose deliveries are signed.
"""

import asyncio
import errno
import re
import socket
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from http import HTTPStatus
from typing import NamedTuple, Self

import httpcore
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.errors import ToolError
from deployed_stack.sign_in import CALLBACK_PATH
from local_stack.ministack import HOST, Access

Headers = list[tuple[bytes, bytes]]

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "[::1]"}
_LOOPBACK_ADDRESSES = ((socket.AF_INET, HOST), (socket.AF_INET6, "::1"))
_HOST = re.compile(r"([a-z0-9.-]{1,253}|\[[0-9a-f:]{2,45}\])(?::[0-9]{1,5})?")
# RFC 9110, section 7.6.1.
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# Headers of a request that only the door sets.
_SET_BY_DOOR = {
    *(b"host", b"x-front-door", b"x-viewer-host"),
    *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"),
}
# The prefix of cookie names that browsers accept over TLS only (RFC 6265bis, section 4.1.3.2).
_TLS_PREFIX = b"__Host-"
_SECURE = re.compile(rb"; *secure(?=;|$)", re.IGNORECASE)
_LIVE_PATH = "/live"
# An API's cold start may take longer than a usual handshake.
_HANDSHAKE_SECONDS = 60
_CONNECT_SECONDS = 5
# The emulator closes idle connections after 75 s.
_KEEP_ALIVE_SECONDS = 60
_STOP_SECONDS = 5
_NORMAL, _GOING_AWAY, _NO_STATUS, _ABNORMAL, _RESTART = 1000, 1001, 1005, 1006, 1012

# The origin that the viewer of the present request uses.
_viewer_origin: ContextVar[str] = ContextVar("viewer_origin")


class Viewer(NamedTuple):
    """The address at which a viewer sees the local stack."""

    scheme: str
    host: str

    @property
    def origin(self) -> str:
        """The origin of all pages."""
        return f"{self.scheme}://{self.host}"


class Target(NamedTuple):
    """The stack in the emulator to which requests are forwarded."""

    access: Access
    distribution: str
    """The domain of the distribution, such as ``d111111abcdef8.cloudfront.net``."""
    live_api: str | None
    """The id of the WebSocket API, if the stack has one."""


class ViewersCallback(Sequence[str]):
    """The callback URL of an OAuth client: at the origin of the viewer who signs in, whichever that is."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: object) -> str:
        if index != 0:
            raise IndexError(index)
        return _viewer_origin.get() + CALLBACK_PATH


def cookie_name(name: str, port: int) -> str:
    """Return the name that a cookie of the product has in a browser at ``http://localhost:<port>``.

    Some browsers refuse `__Host-` and `Secure` from localhost over plain HTTP. All ports of a host share
    cookies, so the name contains the port.
    """
    return name.replace(_TLS_PREFIX.decode(), f"Host-{port}-", 1)


class FrontDoor:
    """Serves the local stack at ``http://localhost:<port>``, in a thread.

    Parameters
    ----------
    port
        The port on the loopback interface, for IPv4 and, if this machine has it, IPv6.
    environment
        The environment variables of this process, which may name a codespace.

    Raises
    ------
    ToolError
        If the port is in use, or needs privileges.
    """

    def __init__(self, port: int, environment: Mapping[str, str]) -> None:
        self.port = port
        self.mounted: dict[str, ASGIApp] = {}
        self.target: Target | None = None
        self._sockets = list(_bound(port))
        self._codespace = _codespace(environment, port)
        self._cookie_prefix = cookie_name(_TLS_PREFIX.decode(), port).encode()
        self._sent_cookie = re.compile(rb"(^|; ?)" + re.escape(self._cookie_prefix))
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._pool: httpcore.AsyncConnectionPool | None = None

    @property
    def url(self) -> str:
        """The address of the page, without a slash at its end."""
        return f"http://localhost:{self.port}"

    @property
    def codespace_url(self) -> str | None:
        """The address of the page for the owner of the codespace in which this process runs."""
        return f"https://{self._codespace}" if self._codespace else None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer requests from now on."""
        config = uvicorn.Config(
            self,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close all connections, and release the port."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_SECONDS)
            # A request to an emulator that has just ended may never end. The thread is a daemon.
            self._server.force_exit = True
            self._thread.join(_STOP_SECONDS)
        for listening in self._sockets:
            listening.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        viewer = self._viewer(scope)
        if viewer is None:
            await _refuse(scope, receive, send, _MISDIRECTED)
            return
        _viewer_origin.set(viewer.origin)
        path: str = scope["path"]
        for folder, app in self.mounted.items():
            if path == folder or path.startswith(f"{folder}/"):
                await app(_mounted_scope(scope, folder, viewer), receive, send)
                return
        target = self.target
        if target is None:
            await _refuse(scope, receive, send, _UNAVAILABLE)
        elif path == _LIVE_PATH and target.live_api is not None:
            if scope["type"] == "http":
                await _refuse(scope, receive, send, _UPGRADE_REQUIRED)
            else:
                await _Relay(target, viewer, scope, receive, send).run()
        elif scope["type"] == "http":
            await self._forward(target, viewer, scope, receive, send)
        else:
            await _refuse(scope, receive, send, _NO_WEBSOCKET)

    # ------------------------------------------------------------ viewers

    def _viewer(self, scope: Scope) -> Viewer | None:
        """Return the viewer's address; None if the Host is unknown."""
        headers = {name: value.decode("latin-1").lower() for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        parts = _HOST.fullmatch(host)
        is_local = parts is not None and parts[1] in _LOOPBACK_NAMES
        # GitHub's proxy names the codespace in X-Forwarded-Host, and itself sends localhost as the Host.
        if self._codespace and self._codespace in (
            host,
            headers.get(b"x-forwarded-host") if is_local else None,
        ):
            return Viewer("https", self._codespace)
        if is_local:
            return Viewer("http", host)
        if scope["type"] == "http" and scope["path"].rstrip("/") == WEBHOOK_PATH.rstrip("/"):
            return Viewer("http", f"localhost:{self.port}")
        return None

    def _request_headers(
        self, viewer: Viewer, sent: Iterable[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the headers of a request as the stack expects them."""
        for name, value in sent:
            if name in _HOP_BY_HOP or name in _SET_BY_DOOR:
                continue
            if name == b"cookie" and viewer.scheme == "http":
                yield name, self._sent_cookie.sub(rb"\1" + _TLS_PREFIX, value)
            elif (
                name == b"origin" and value.decode("latin-1").partition("://")[2] == f"localhost:{self.port}"
            ):
                # GitHub's proxy replaces a codespace's origin by that of the port.
                yield name, viewer.origin.encode() if viewer.host == self._codespace else value
            else:
                yield name, value
        yield b"x-viewer-host", viewer.host.encode()
        yield b"x-forwarded-proto", viewer.scheme.encode()

    def _response_headers(self, viewer: Viewer, answered: Headers) -> Iterator[tuple[bytes, bytes]]:
        """Yield the headers of a response as the viewer needs them."""
        own = f"{self.url}/".encode()
        for name, value in answered:
            key = name.lower()
            if key in _HOP_BY_HOP:
                continue
            if key == b"content-length" and self._names_the_demo(viewer, answered):
                # The viewer's address has another length.
                continue
            if key == b"location" and value.startswith(own):
                # The parameters of the stack name the demo by the address that the functions use, too.
                yield name, f"{viewer.origin}/".encode() + value.removeprefix(own)
            elif key == b"set-cookie" and viewer.scheme == "http":
                prefixed = value.startswith(_TLS_PREFIX)
                renamed = self._cookie_prefix + value.removeprefix(_TLS_PREFIX) if prefixed else value
                yield name, _SECURE.sub(b"", renamed)
            else:
                yield name, value

    async def _response_body(self, viewer: Viewer, response: httpcore.Response) -> AsyncIterator[bytes]:
        """Yield the body of a response as the viewer needs it."""
        if not self._names_the_demo(viewer, response.headers):
            async for chunk in response.aiter_stream():
                yield chunk
            return
        content = await response.aread()
        for folder in self.mounted:
            content = content.replace(f'"{self.url}{folder}'.encode(), f'"{viewer.origin}{folder}'.encode())
        yield content

    def _names_the_demo(self, viewer: Viewer, answered: Headers) -> bool:
        """Return whether a response may have addresses of the demo that are not those of the viewer."""
        return viewer.origin != self.url and any(
            name.lower() == b"content-type" and value.startswith(b"application/json")
            for name, value in answered
        )

    # ------------------------------------------------------------ HTTP

    async def _forward(
        self, target: Target, viewer: Viewer, scope: Scope, receive: Receive, send: Send
    ) -> None:
        path: bytes = scope["raw_path"]
        if not path.startswith(b"/"):
            await _refuse(scope, receive, send, _NO_PATH)
            return
        query: bytes = scope["query_string"]
        headers: Headers = [
            (b"host", target.distribution.encode()),
            (b"x-front-door", target.access.secret.encode()),
            *self._request_headers(viewer, scope["headers"]),
        ]
        names = {name for name, _ in scope["headers"]}
        if {b"content-length", b"transfer-encoding"} <= names:
            await _refuse(scope, receive, send, _TWO_LENGTHS)
            return
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        if has_body and b"content-length" not in names:
            headers.append((b"transfer-encoding", b"chunked"))
        request = httpcore.Request(
            scope["method"].encode(),
            httpcore.URL(
                scheme=b"http",
                host=HOST.encode(),
                port=target.access.port,
                target=path + (b"?" + query if query else b""),
            ),
            headers=headers,
            content=_body(receive) if has_body else None,
            extensions={"timeout": {"connect": _CONNECT_SECONDS}},
        )
        if self._pool is None:
            self._pool = httpcore.AsyncConnectionPool(
                max_connections=None, keepalive_expiry=_KEEP_ALIVE_SECONDS
            )
        try:
            response = await self._pool.handle_async_request(request)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            await _refuse(scope, receive, send, _UNAVAILABLE)
            return
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": list(self._response_headers(viewer, response.headers)),
                }
            )
            async for chunk in self._response_body(viewer, response):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            await response.aclose()


class _Relay:
    """A viewer's WebSocket, and the emulator's."""

    def __init__(self, target: Target, viewer: Viewer, scope: Scope, receive: Receive, send: Send) -> None:
        self._target = target
        self._viewer = viewer
        self._scope = scope
        self._receive = receive
        self._send = send

    async def run(self) -> None:
        """Pass messages on in both directions until either side closes."""
        await self._receive()
        sent = dict(self._scope["headers"])
        query = self._scope["query_string"].decode("latin-1")
        access = self._target.access
        headers = {
            "X-Front-Door": access.secret,
            "X-Viewer-Host": self._viewer.host,
            "X-Forwarded-Proto": self._viewer.scheme,
        } | {
            name.decode().title(): sent[name].decode("latin-1")
            for name in (b"origin", b"authorization")
            if name in sent
        }
        try:
            upstream = await connect(
                f"ws://{HOST}:{access.port}/_aws/execute-api/{self._target.live_api}/live"
                + (f"?{query}" if query else ""),
                additional_headers=headers,
                user_agent_header=sent.get(b"user-agent", b"").decode("latin-1") or None,
                subprotocols=[Subprotocol(name) for name in self._scope["subprotocols"]] or None,
                compression=None,
                open_timeout=_HANDSHAKE_SECONDS,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as error:
            refusal = _NO_WEBSOCKET._replace(status=HTTPStatus(error.response.status_code))
            await _refuse(self._scope, self._receive, self._send, refusal, is_connected=True)
            return
        except (OSError, InvalidHandshake):
            await _refuse(self._scope, self._receive, self._send, _UNAVAILABLE, is_connected=True)
            return
        async with upstream:
            await self._send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
            directions = [
                asyncio.ensure_future(pump(upstream)) for pump in (self._from_viewer, self._to_viewer)
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _from_viewer(self, upstream: ClientConnection) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                code = message.get("code") or _NO_STATUS
                code = {_NO_STATUS: _NORMAL, _ABNORMAL: _GOING_AWAY}.get(code, code)
                await upstream.close(code, message.get("reason") or "")
                return
            text = message.get("text")
            await upstream.send(message["bytes"] if text is None else text)

    async def _to_viewer(self, upstream: ClientConnection) -> None:
        try:
            while True:
                message = await upstream.recv()
                kind = "text" if isinstance(message, str) else "bytes"
                await self._send({"type": "websocket.send", kind: message})
        except ConnectionClosed:
            code = upstream.close_code or _ABNORMAL
            code = {_NO_STATUS: _NORMAL, _ABNORMAL: _RESTART}.get(code, code)
            await self._send({"type": "websocket.close", "code": code, "reason": upstream.close_reason or ""})


class _Refusal(NamedTuple):
    """A response of the door's own."""

    status: HTTPStatus
    text: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


_MISDIRECTED = _Refusal(
    HTTPStatus.MISDIRECTED_REQUEST,
    "The local stack answers at localhost or its codespace's address; elsewhere, only the webhook does.",
)
_UNAVAILABLE = _Refusal(
    # Browsers reload the page after two seconds.
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The local stack is starting.",
    ((b"retry-after", b"2"), (b"refresh", b"2")),
)
_NO_PATH = _Refusal(HTTPStatus.BAD_REQUEST, "The request has no path.")
# RFC 9112, section 6.1.
_TWO_LENGTHS = _Refusal(HTTPStatus.BAD_REQUEST, "The request has two lengths.")
_NO_WEBSOCKET = _Refusal(HTTPStatus.FORBIDDEN, "No WebSocket for this request.")
# RFC 9110, sections 15.5.22 and 7.8.
_UPGRADE_REQUIRED = _Refusal(
    HTTPStatus.UPGRADE_REQUIRED,
    "This address is for the WebSockets of open pages.",
    ((b"upgrade", b"websocket"), (b"connection", b"upgrade")),
)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, refusal: _Refusal, *, is_connected: bool = False
) -> None:
    """Answer a request or a WebSocket's handshake with an error."""
    body = f"{refusal.text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *refusal.headers,
    ]
    kind = "http"
    if scope["type"] == "websocket":
        kind = "websocket.http"
        if not is_connected:
            await receive()
    await send({"type": f"{kind}.response.start", "status": refusal.status.value, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": body})


def _mounted_scope(scope: Scope, folder: str, viewer: Viewer) -> Scope:
    """Return a request's scope for an application below a path, with the address that the viewer used."""
    headers = [header for header in scope["headers"] if header[0] not in _SET_BY_DOOR]
    headers.append((b"host", viewer.host.encode()))
    scheme = viewer.scheme if scope["type"] == "http" else viewer.scheme.replace("http", "ws")
    return {**scope, "headers": headers, "scheme": scheme, "root_path": folder}


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise httpcore.ReadError("The viewer has disconnected")
        if chunk := message.get("body", b""):
            yield chunk
        if not message.get("more_body", False):
            return


def _codespace(environment: Mapping[str, str], port: int) -> str | None:
    """Return the host at which GitHub forwards a port of this codespace.

    Source: "Forwarding ports in your codespace" and "Default environment variables for your codespace".
    """
    name = environment.get("CODESPACE_NAME")
    domain = environment.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
    return f"{name}-{port}.{domain}".lower() if name and domain else None


def _bound(port: int) -> Iterator[socket.socket]:
    for family, address in _LOOPBACK_ADDRESSES:
        try:
            # asyncio disables Nagle's algorithm only for sockets that name their protocol.
            listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen()
        except PermissionError:
            raise ToolError(f"Port {port} needs privileges: choose one from 1024 on.") from None
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                # This machine has no IPv6.
                continue
            raise ToolError(
                f"Port {port} is in use. Is the local stack running already? "
                "Otherwise choose another port: make run PORT=<port>"
            ) from None
        yield listening
