"""The front door: whom it answers, what it forwards, and what it changes on the way."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.errors import ToolError
from local_stack import free_port
from local_stack.front_door import FrontDoor, Target, ViewersCallback, cookie_name
from local_stack.ministack import Access
from timer_core.api.sessions import SESSION_COOKIE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.websockets import WebSocket

SECRET = "the run's secret"
DISTRIBUTION = "d111111abcdef8.cloudfront.net"
CODESPACE = {"CODESPACE_NAME": "Fluffy-Lamp", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev"}


class Emulator:
    """A stand-in for the emulator, which answers with the request that it got."""

    def __init__(self) -> None:
        self.port = free_port()
        self.may_end = asyncio.Event()
        app = Starlette(
            routes=[
                Route("/stream", self._stream),
                Route("/redirect", self._redirect),
                Route("/cookies", self._set_cookies),
                Route("/empty", lambda _: Response(status_code=304, headers={"ETag": '"1"'})),
                WebSocketRoute("/_aws/execute-api/live1/live", self._live),
                Route("/{path:path}", self._echo, methods=["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
            ]
        )
        config = uvicorn.Config(app, port=self.port, log_config=None, lifespan="off", proxy_headers=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        while not self._server.started:
            self._thread.join(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()

    async def _echo(self, request: Request) -> Response:
        content = {
            "method": request.method,
            "target": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "headers": request.headers.items(),
            "body": (await request.body()).decode(),
        }
        return JSONResponse(content, headers={"X-Answer": "1"})

    async def _stream(self, _: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            await self.may_end.wait()
            yield b"last"

        return StreamingResponse(chunks())

    async def _redirect(self, request: Request) -> Response:
        return PlainTextResponse("", 302, {"Location": request.query_params["to"]})

    async def _set_cookies(self, _: Request) -> Response:
        response = PlainTextResponse("")
        response.headers.append("Set-Cookie", f"{SESSION_COOKIE}=1; Path=/; Secure; HttpOnly; SameSite=Lax")
        response.headers.append("Set-Cookie", "plain=2; secure")
        return response

    async def _live(self, websocket: WebSocket) -> None:
        if websocket.query_params.get("ticket") == "expired":
            await websocket.close()
            return
        await websocket.accept()
        await websocket.send_json({"query": websocket.url.query, "headers": websocket.headers.items()})
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                self.disconnect = message
                self.may_end.set()
                return
            if message.get("bytes") is not None:
                await websocket.send_bytes(message["bytes"][::-1])
            elif message["text"].startswith("close "):
                await websocket.close(int(message["text"].split()[1]), "as asked")
                return
            else:
                await websocket.send_text(message["text"].upper())


async def demo(scope: Any, receive: Any, send: Any) -> None:
    """A mounted application, which answers with the address that it was requested at."""
    request = Request(scope, receive)
    content = {"url": str(request.url), "root": scope["root_path"], "callbacks": list(ViewersCallback())}
    await JSONResponse(content)(scope, receive, send)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    emulator = Emulator()
    emulator.start()
    yield emulator
    emulator.stop()


def new_door(emulator: Emulator, environment: dict[str, str]) -> FrontDoor:
    door = FrontDoor(free_port(), environment)
    door.target = Target(Access(emulator.port, "key", "secret key", SECRET), DISTRIBUTION, "live1")
    door.mounted["/demo"] = demo
    return door


@pytest.fixture(scope="module")
def door(emulator: Emulator) -> Iterator[FrontDoor]:
    with new_door(emulator, {}) as door:
        yield door


@pytest.fixture(scope="module")
def codespace(emulator: Emulator) -> Iterator[FrontDoor]:
    """The door of a codespace."""
    with new_door(emulator, CODESPACE) as door:
        yield door


class Answer:
    """A response, and the request that reached the emulator."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def request(self) -> Any:
        return json.loads(self.body)

    @property
    def sent(self) -> dict[str, str]:
        """The headers that reached the emulator, or an error if one was sent twice."""
        pairs = self.request["headers"]
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)


def send(door: FrontDoor, method: str = "GET", path: str = "/", body: Any = None, **headers: str) -> Answer:
    """Send a request with these headers only."""
    connection = http.client.HTTPConnection("127.0.0.1", door.port)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": f"localhost:{door.port}"} | headers).items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return Answer(connection.getresponse())
    finally:
        connection.close()


# ---------------------------------------------------------------- viewers


