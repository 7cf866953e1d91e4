"""The stack of `make run`, whose demo replaces GitHub's sign-in until credentials for GitHub are stored."""

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers
from deployed_stack.http_client import Response, request
from deployed_stack.sign_in import CALLBACK_PATH, LOGIN_PATH
from local_stack import LocalStack, free_port
from local_stack.front_door import cookie_name
from local_stack.stack import DEMO_LOGIN
from tests.e2e.conftest import ANN, eventually, payload, restart
from timer_core.api.sessions import SESSION_COOKIE

OPERATE = Path(__file__).parents[2] / "scripts/operate.py"
EMBEDDING = ["https://tracker.example", "https://wiki.example"]


class Machine:
    """A machine on which `make run` starts and stops a stack, and keeps its state."""

    def __init__(self, state: Path) -> None:
        self.port, self.state = free_port(), state
        self.reported: list[str] = []
        self.stack = self.new_stack()

    def new_stack(self) -> LocalStack:
        parameters = {"AllowedOrigins": ",".join(EMBEDDING)}
        return LocalStack(
            self.port, self.state, self.reported.append, parameters=parameters, with_demo_github=True
        )

    def kill_emulator(self) -> None:
        """Kill the emulator's process, which can save nothing."""
        process = self.stack.emulator._process
        assert process
        process.kill()
        process.wait()

    def restart(self) -> LocalStack:
        """Stop the stack, and start a new one with the same state."""
        self.stack.stop()
        self.stack = self.new_stack()
        self.stack.start()
        return self.stack

    def store(self, **credentials: Mapping[str, str]) -> None:
        """Replace the stack's credentials."""
        ssm = self.stack.aws.client("ssm")
        ssm.delete_parameters(Names=["/issue-timer/github", "/issue-timer/oauth"])
        for name, content in credentials.items():
            ssm.put_parameter(Name=f"/issue-timer/{name}", Value=json.dumps(content), Type="SecureString")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("stack"))
    machine.stack.start()
    yield machine
    machine.stack.stop()


@pytest.fixture
def stack(machine: Machine) -> LocalStack:
    """The stack that runs on the machine."""
    return machine.stack


class Browser:
    """Stores the stack's cookies, and sends them with each request."""

    def __init__(self, stack: LocalStack, origin: str = "") -> None:
        self.url = origin or stack.url
        self.port = stack.port
        self.session_cookie = cookie_name(SESSION_COOKIE, stack.port)
        self.cookies: SimpleCookie = SimpleCookie()

    def get(self, url: str, **headers: str) -> Response:
        return self.send("GET", url, headers)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Response:
        sent = "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items() if morsel.value)
        # Another port than the stack's is forwarded to it.
        parts = urlsplit(url)
        local = urlunsplit(parts._replace(netloc=f"localhost:{self.port}"))
        response = request(
            method,
            local,
            body=body,
            headers={"Host": parts.netloc, **headers, **({"Cookie": sent} if sent else {})},
        )
        for header in response.headers.get_all("Set-Cookie") or []:
            self.cookies.load(header)
        return response

    def sign_in(self, login: str) -> Response:
        """Sign in as a demo user, or decline if the login is empty. Return the callback's response."""
        location = self.get(f"{self.url}{LOGIN_PATH}?next=/").headers["Location"]
        assert location.startswith(f"{self.url}/demo/")
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)">', self.get(location).body.decode()))
        choice = self.send(
            "POST",
            location.partition("?")[0],
            {"Content-Type": "application/x-www-form-urlencoded"},
            urlencode(form | {"login": login}).encode(),
        )
        return self.get(choice.headers["Location"])

    def me(self) -> Any:
        response = self.get(f"{self.url}/api/auth/me/")
        return json.loads(response.body) if response.status == 200 else None


