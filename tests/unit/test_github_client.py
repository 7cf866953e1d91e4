"""The client of GitHub's API. An HTTP server replaces GitHub and checks credentials."""

import json
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from timer_core.github.api import transport
from timer_core.github.api.client import GitHub
from timer_core.github.api.credentials import App, CredentialParameter, Token
from timer_core.github.api.errors import (
    GitHubError,
    InvalidCredential,
    NoCredential,
    QueryFailed,
    RateLimited,
    Refused,
    Unavailable,
)
from timer_core.github.api.graphql import GraphQLError, QueryResult
from timer_core.github.api.transport import Response

TOKEN = "github_pat_11ABCDE0123456789"
APP_ID = "Iv23liABCDEF"
ISSUE = "/repos/octocat/hello-world/issues/7"
QUERY = "query($id: ID!) { node(id: $id) { id } }"


class Clock:
    """The clock of the client and the server; only the test advances the clock."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.25

    def __call__(self) -> float:
        return self.now_s


class Reply(NamedTuple):
    """A response of the server; the body is JSON unless it is bytes."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = {}


class Request(NamedTuple):
    """A request that the server received."""

    method: str
    path: str
    params: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any
    connection: tuple[str, int]

    @property
    def token(self) -> str:
        return self.headers["authorization"].removeprefix("Bearer ")


@dataclass
class Server:
    """A server with the endpoints of GitHub's API for Apps, and with responses that a test sets."""

    public_key: rsa.RSAPublicKey
    clock: Clock
    replies: dict[str, list[Reply | Callable[[Request], Reply]]] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)
    # Maps each account's login to the id of its installation, in the order of GitHub's list.
    installed: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    page_size: int = 100
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def reply(self, path: str, *replies: Reply | Callable[[Request], Reply]) -> None:
        """Respond to requests for a path with these replies in order, and then repeat the last one."""
        self.replies[path] = list(replies)

    def paths(self) -> list[str]:
        return [request.path for request in self.seen]

    def answer(self, request: Request) -> Reply:
        self.seen.append(request)
        if request.path in self.replies:
            replies = self.replies[request.path]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            return reply(request) if callable(reply) else reply
        if request.path == "/app/installations":
            return self._installations(request)
        if request.path.startswith("/app/installations/"):
            return self._new_token(request)
        return Reply(404, {"message": "Not Found"})

    def _installations(self, request: Request) -> Reply:
        if not self._is_app(request):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        size = min(int(request.params["per_page"][0]), self.page_size)
        page = int(request.params.get("page", ["1"])[0])
        everything = [{"id": number, "account": {"login": name}} for name, number in self.installed.items()]
        headers = {}
        if len(everything) > page * size:
            base = f"{self.url}/app/installations?per_page={size}"
            headers["Link"] = f'<{base}&page={page + 1}>; rel="next", <{base}&page=9>; rel="last"'
        return Reply(200, everything[(page - 1) * size : page * size], headers)

    def _new_token(self, request: Request) -> Reply:
        number = int(request.path.split("/")[3])
        if not self._is_app(request):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        if number not in self.installed.values():
            return Reply(404, {"message": "Not Found"})
        token = f"ghs_{number}_{len(self.tokens)}"
        self.tokens[token] = next(login for login, known in self.installed.items() if known == number)
        expires = datetime.fromtimestamp(int(self.clock()) + 3600, UTC)
        return Reply(201, {"token": token, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def _is_app(self, request: Request) -> bool:
        method = "GET" if request.path == "/app/installations" else "POST"
        return request.method == method and is_jwt_of_the_app(request.token, self.public_key, self.clock)


def is_jwt_of_the_app(token: str, public_key: rsa.RSAPublicKey, clock: Clock) -> bool:
    """Return whether a JWT obeys GitHub's rules ("Generating a JSON Web Token (JWT) for a GitHub App")."""
    try:
        claims = jwt.decode(
            token,
            public_key,
            algorithms=["RS256"],
            issuer=APP_ID,
            options={"require": ["iat", "exp", "iss"], "verify_iat": False, "verify_exp": False},
        )
    except jwt.InvalidTokenError:
        return False
    return bool(claims["iat"] <= clock() < claims["exp"] <= clock() + 600)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Send each response in one buffered write, because a second write would wait for an acknowledgement.
    wbufsize = -1
    github: ClassVar[Server]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        headers = {name.lower(): value for name, value in self.headers.items()}
        params = parse_qs(url.query)
        request = Request(
            self.command, url.path, params, headers, json.loads(body) if body else None, self.client_address
        )
        reply = self.github.answer(request)
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(content))} | dict(reply.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.TraditionalOpenSSL, plain).decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(private_key: rsa.RSAPrivateKey, clock: Clock) -> Iterator[Server]:
    server = Server(private_key.public_key(), clock)
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"github": server}))
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    http.shutdown()
    http.server_close()
    thread.join()