@pytest.mark.parametrize(
    "host", ["localhost:{}", "127.0.0.1:{}", "[::1]:{}", "localhost:8080", "LOCALHOST", "[::1]:1"]
)
def test_names_of_this_machine_are_answered_with_any_port(door: FrontDoor, host: str) -> None:
    host = host.format(door.port)
    answer = send(door, Host=host)
    assert answer.status == 200
    assert answer.sent["x-viewer-host"] == host.lower()
    assert answer.sent["x-forwarded-proto"] == "http"
    assert answer.sent["host"] == DISTRIBUTION


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4570", "localhost.evil.example", "evil.localhost:4570", "127.0.0.1.nip.io",
     "10.0.0.1", "localhost@evil.example", "localhost:4570:80", ""],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/timelogs/", "/demo/", "/live", f"{WEBHOOK_PATH}../timelogs/"])
def test_other_names_are_refused(door: FrontDoor, host: str, path: str) -> None:
    answer = send(door, path=path, Host=host)
    assert answer.status == 421
    assert b"X-Answer" not in answer.headers.as_bytes()


@pytest.mark.parametrize("path", [WEBHOOK_PATH, WEBHOOK_PATH.rstrip("/")])
def test_the_webhook_answers_for_any_name(door: FrontDoor, path: str) -> None:
    answer = send(door, "POST", path, b"{}", Host="a-tunnel.example")
    assert (answer.status, answer.request["body"]) == (200, "{}")
    assert answer.sent["x-viewer-host"] == f"localhost:{door.port}"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_both_loopback_addresses_listen(door: FrontDoor, address: str) -> None:
    connection = http.client.HTTPConnection(address, door.port)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_the_codespaces_own_address_is_answered(codespace: FrontDoor) -> None:
    host = f"fluffy-lamp-{codespace.port}.app.github.dev"
    assert codespace.codespace_url == f"https://{host}"
    for headers in ({"Host": host}, {"X_Forwarded_Host": host, "X_Forwarded_Proto": "https"}):
        answer = send(codespace, **headers)
        assert (answer.sent["x-viewer-host"], answer.sent["x-forwarded-proto"]) == (host, "https")


def test_forwarded_names_of_others_are_ignored(door: FrontDoor, codespace: FrontDoor) -> None:
    host = f"fluffy-lamp-{codespace.port}.app.github.dev"
    for each, forwarded in (
        (door, host),
        (codespace, "evil.example"),
        (codespace, f"evil-{codespace.port}.app.github.dev"),
    ):
        answer = send(
            each, X_Forwarded_Host=forwarded, X_Forwarded_Proto="https", Forwarded=f"host={forwarded}"
        )
        assert answer.sent["x-viewer-host"] == f"localhost:{each.port}"
        assert answer.sent["x-forwarded-proto"] == "http"
        assert not {"x-forwarded-host", "forwarded"} & answer.sent.keys()
        assert send(each, Host=forwarded).status == 421


def test_the_origin_that_githubs_proxy_replaces_is_restored(codespace: FrontDoor) -> None:
    host, local = f"fluffy-lamp-{codespace.port}.app.github.dev", f"localhost:{codespace.port}"
    for scheme in ("http", "https"):
        answer = send(codespace, X_Forwarded_Host=host, Origin=f"{scheme}://{local}")
        assert answer.sent["origin"] == f"https://{host}"
    assert (
        send(codespace, X_Forwarded_Host=host, Origin="https://evil.example").sent["origin"]
        == "https://evil.example"
    )
    assert send(codespace, Origin=f"http://{local}").sent["origin"] == f"http://{local}"


# ---------------------------------------------------------------- requests and responses


@pytest.mark.parametrize(
    "path", ["/a%2Fb/%C3%A4//c", "//x", "/_aws/execute-api/a/$default/", "/a;b=c/@d:e", "/x/../y/./z"]
)
def test_paths_and_queries_are_forwarded_unchanged(door: FrontDoor, path: str) -> None:
    answer = send(door, path=f"{path}?q=%20+&&b=/?c")
    assert (answer.request["target"], answer.request["query"]) == (path, "q=%20+&&b=/?c")


def test_a_request_for_another_server_is_refused(door: FrontDoor) -> None:
    assert send(door, path="http://evil.example/").status == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS"])
def test_methods_bodies_and_headers_are_forwarded(door: FrontDoor, method: str) -> None:
    answer = send(
        door, method, "/api/x", b"x" * 300_000, Origin="https://a.example", Authorization="Token 1", X_Own="1"
    )
    assert (answer.request["method"], len(answer.request["body"])) == (method, 300_000)
    assert answer.sent["origin"] == "https://a.example"
    assert (answer.sent["authorization"], answer.sent["x-own"]) == ("Token 1", "1")
    assert (answer.sent["content-length"], answer.headers["X-Answer"]) == ("300000", "1")