@pytest.mark.parametrize(("login", "user_id"), [("Codertocat", 21031067), ("octocat", 583231)])
def test_demo_users_can_sign_in(stack: LocalStack, login: str, user_id: int) -> None:
    browser = Browser(stack)
    back = browser.sign_in(login)
    assert (back.status, back.headers["Location"]) == (302, "/")
    me = browser.me()
    assert (me["id"], me["login"]) == (user_id, login)


def test_a_forged_host_header_does_not_make_a_request_same_origin(stack: LocalStack) -> None:
    browser, start = Browser(stack), f"{stack.url}/api/timelogs/start/"
    browser.sign_in("octocat")
    for origin, status in (("https://evil.example", 403), (stack.url, 201)):
        forged = {"Origin": origin, "X-Viewer-Host": "evil.example", "X-Forwarded-Proto": "https"}
        assert browser.send("POST", start, forged).status == status


def test_rotating_the_session_key_signs_nobody_out(stack: LocalStack) -> None:
    before = Browser(stack)
    before.sign_in("octocat")
    assert before.get(f"{stack.url}/api/timelogs/").status == 200
    assert "nobody is signed out" in rotate_session_key(stack)
    restart(stack, "AuthFunction")
    after = Browser(stack)
    after.sign_in("octocat")
    # New sessions are signed with the former key for six more minutes, because timelogs was not restarted and
    # does not know the new key.
    assert key_id(after) == key_id(before)
    assert before.me() == after.me() | {"session": before.me()["session"]}
    for browser in (after, before):
        assert browser.get(f"{stack.url}/api/timelogs/").status == 200
    refused = rotate_session_key(stack, "--done", status=1)
    assert "less than two hours ago" in refused
    rotate_session_key(stack, "--leaked")
    restart(stack, "AuthFunction")
    assert (before.me(), after.me()) == (None, None)
    again = Browser(stack)
    again.sign_in("octocat")
    assert key_id(again) != key_id(before)
    assert again.get(f"{stack.url}/api/timelogs/").status == 200


def rotate_session_key(stack: LocalStack, *options: str, status: int = 0) -> str:
    """Run the command of `make rotate-session-key`, and return its output."""
    command = [sys.executable, str(OPERATE), "--port", str(stack.port), "session-key", *options]
    tool = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False
    )
    assert tool.returncode == status, tool.stdout
    return tool.stdout


def key_id(browser: Browser) -> str:
    """Return the id of the key that signed a browser's session."""
    header = browser.cookies[browser.session_cookie].value.partition(".")[0]
    kid: str = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    return kid


def test_declining_at_github_signs_nobody_in(stack: LocalStack) -> None:
    browser = Browser(stack)
    assert "Location" not in browser.sign_in("").headers
    assert browser.me() is None


def test_cookies_of_the_local_stack_need_no_tls(stack: LocalStack) -> None:
    # Some browsers refuse "__Host-" and "Secure" from localhost over plain HTTP.
    browser = Browser(stack)
    begun = browser.get(f"{stack.url}{LOGIN_PATH}")
    cookies = [
        cookie
        for response in (begun, browser.sign_in("octocat"))
        for cookie in response.headers.get_all("Set-Cookie") or []
    ]
    assert len(cookies) == 2
    for cookie in cookies:
        assert not cookie.startswith("__")
        assert "Secure" not in cookie.split("; ")
        assert "HttpOnly" in cookie.split("; ")


# ---------------------------------------------------------------- pages of other sites


def preflight(stack: LocalStack, origin: str) -> Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return request("OPTIONS", f"{stack.url}/api/timelogs/start/", headers=headers)


@pytest.mark.parametrize("origin", EMBEDDING)
def test_pages_that_embed_the_widget_may_call_the_api(stack: LocalStack, origin: str) -> None:
    answer = preflight(stack, origin)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert "Access-Control-Allow-Credentials" not in answer.headers
    methods = answer.headers["Access-Control-Allow-Methods"].split(",")
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(methods)
    assert {"authorization", "content-type", "idempotency-key", "if-none-match"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(",")
    )