class Credential(CredentialParameter):
    """A credential that is not read from SSM."""

    def __init__(self, value: Token | App | None) -> None:
        self.value = value

    def get(self) -> Token | App | None:
        return self.value


@pytest.fixture
def github(server: Server, clock: Clock) -> GitHub:
    """A client with a personal access token."""
    return GitHub(Credential(Token(TOKEN)), api_url=server.url, now_s=clock)


@pytest.fixture
def app(private_key: rsa.RSAPrivateKey) -> App:
    return App(APP_ID, pem(private_key))


@pytest.fixture
def app_github(server: Server, clock: Clock, app: App) -> GitHub:
    """A client with an App that is installed for one account."""
    server.installed["Octocat"] = 77
    return GitHub(Credential(app), api_url=server.url, now_s=clock)


def get_issue(github: GitHub, owner: str | None = "octocat") -> Response:
    return github.rest("GET", ISSUE, owner=owner)


def send_query(github: GitHub, owner: str = "octocat") -> QueryResult:
    return github.graphql(QUERY, {"id": "I_1"}, owner=owner)


class TestToken:
    def test_a_rest_request_has_githubs_headers(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(201, {"number": 7}, {"X-Thing": "yes"}))
        path = f"{ISSUE}?since=2026-01-01T00%3A00%3A00Z&a=b+c"
        answer = github.rest("POST", path, owner="octocat", body={"text": "é"})
        assert (answer.status, answer.data, answer.headers["x-thing"]) == (201, {"number": 7}, "yes")
        (request,) = server.seen
        assert (request.method, request.path, request.body) == ("POST", ISSUE, {"text": "é"})
        assert request.params == {"since": ["2026-01-01T00:00:00Z"], "a": ["b c"]}
        assert request.token == TOKEN
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
        assert request.headers["user-agent"] == "issue-timer"
        assert request.headers["content-type"] == "application/json"

    def test_a_query_is_sent_with_its_variables(self, server: Server, github: GitHub) -> None:
        server.reply("/graphql", Reply(200, {"data": {"node": {"id": "I_1"}}}))
        assert send_query(github) == QueryResult({"node": {"id": "I_1"}})
        (request,) = server.seen
        assert (request.method, request.token) == ("POST", TOKEN)
        assert request.body == {"query": QUERY, "variables": {"id": "I_1"}}

    def test_one_token_serves_all_accounts(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        for owner in ("octocat", "other", None):
            get_issue(github, owner)
        assert {request.token for request in server.seen} == {TOKEN}

    def test_an_empty_body_is_a_valid_response(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(204))
        assert (get_issue(github).status, get_issue(github).data) == (204, None)


class TestCredential:
    def test_no_request_is_sent_without_a_credential(self, server: Server, clock: Clock) -> None:
        github = GitHub(Credential(None), api_url=server.url, now_s=clock)
        for send in (get_issue, send_query):
            with pytest.raises(NoCredential):
                send(github)
        assert server.seen == []

    def test_the_kind_of_the_credential_is_returned(self, app: App) -> None:
        values = (None, Token(TOKEN), app)
        assert [GitHub(Credential(value)).credential_kind() for value in values] == ["none", "token", "app"]

    def test_an_invalid_credential_is_reported(self) -> None:
        class Something(CredentialParameter):
            def get(self) -> None:
                raise InvalidCredential("The GitHub credential is not JSON.")

        assert GitHub(Something("name")).credential_kind() == "invalid"

    def test_a_changed_credential_is_used(self, server: Server, clock: Clock, app: App) -> None:
        server.installed["octocat"] = 77
        server.reply(ISSUE, Reply(429, {"message": "Wait"}), Reply(200, {}))
        credential = Credential(Token(TOKEN))
        github = GitHub(credential, api_url=server.url, now_s=clock)
        with pytest.raises(RateLimited):
            get_issue(github)
        credential.value = app
        get_issue(github)
        assert server.seen[-1].token in server.tokens

    def test_only_an_app_needs_cryptography(self) -> None:
        program = (
            "import sys\n"
            "from timer_core.github.api.client import GitHub\n"
            "from timer_core.github.api.credentials import CredentialParameter\n"
            "GitHub(CredentialParameter(''))\n"
            "sys.exit(bool({'jwt', 'cryptography'} & set(sys.modules)))"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


class TestApp:
    def test_a_request_uses_the_token_of_the_owners_installation(
        self, server: Server, app_github: GitHub
    ) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(200, {}))
        for owner in ("OCTOCAT", "hubot"):
            get_issue(app_github, owner)
            assert server.tokens[server.seen[-1].token].lower() == owner.lower()

    def test_list_and_token_are_fetched_once(self, server: Server, app_github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        server.reply("/graphql", Reply(200, {"data": {}}))
        for _ in range(3):
            get_issue(app_github)
            send_query(app_github, "Octocat")
        assert server.paths().count("/app/installations") == 1
        assert len(server.tokens) == 1

    def test_threads_share_list_and_token(self, server: Server, app_github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        together = threading.Barrier(8)

        def one(_: int) -> int:
            together.wait()
            return get_issue(app_github).status

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(8))) == [200] * 8
        assert server.paths().count("/app/installations") == 1
        assert len(server.tokens) == 1

    def test_a_token_is_used_until_a_minute_before_it_expires(
        self, server: Server, clock: Clock, app_github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        clock.now_s += 3600 - 60 - 1
        get_issue(app_github)
        assert len(server.tokens) == 1
        clock.now_s += 1
        get_issue(app_github)
        assert len(server.tokens) == 2
        assert server.seen[-1].token == list(server.tokens)[-1]

    def test_without_an_owner_the_app_authenticates_as_itself(
        self, server: Server, clock: Clock, app_github: GitHub
    ) -> None:
        server.reply("/app", Reply(200, {"slug": "issue-timer"}))
        for _ in range(20):
            app_github.rest("GET", "/app", owner=None)
            assert is_jwt_of_the_app(server.seen[-1].token, server.public_key, clock)
            clock.now_s += 60
        assert len({request.token for request in server.seen}) == 3

    def test_the_jwt_allows_for_a_clock_that_is_a_minute_fast(
        self, server: Server, clock: Clock, app_github: GitHub
    ) -> None:
        server.reply("/app", Reply(200, {}))
        app_github.rest("GET", "/app", owner=None)
        clock.now_s -= 60
        assert is_jwt_of_the_app(server.seen[-1].token, server.public_key, clock)

    def test_all_pages_of_a_list_are_read(self, server: Server, app_github: GitHub) -> None:
        server.page_size = 2
        server.installed |= {f"account-{number}": number for number in range(4)}
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github, "account-3")
        assert server.paths().count("/app/installations") == 3
        assert server.tokens[server.seen[-1].token] == "account-3"

    def test_a_next_page_at_another_host_is_not_followed(self, server: Server, app_github: GitHub) -> None:
        elsewhere = {"Link": '<http://localhost:1/app/installations?page=2>; rel="next"'}
        server.reply("/app/installations", Reply(200, [], elsewhere))
        with pytest.raises(Unavailable, match="outside of its API"):
            get_issue(app_github)

    def test_an_installation_without_a_login_is_skipped(self, server: Server, app_github: GitHub) -> None:
        others = [{"id": 1, "account": None}, {"id": 2, "account": {"slug": "octocat"}}]
        server.reply("/app/installations", Reply(200, [*others, {"id": 77, "account": {"login": "octocat"}}]))
        server.reply(ISSUE, Reply(200, {}))
        assert get_issue(app_github).status == 200

    def test_without_an_installation_there_is_no_credential(self, server: Server, app_github: GitHub) -> None:
        for _ in range(3):
            with pytest.raises(NoCredential, match="hubot"):
                get_issue(app_github, "hubot")
        assert server.paths() == ["/app/installations"]

    def test_a_new_installation_is_found_within_half_a_minute(
        self, server: Server, clock: Clock, app_github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        server.installed["hubot"] = 78
        clock.now_s += 29
        with pytest.raises(NoCredential):
            get_issue(app_github, "hubot")
        clock.now_s += 1
        assert get_issue(app_github, "hubot").status == 200

    @pytest.mark.parametrize(("seconds", "lists"), [(599, 1), (600, 2)])
    def test_the_list_is_fetched_again_after_ten_minutes(
        self, server: Server, clock: Clock, app_github: GitHub, seconds: int, lists: int
    ) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        clock.now_s += seconds
        get_issue(app_github, "hubot")
        assert server.paths().count("/app/installations") == lists

    def test_after_uninstalling_there_is_no_credential(self, server: Server, app_github: GitHub) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        del server.installed["hubot"]
        with pytest.raises(NoCredential):
            get_issue(app_github, "hubot")

    def test_a_reinstalled_app_is_found_at_once(self, server: Server, app_github: GitHub) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        server.installed["hubot"] = 79
        assert get_issue(app_github, "hubot").status == 200
        assert server.seen[-1].token.startswith("ghs_79_")

    def test_a_refused_token_is_replaced_once(self, server: Server, app_github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        server.reply(ISSUE, Reply(401, {"message": "Bad credentials"}), Reply(200, {"number": 7}))
        assert get_issue(app_github).data == {"number": 7}
        assert len(server.tokens) == 2

    def test_a_second_refused_token_is_an_error(self, server: Server, app_github: GitHub) -> None:
        server.reply(ISSUE, Reply(401, {"message": "Bad credentials"}))
        with pytest.raises(Refused) as caught:
            get_issue(app_github)
        assert (caught.value.status, caught.value.reason) == (401, "Bad credentials")
        assert server.paths().count(ISSUE) == 2

    def test_other_refusals_do_not_replace_the_token(self, server: Server, app_github: GitHub) -> None:
        server.reply(ISSUE, Reply(403, {"message": "Resource not accessible by integration"}))
        with pytest.raises(Refused):
            get_issue(app_github)
        assert server.paths().count(ISSUE) == len(server.tokens) == 1

    def test_an_unknown_app_is_refused(self, server: Server, clock: Clock, app: App) -> None:
        github = GitHub(Credential(App("other", app.private_key)), api_url=server.url, now_s=clock)
        with pytest.raises(Refused, match="could not be decoded"):
            get_issue(github)

    def test_a_key_of_another_kind_is_invalid(self, clock: Clock) -> None:
        for key in (pem(ec.generate_private_key(ec.SECP256R1())), "-----BEGIN PRIVATE KEY-----\nAAAA\n"):
            github = GitHub(Credential(App(APP_ID, key)), now_s=clock)
            with pytest.raises(InvalidCredential) as caught:
                get_issue(github)
            assert_not_shown(caught.value, key.splitlines()[1])


class TestRedirectsAndAcceptedStatuses:
    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_followed_with_the_same_request(
        self, server: Server, github: GitHub, status: int
    ) -> None:
        elsewhere = "/repositories/1/issues/9"
        moved = Reply(status, {"message": "Moved"}, {"Location": f"{server.url}{elsewhere}"})
        server.reply(ISSUE, moved)
        server.reply(elsewhere, Reply(201, {"number": 9}))
        assert github.rest("POST", ISSUE, owner="octocat", body={"a": 1}).data == {"number": 9}
        assert server.paths() == [ISSUE, elsewhere]
        assert {(request.method, request.token) for request in server.seen} == {("POST", TOKEN)}
        assert server.seen[1].body == {"a": 1}

    def test_a_redirect_to_another_host_does_not_receive_the_credential(
        self, server: Server, github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(301, b"", {"Location": "http://localhost:1/repositories/1/issues/9"}))
        with pytest.raises(Refused, match="away from its API"):
            get_issue(github)

    def test_circular_redirects_end(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(301, b"", {"Location": f"{server.url}{ISSUE}"}))
        with pytest.raises(Refused):
            get_issue(github)
        assert server.paths() == [ISSUE] * 5

    def test_a_query_that_is_redirected_is_refused(self, server: Server, github: GitHub) -> None:
        server.reply("/graphql", Reply(301, b"", {"Location": "/elsewhere"}))
        with pytest.raises(Refused) as caught:
            send_query(github)
        assert caught.value.status == 301

    @pytest.mark.parametrize("status", [404, 410])
    def test_an_accepted_status_is_returned(self, server: Server, github: GitHub, status: int) -> None:
        server.reply(ISSUE, Reply(status, {"message": "Gone"}))
        answer = github.rest("GET", ISSUE, owner="octocat", accept=frozenset({404, 410}))
        assert (answer.status, answer.data) == (status, {"message": "Gone"})

    def test_a_rate_limit_is_recognized_even_if_its_status_is_accepted(
        self, server: Server, github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(403, {"message": "no"}, {"Retry-After": "5"}))
        with pytest.raises(RateLimited):
            github.rest("GET", ISSUE, owner="octocat", accept=frozenset({403}))

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451])
    def test_any_other_status_is_refused_with_githubs_reason(
        self, server: Server, github: GitHub, status: int
    ) -> None:
        remaining = {"X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": "1800003600"}
        server.reply(ISSUE, Reply(status, {"message": "Resource not accessible by integration"}, remaining))
        with pytest.raises(Refused) as caught:
            get_issue(github)
        refused = caught.value
        assert (refused.status, refused.reason) == (status, "Resource not accessible by integration")

    @pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (499, "no reason given")])
    def test_a_refusal_without_a_message_gets_a_reason(
        self, server: Server, github: GitHub, status: int, reason: str
    ) -> None:
        server.reply(ISSUE, Reply(status, b"<html>"))
        with pytest.raises(Refused) as caught:
            get_issue(github)
        assert caught.value.reason == reason

    def test_a_refusal_does_not_block_later_requests(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(404), Reply(200, {}))
        with pytest.raises(Refused):
            get_issue(github)
        assert get_issue(github).status == 200