def test_a_chunked_body_is_forwarded(door: FrontDoor) -> None:
    connection = http.client.HTTPConnection("localhost", door.port)
    connection.request(
        "POST",
        "/x",
        iter([b"a" * 10, b"b" * 10]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert Answer(connection.getresponse()).request["body"] == "a" * 10 + "b" * 10
    connection.close()


def test_a_request_with_two_lengths_is_refused(door: FrontDoor) -> None:
    connection = http.client.HTTPConnection("localhost", door.port)
    lengths = {"Transfer-Encoding": "chunked", "Content-Length": "3"}
    connection.request("POST", "/x", iter([b"abc"]), encode_chunked=True, headers=lengths)
    assert connection.getresponse().status == 400
    connection.close()


def test_only_the_door_sets_its_secret_and_the_viewers_address(door: FrontDoor) -> None:
    answer = send(door, X_Front_Door="guess", X_Viewer_Host="evil.example", X_Forwarded_Proto="https")
    assert answer.sent["x-front-door"] == SECRET
    assert answer.sent["x-viewer-host"] == f"localhost:{door.port}"
    assert answer.sent["x-forwarded-proto"] == "http"


def test_responses_without_a_body_have_none(door: FrontDoor) -> None:
    empty, head = send(door, path="/empty"), send(door, "HEAD", "/x")
    assert (empty.status, empty.headers["ETag"], empty.body) == (304, '"1"', b"")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


def test_a_response_is_passed_on_while_it_is_sent(emulator: Emulator, door: FrontDoor) -> None:
    emulator.may_end.clear()
    connection = http.client.HTTPConnection("localhost", door.port)
    connection.request("GET", "/stream")
    response = connection.getresponse()
    assert response.read(5) == b"first"
    emulator.may_end._loop.call_soon_threadsafe(emulator.may_end.set)  # type: ignore[attr-defined]
    assert response.read() == b"last"
    connection.close()


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.1:{}", "[::1]:{}", "localhost:8080"])
def test_redirects_to_the_demo_lead_to_the_viewers_origin(door: FrontDoor, host: str) -> None:
    host = host.format(door.port)
    answer = send(door, path=f"/redirect?to={door.url}/demo/login", Host=host)
    assert answer.headers["Location"] == f"http://{host}/demo/login"


@pytest.mark.parametrize(
    "location", ["/account.html", "https://github.com/login", "http://localhost:1/demo/"]
)
def test_other_redirects_stay(door: FrontDoor, location: str) -> None:
    answer = send(door, path=f"/redirect?to={location}", Host="127.0.0.1")
    assert answer.headers["Location"] == location


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.1:{}", "[::1]:{}", "localhost:8080"])
def test_links_of_the_api_to_the_demo_lead_to_the_viewers_origin(door: FrontDoor, host: str) -> None:
    host = host.format(door.port)
    answer = send(door, "POST", body=f"{door.url}/demo/octo-demo/storefront/issues/7".encode(), Host=host)
    assert answer.request["body"] == f"http://{host}/demo/octo-demo/storefront/issues/7"


def test_links_of_the_api_to_the_demo_lead_to_the_codespace(codespace: FrontDoor) -> None:
    host = f"fluffy-lamp-{codespace.port}.app.github.dev"
    answer = send(codespace, "POST", body=f"{codespace.url}/demo".encode(), Host=host)
    assert answer.request["body"] == f"https://{host}/demo"


@pytest.mark.parametrize(
    "text", ["See {}/demo/octo-demo.", "{}/account.html", "https://github.com/octo-demo"]
)
def test_other_texts_of_the_api_stay(door: FrontDoor, text: str) -> None:
    text = text.format(door.url)
    assert send(door, "POST", body=text.encode(), Host="127.0.0.1").request["body"] == text


def test_cookies_need_no_tls_and_belong_to_one_stack(door: FrontDoor) -> None:
    cookies = send(door, path="/cookies").headers.get_all("Set-Cookie")
    name = cookie_name(SESSION_COOKIE, door.port)
    assert cookies == [f"{name}=1; Path=/; HttpOnly; SameSite=Lax", "plain=2"]
    assert str(door.port) in name
    sent = send(door, Cookie=f"a=1; {name}=x; {cookie_name(SESSION_COOKIE, 1)}=y").sent["cookie"]
    assert {name: morsel.value for name, morsel in SimpleCookie(sent).items()} == {
        "a": "1",
        SESSION_COOKIE: "x",
        cookie_name(SESSION_COOKIE, 1): "y",
    }


def test_cookies_of_a_codespace_are_those_of_aws(codespace: FrontDoor) -> None:
    answer = send(codespace, path="/cookies", Host=f"fluffy-lamp-{codespace.port}.app.github.dev")
    cookies = answer.headers.get_all("Set-Cookie")
    assert cookies == [f"{SESSION_COOKIE}=1; Path=/; Secure; HttpOnly; SameSite=Lax", "plain=2; secure"]


@pytest.mark.parametrize("host", ["localhost:{}", "127.0.0.1:8080"])
def test_a_mounted_application_sees_the_viewers_address(door: FrontDoor, host: str) -> None:
    host = host.format(door.port)
    answer = send(door, path="/demo/board?x=1", Host=host).request
    assert answer == {
        "url": f"http://{host}/demo/board?x=1",
        "root": "/demo",
        "callbacks": [f"http://{host}/api/auth/callback/"],
    }
    assert "target" in send(door, path="/demolition").request


def test_a_door_without_a_stack_says_that_it_is_starting() -> None:
    with FrontDoor(free_port(), {}) as door:
        answer = send(door)
        assert (answer.status, answer.headers["Retry-After"], answer.headers["Refresh"]) == (503, "2", "2")


def test_a_stack_that_is_down_is_reported_and_used_again(emulator: Emulator) -> None:
    with new_door(emulator, {}) as door:
        assert send(door).status == 200
        assert door.target
        up = door.target
        door.target = up._replace(access=up.access._replace(port=free_port()))
        assert send(door).status == 503
        door.target = up
        assert send(door).status == 200


def test_a_used_port_is_reported(door: FrontDoor) -> None:
    with pytest.raises(ToolError, match=f"Port {door.port} is in use"):
        FrontDoor(door.port, {})


# ---------------------------------------------------------------- /live


def test_a_websocket_is_forwarded_in_both_directions(door: FrontDoor) -> None:
    address = f"ws://localhost:{door.port}/live?ticket=a%20b&x"
    with connect(address, origin=Origin("http://localhost:4570"), user_agent_header="tester") as websocket:
        first = json.loads(websocket.recv())
        assert first["query"] == "ticket=a%20b&x"
        headers = dict(first["headers"])
        assert (headers["origin"], headers["user-agent"]) == ("http://localhost:4570", "tester")
        assert headers["x-viewer-host"] == f"localhost:{door.port}"
        assert headers["x-front-door"] == SECRET
        websocket.send("hello")
        assert websocket.recv() == "HELLO"
        websocket.send(b"abc")
        assert websocket.recv() == b"cba"
        assert websocket.ping().wait(5)


def test_the_servers_close_reaches_the_viewer(door: FrontDoor) -> None:
    with connect(f"ws://localhost:{door.port}/live") as websocket:
        websocket.recv()
        websocket.send("close 4321")
        with pytest.raises(ConnectionClosed):
            websocket.recv()
        assert (websocket.close_code, websocket.close_reason) == (4321, "as asked")


def test_the_viewers_close_reaches_the_server(emulator: Emulator, door: FrontDoor) -> None:
    emulator.may_end.clear()
    with connect(f"ws://localhost:{door.port}/live") as websocket:
        websocket.recv()
        websocket.close(4000, "enough")
    for _ in range(500):
        if emulator.may_end.is_set():
            break
        threading.Event().wait(0.01)
    assert (emulator.disconnect["code"], emulator.disconnect["reason"]) == (4000, "enough")


@pytest.mark.parametrize("address", ["/live?ticket=expired", "/live/", "/", "/_aws/execute-api/live1/live"])
def test_a_refused_websocket_is_not_opened(door: FrontDoor, address: str) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://localhost:{door.port}{address}"):
        pass
    assert refused.value.response.status_code == 403


def test_a_websocket_of_another_host_is_refused(door: FrontDoor) -> None:
    connection = socket.create_connection(("127.0.0.1", door.port))
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://evil.localhost:{door.port}/live", sock=connection),
    ):
        pass
    assert refused.value.response.status_code == 421


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_plain_request_to_the_address_of_websockets_is_told_to_upgrade(
    door: FrontDoor, method: str
) -> None:
    answer = send(door, method, "/live?ticket=x")
    assert answer.status == 426
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "upgrade")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert (b"WebSockets" in answer.body) is (method != "HEAD")