def test_embedding_pages_may_read_error_responses(stack: LocalStack) -> None:
    answer = request("GET", f"{stack.url}/api/timelogs/", headers={"Origin": EMBEDDING[0]})
    assert answer.status == 401
    assert answer.headers["Access-Control-Allow-Origin"] == EMBEDDING[0]
    assert {"etag", "retry-after"} <= set(answer.headers["Access-Control-Expose-Headers"].split(","))


@pytest.mark.parametrize("origin", ["https://attacker.example", "http://tracker.example", "null"])
def test_pages_of_other_sites_may_not_call_the_api(stack: LocalStack, origin: str) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(stack, origin).headers
    answer = request("GET", f"{stack.url}/api/timelogs/", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_sign_in_uses_the_callback_url_that_is_registered_at_github(stack: LocalStack) -> None:
    location = request("GET", stack.url + LOGIN_PATH).headers["Location"]
    assert urlencode({"redirect_uri": stack.url + CALLBACK_PATH}) in location


# ---------------------------------------------------------------- viewers' addresses


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "[::1]:{}", "localhost:8080"])
def test_one_signs_in_at_each_address_and_stays_there(stack: LocalStack, host: str) -> None:
    origin = f"http://{host.format(stack.port)}"
    browser = Browser(stack, origin)
    assert browser.sign_in("octocat").status == 302
    assert browser.me()["login"] == "octocat"
    # A change needs the page's own origin.
    start = f"{origin}/api/timelogs/start/"
    assert browser.send("POST", start, {"Origin": origin}).status == 201
    assert browser.send("POST", start, {"Origin": "http://localhost:1"}).status == 403


# ---------------------------------------------------------------- crashes


def test_an_acknowledged_timer_survives_a_kill_of_the_emulator(machine: Machine) -> None:
    stack = machine.stack
    token = {
        "Authorization": f"Token {stack.mint_token(ANN[0], login=ANN[1])}",
        "Content-Type": "application/json",
    }
    issue = json.dumps({"github_issue_url": "https://github.com/octo-org/crash/issues/1"}).encode()
    started = request("POST", f"{stack.url}/api/timelogs/start/", body=issue, headers=token)
    machine.kill_emulator()
    assert started.status == 201
    assert request("GET", stack.url).status == 503
    stack.recover()
    assert "starting it again" in machine.reported[-2]
    timer = json.loads(started.body)["id"]
    found = request("GET", f"{stack.url}/api/timelogs/{timer}/", headers=token)
    assert (found.status, json.loads(found.body)["status"]) == (200, "running")


def test_an_acknowledged_delivery_survives_a_kill_of_the_emulator(machine: Machine) -> None:
    stack = machine.stack
    token = {"Authorization": f"Token {stack.mint_token(ANN[0], login=ANN[1])}"}
    stack.aws.client("dynamodb").update_item(
        TableName=stack.table_name,
        Key={"pk": {"S": f"user#{ANN[0]}"}, "sk": {"S": "profile"}},
        UpdateExpression="SET created_ms = :then",
        ExpressionAttributeValues={":then": {"N": "0"}},
    )
    body = json.dumps(payload("issues.assigned", "octo-org/crash", 2)).encode()
    headers = delivery_headers("issues", body, stack.webhook_secret())
    accepted = request("POST", stack.url + WEBHOOK_PATH, body=body, headers=headers)
    machine.kill_emulator()
    assert accepted.status == 202
    stack.recover()

    def timers() -> Any:
        query = f"{stack.url}/api/timelogs/?github_repo=octo-org/crash&github_issue_number=2"
        return json.loads(request("GET", query, headers=token).body)["results"]

    assert len(eventually(timers)) == 1