class TestPages:
    def test_the_path_of_the_next_page_is_returned(self, server: Server, github: GitHub) -> None:
        link = f'<{server.url}{ISSUE}?cursor=b>; rel="next", <{server.url}{ISSUE}?cursor=a>; rel="first"'
        server.reply(ISSUE, Reply(200, [1], {"Link": link}), Reply(200, [2]))
        first = get_issue(github)
        assert first.next_page == f"{ISSUE}?cursor=b"
        assert github.rest("GET", first.next_page, owner="octocat").next_page is None
        assert server.seen[-1].params == {"cursor": ["b"]}


RATE_LIMITS = [
    pytest.param(403, {"Retry-After": "30"}, "Slow down", 30, id="retry-after"),
    pytest.param(429, {"Retry-After": "30"}, "Slow down", 30, id="retry-after, 429"),
    pytest.param(
        403,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800001200"},
        "API rate limit exceeded for user ID 1.",
        1199.75,
        id="primary",
    ),
    pytest.param(
        429,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800001200"},
        "no",
        1199.75,
        id="primary, 429",
    ),
    pytest.param(
        403,
        {"Retry-After": "30", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800001200"},
        "no",
        30,
        id="both",
    ),
    pytest.param(
        403,
        {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1799999999"},
        "no",
        1,
        id="reset by a clock that is behind",
    ),
    pytest.param(
        403,
        {"X-RateLimit-Remaining": "4000", "X-RateLimit-Reset": "1800001200"},
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        60,
        id="secondary, without a time",
    ),
    pytest.param(429, {}, "no", 60, id="429 alone"),
    pytest.param(429, {"Retry-After": "Fri, 15 Jan 2027 08:00:00 GMT"}, "no", 60, id="a time in words"),
]


class TestRateLimits:
    @pytest.mark.parametrize(("status", "headers", "message", "seconds"), RATE_LIMITS)
    @pytest.mark.parametrize(("path", "send"), [(ISSUE, get_issue), ("/graphql", send_query)])
    def test_every_form_of_a_rate_limit_has_a_retry_time(
        self,
        server: Server,
        github: GitHub,
        path: str,
        send: Callable[[GitHub], Any],
        status: int,
        headers: dict[str, str],
        message: str,
        seconds: float,
    ) -> None:
        server.reply(path, Reply(status, {"message": message}, headers))
        with pytest.raises(RateLimited, match=message) as caught:
            send(github)
        assert caught.value.retry_after_s == seconds

    @pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT"])
    @pytest.mark.parametrize("remaining", ["0", "4"])
    def test_the_primary_limit_of_queries_has_status_200(
        self, server: Server, github: GitHub, kind: str, remaining: str
    ) -> None:
        errors = [{"type": kind, "message": "API rate limit exceeded for installation ID 77."}]
        headers = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": "1800001200"}
        server.reply("/graphql", Reply(200, {"errors": errors}, headers))
        with pytest.raises(RateLimited) as caught:
            send_query(github)
        assert caught.value.retry_after_s == 1199.75

    def test_the_secondary_limit_of_queries_may_have_status_200(self, server: Server, github: GitHub) -> None:
        message = "You have exceeded a secondary rate limit."
        headers = {"X-RateLimit-Remaining": "4000", "X-RateLimit-Reset": "1800001200"}
        server.reply("/graphql", Reply(200, {"data": None, "errors": [{"message": message}]}, headers))
        with pytest.raises(RateLimited) as caught:
            send_query(github)
        assert caught.value.retry_after_s == 60

    def test_no_request_is_sent_until_the_rate_limit_ends(
        self, server: Server, clock: Clock, github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(403, {"message": "Slow down"}, {"Retry-After": "1800"}), Reply(200, {}))
        with pytest.raises(RateLimited):
            get_issue(github)
        clock.now_s += 1799
        for send in (get_issue, send_query):
            with pytest.raises(RateLimited, match="Slow down") as caught:
                send(github, "other")
            assert caught.value.retry_after_s == 1
        assert server.paths() == [ISSUE]
        clock.now_s += 1
        assert get_issue(github).status == 200

    def test_each_installation_has_its_own_rate_limit(self, server: Server, app_github: GitHub) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(429), Reply(200, {}))
        with pytest.raises(RateLimited):
            get_issue(app_github, "octocat")
        assert get_issue(app_github, "hubot").status == 200
        with pytest.raises(RateLimited):
            get_issue(app_github, "Octocat")


class TestOutages:
    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    @pytest.mark.parametrize(("path", "send"), [(ISSUE, get_issue), ("/graphql", send_query)])
    def test_a_server_error_of_github_is_temporary(
        self, server: Server, github: GitHub, path: str, send: Callable[[GitHub], Any], status: int
    ) -> None:
        server.reply(path, Reply(status, b"<html>Unicorn!</html>"))
        with pytest.raises(Unavailable, match=str(status)) as caught:
            send(github)
        assert caught.value.retry_after_s is None
        assert not isinstance(caught.value, RateLimited)

    def test_a_server_error_may_have_a_retry_time(self, server: Server, github: GitHub) -> None:
        server.reply(ISSUE, Reply(503, {"message": "Maintenance"}, {"Retry-After": "120"}))
        with pytest.raises(Unavailable, match="Maintenance") as caught:
            get_issue(github)
        assert caught.value.retry_after_s == 120

    def test_a_refused_connection_is_temporary(self, clock: Clock) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            github = GitHub(Credential(Token(TOKEN)), api_url=f"http://127.0.0.1:{port}", now_s=clock)
            with pytest.raises(Unavailable) as caught:
                get_issue(github)
        assert_not_shown(caught.value, TOKEN)

    def test_a_missing_response_times_out(self, server: Server, clock: Clock) -> None:
        def never(_: Request) -> Reply:
            server.released.wait()
            return Reply()

        server.reply(ISSUE, never)
        github = GitHub(Credential(Token(TOKEN)), api_url=server.url, now_s=clock, read_s=0.1)
        with pytest.raises(Unavailable, match="timed out") as caught:
            get_issue(github)
        assert_not_shown(caught.value, TOKEN)

    def test_time_outs_are_short_by_default(self) -> None:
        assert (transport._CONNECT_S, transport.READ_S) == (2, 5)

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(200, b'{"number": 7', {"Content-Length": "12"}),
            Reply(200, b"<html>Sign in to the hotel's network</html>"),
            Reply(200, b'{"number": 7', {"Content-Length": "100", "Connection": "close"}),
        ],
        ids=["half of the JSON", "no JSON", "half of the bytes"],
    )
    def test_an_incomplete_response_is_an_error(self, server: Server, github: GitHub, reply: Reply) -> None:
        server.reply(ISSUE, reply)
        with pytest.raises(Unavailable):
            get_issue(github)

    def test_no_request_is_sent_for_ten_seconds_after_an_outage(
        self, server: Server, clock: Clock, github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(502), Reply(200, {}))
        with pytest.raises(Unavailable):
            get_issue(github)
        clock.now_s += 9
        for send in (get_issue, send_query):
            with pytest.raises(Unavailable, match="502") as caught:
                send(github)
            assert caught.value.retry_after_s == 1
        assert server.paths() == [ISSUE]
        clock.now_s += 1
        assert get_issue(github).status == 200

    def test_an_outage_blocks_requests_for_a_minute_at_most(
        self, server: Server, clock: Clock, github: GitHub
    ) -> None:
        server.reply(ISSUE, Reply(503, b"", {"Retry-After": "3600"}), Reply(200, {}))
        with pytest.raises(Unavailable):
            get_issue(github)
        clock.now_s += 60
        assert get_issue(github).status == 200

    @pytest.mark.parametrize("kind", [{"type": "RESOURCE_LIMITS_EXCEEDED"}, {}])
    def test_a_failed_query_does_not_block_others(
        self, server: Server, github: GitHub, kind: dict[str, str]
    ) -> None:
        error = kind | {"path": ["node"], "message": "Resource limits for this query exceeded."}
        failed = Reply(200, {"data": {"node": None}, "errors": [error]})
        server.reply("/graphql", failed, Reply(200, {"data": {}}))
        with pytest.raises(QueryFailed):
            send_query(github)
        assert send_query(github) == QueryResult({})

    def test_an_outage_concerns_all_installations(self, server: Server, app_github: GitHub) -> None:
        server.installed["hubot"] = 78
        server.reply(ISSUE, Reply(502), Reply(200, {}))
        with pytest.raises(Unavailable):
            get_issue(app_github, "octocat")
        with pytest.raises(Unavailable):
            get_issue(app_github, "hubot")

    def test_a_failed_token_request_blocks_later_requests(self, server: Server, app_github: GitHub) -> None:
        server.reply("/app/installations/77/access_tokens", Reply(500))
        with pytest.raises(Unavailable):
            send_query(app_github)
        with pytest.raises(Unavailable):
            send_query(app_github)
        assert server.paths().count("/app/installations/77/access_tokens") == 1