def test_every_change_of_a_burst_is_there_once_after_a_kill(machine: Machine) -> None:
    stack = machine.stack
    dynamodb, key = stack.aws.client("dynamodb"), {"pk": {"S": "test#crash"}, "sk": {"S": "counter"}}
    for _ in range(3):
        for _ in range(50):
            dynamodb.update_item(
                TableName=stack.table_name,
                Key=key,
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
        # This call changes something else, so a snapshot precedes the next change.
        stack.aws.client("s3").put_object(Bucket=stack.outputs["WebBucketName"], Key="x.txt", Body=b"x")
    machine.kill_emulator()
    stack.recover()
    dynamodb = stack.aws.client("dynamodb")
    item = dynamodb.get_item(TableName=stack.table_name, Key=key, ConsistentRead=True)["Item"]
    assert item["n"] == {"N": "150"}
    dynamodb.delete_item(TableName=stack.table_name, Key=key)


def test_the_emulators_lost_data_is_noticed_while_it_runs(machine: Machine) -> None:
    stack = machine.stack
    stack.recover()
    reported = len(machine.reported)
    access = stack.emulator.access
    scope = f"{access.access_key_id}/20261130/us-east-1/s3/aws4_request"
    key = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    assert request("POST", f"{stack.endpoint_url}/_ministack/reset", headers=key).status == 200
    stack.recover()
    assert "lost its data" in machine.reported[reported]
    assert request("GET", stack.url).status == 200
    assert Browser(stack).sign_in("octocat").status == 302


def test_the_emulators_lost_data_is_noticed_at_the_start(machine: Machine) -> None:
    machine.stack.stop()
    (machine.state / "services/dynamodb.json").write_text("{")
    machine.stack = machine.new_stack()
    machine.stack.start()
    assert [line for line in machine.reported if "lost its data" in line][1:]
    assert (machine.state / "lost/services/dynamodb.json").read_text() == "{"
    assert Browser(machine.stack).sign_in("octocat").status == 302


# ---------------------------------------------------------------- restarts, with other credentials


def test_the_emulators_port_may_be_used_by_another_program_after_a_restart(machine: Machine) -> None:
    browser, port = Browser(machine.stack), machine.stack.emulator.access.port
    browser.sign_in("octocat")
    machine.stack.stop()
    with socket.create_server(("127.0.0.1", port)):
        machine.stack = machine.new_stack()
        machine.stack.start()
        assert machine.stack.emulator.access.port != port
        assert browser.me()["login"] == "octocat"
        assert machine.stack.wait_for_queue(1)


def test_the_demo_keeps_its_address_after_a_restart(machine: Machine) -> None:
    browser = Browser(machine.stack)
    browser.sign_in("octocat")
    before = browser.get(browser.url + LOGIN_PATH).headers["Location"]
    machine.restart()
    after = browser.get(browser.url + LOGIN_PATH).headers["Location"]
    assert urlsplit(after).netloc == urlsplit(before).netloc
    # Sessions survive the restart.
    assert browser.me()["login"] == "octocat"
    assert browser.sign_in("Codertocat").status == 302


def test_an_admin_of_the_demo_is_none_at_github(machine: Machine) -> None:
    assert machine.stack.parameters["AdminLogins"] == DEMO_LOGIN
    machine.store(oauth={"client_id": "Ov23liAAAAAAAAAAAAAA", "client_secret": "secret"})
    assert machine.restart().parameters["AdminLogins"] == ""


def test_signing_in_is_unavailable_if_only_a_token_for_the_api_is_stored(machine: Machine) -> None:
    demo_client = {"client_id": "demo-1", "client_secret": "of no use at GitHub"}
    machine.store(github={"token": "github_pat_1"}, oauth=demo_client)
    stack = machine.restart()
    assert stack.demo_github is None
    assert request("GET", stack.url + LOGIN_PATH).status == 503


def test_stored_oauth_credentials_replace_the_demo_by_github(machine: Machine) -> None:
    machine.store(oauth={"client_id": "Ov23liAAAAAAAAAAAAAA", "client_secret": "secret"})
    stack = machine.restart()
    assert stack.demo_github is None
    location = request("GET", stack.url + LOGIN_PATH).headers["Location"]
    assert location.startswith("https://github.com/login/oauth/authorize?client_id=Ov23liAAAAAAAAAAAAAA&")