class TestConnections:
    def test_a_connection_is_reused(self, server: Server, clock: Clock, github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        for _ in range(3):
            get_issue(github)
            clock.now_s += 30
        assert len({request.connection for request in server.seen}) == 1

    def test_an_idle_connection_is_not_reused(self, server: Server, clock: Clock, github: GitHub) -> None:
        server.reply(ISSUE, Reply(200, {}))
        get_issue(github)
        clock.now_s += 31
        get_issue(github)
        assert len({request.connection for request in server.seen}) == 2


class TestQueries:
    @pytest.mark.parametrize("kind", ["NOT_FOUND", "FORBIDDEN", "INSUFFICIENT_SCOPES"])
    @pytest.mark.parametrize("data", [{"a": {"id": 1}, "b": None}, None])
    def test_missing_and_forbidden_objects_are_reported(
        self, server: Server, github: GitHub, kind: str, data: Any
    ) -> None:
        error = {
            "type": kind,
            "path": ["b", "nodes", 0],
            "extensions": {"saml_failure": False},
            "locations": [{"line": 1, "column": 9}],
            "message": "Could not resolve to a node with the global id of 'rate limit'.",
        }
        server.reply("/graphql", Reply(200, {"data": data, "errors": [error]}))
        expected = GraphQLError(kind, ("b", "nodes", 0), error["message"])  # type: ignore[arg-type]
        assert send_query(github) == QueryResult(data or {}, (expected,))

    @pytest.mark.parametrize(
        "error",
        [
            {"message": "Something went wrong while executing your query. Please include `0C0A:1`."},
            {"message": "timedout"},
            {"type": "INTERNAL", "message": "?"},
            {"type": "SERVICE_UNAVAILABLE", "message": "?", "extensions": {"code": "x"}},
            {
                "type": "RESOURCE_LIMITS_EXCEEDED",
                "path": ["b"],
                "message": "Resource limits for this query exceeded.",
            },
            {"message": "?", "extensions": None},
            {},
        ],
        ids=lambda error: str(error)[:40],
    )
    @pytest.mark.parametrize("others", [[], [{"type": "NOT_FOUND", "path": ["a"], "message": "no"}]])
    @pytest.mark.parametrize("data", [{"a": None, "b": {"id": 1}}, None])
    def test_a_failed_part_fails_the_whole_query(
        self, server: Server, github: GitHub, error: dict[str, Any], others: list[Any], data: Any
    ) -> None:
        server.reply("/graphql", Reply(200, {"data": data, "errors": [*others, error]}))
        with pytest.raises(Unavailable):
            send_query(github)

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"data": None, "errors": []}])
    def test_a_response_with_neither_data_nor_errors_is_an_error(
        self, server: Server, github: GitHub, body: dict[str, Any]
    ) -> None:
        server.reply("/graphql", Reply(200, body))
        with pytest.raises(Unavailable):
            send_query(github)

    @pytest.mark.parametrize(
        "extensions",
        [
            {"code": "undefinedField", "typeName": "Query", "fieldName": "nod"},
            {"code": "argumentNotAccepted", "name": "node", "typeName": "Field", "argumentName": "i"},
            {"value": None, "problems": [{"path": [], "explanation": "Expected value to not be null"}]},
        ],
    )
    def test_an_invalid_query_is_refused(
        self, server: Server, github: GitHub, extensions: dict[str, Any]
    ) -> None:
        error = {"path": ["query"], "extensions": extensions, "message": "This is wrong."}
        server.reply("/graphql", Reply(200, {"errors": [error]}), Reply(200, {"data": {}}))
        with pytest.raises(Refused) as caught:
            send_query(github)
        assert (caught.value.status, caught.value.reason) == (200, "This is wrong.")
        assert send_query(github) == QueryResult({})


class TestSecrets:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
    @pytest.mark.parametrize("path", [ISSUE, "/app/installations", "/app/installations/77/access_tokens"])
    def test_no_error_message_contains_a_secret(
        self, server: Server, app: App, app_github: GitHub, status: int, path: str
    ) -> None:
        server.reply(path, Reply(status, {"message": "No"}))
        with pytest.raises(GitHubError) as caught:
            get_issue(app_github)
        tokens = [request.token for request in server.seen]
        assert_not_shown(caught.value, app.private_key.splitlines()[1], *tokens, *server.tokens)

    def test_no_secret_is_logged(
        self, server: Server, app_github: GitHub, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        server.reply(ISSUE, Reply(200, {}))
        get_issue(app_github)
        assert caplog.text
        for request in server.seen:
            assert request.token not in caplog.text


def assert_not_shown(error: Exception, *secrets: str) -> None:
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert not [secret for secret in secrets if secret in shown]
