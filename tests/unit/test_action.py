"""The GitHub Action. Each test starts the Action as a runner does; a server on this machine responds."""

import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.composite_action import ACTION, METADATA, Run, run_action
from timer_core.github.webhooks.signature import is_signed

SECRET = "It's a Secret to Everybody: 50% off"
# The signature depends on the exact bytes: non-ASCII characters, spaces and the final newline.
BODY = '{"action":  "assigned", "title": "Zeiterfassung für Ärzte ⏱"}\n'.encode()

_specification = importlib.util.spec_from_file_location("forward", ACTION / "forward.py")
assert _specification is not None
assert _specification.loader is not None
forward = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(forward)


class Answer(NamedTuple):
    status: int
    members: dict[str, str]
    headers: dict[str, str] | None = None


ACCEPTED = Answer(202, {"status": "accepted", "delivery": "…"})
UNAVAILABLE = Answer(503, {"detail": "The delivery could not be queued."})
# HANG_UP: close the connection without a response. SILENCE: send no response during the test.
HANG_UP = Answer(0, {})
SILENCE = Answer(-1, {})


class Received(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Server(ThreadingHTTPServer):
    """Sends the answers of a list in order, and then repeats the last answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = [ACCEPTED]
        self.received: list[Received] = []
        self.done = threading.Event()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}/api/github-timer-webhook/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body))
        answers = self.server.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.close_connection = True
        if answer is SILENCE:
            self.server.done.wait()
        elif answer is not HANG_UP:
            text = json.dumps(answer.members).encode()
            self.send_response(answer.status)
            for name, value in {**(answer.headers or {}), "Content-Length": str(len(text))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

    def do_GET(self) -> None:
        """Record a GET, because some clients repeat a POST as a GET when they follow a redirect."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def run(server: Server, tmp_path: Path) -> Callable[..., Run]:
    """Return a function that runs the Action for an event, which is ``issues`` by default."""

    def run(event: str = "issues", **options: Any) -> Run:
        return run_action(tmp_path, event, BODY, **{"url": server.url, "secret": SECRET, **options})

    return run


class Sender:
    """Sends deliveries, and records the waits between attempts (seconds) instead of waiting."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def send(self, url: str) -> Any:
        delivery = forward.signed_delivery(url, SECRET, event="issues", guid="run-1-2", body=BODY)
        return forward.forward(delivery, timeout_s=0.2, sleep=self.waits.append)


def test_an_event_is_delivered_like_a_webhook_of_github(run: Callable[..., Run], server: Server) -> None:
    result = run("issue_comment")
    (received,) = server.received
    assert received.path == "/api/github-timer-webhook/"
    assert received.body == BODY
    assert is_signed(received.body, received.headers["x-hub-signature-256"], [SECRET])
    assert received.headers["x-github-event"] == "issue_comment"
    assert received.headers["x-github-delivery"] == "run-186853002-1658821493"
    assert received.headers["content-type"] == "application/json"
    assert (result.exit_status, result.outputs) == (0, {"status": "accepted"})
    assert result.log == (
        f"issue_comment forwarded to {server.authority} as run-186853002-1658821493: accepted\n"
    )


def test_a_repeated_run_sends_the_same_delivery(run: Callable[..., Run], server: Server) -> None:
    run(attempt=1)
    run(attempt=2)
    first, again = server.received
    assert first.headers["x-github-delivery"] == again.headers["x-github-delivery"]


def test_an_ignored_event_is_not_a_failure(run: Callable[..., Run], server: Server) -> None:
    server.answers = [Answer(200, {"status": "ignored", "reason": "not_handled"})]
    result = run(fail_on_error="true")
    assert (result.exit_status, result.outputs) == (0, {"status": "ignored"})
    assert result.log.endswith(': ignored ("not_handled")\n')


def test_names_below_localhost_need_https(run: Callable[..., Run], server: Server) -> None:
    result = run(url=f"http://timer.localhost:{server.server_port}/hook/")
    assert result.outputs == {"status": "failed"}
    assert server.received == []


def test_localhost_resolves_to_this_machine(run: Callable[..., Run], server: Server) -> None:
    assert run(url=f"http://localhost:{server.server_port}/hook/").exit_status == 0
    (received,) = server.received
    assert (received.headers["host"], received.path) == (f"localhost:{server.server_port}", "/hook/")


@pytest.mark.parametrize("failure", [UNAVAILABLE, Answer(429, {}), Answer(500, {}), HANG_UP, SILENCE])
def test_temporary_failures_are_retried_with_the_same_delivery(server: Server, failure: Answer) -> None:
    server.answers = [failure, failure, ACCEPTED]
    sender = Sender()
    assert sender.send(server.url) == ACCEPTED.members
    assert len(server.received) == 3
    assert server.received[0] == server.received[1] == server.received[2]
    assert len(sender.waits) == 2


def test_waits_between_attempts_grow_and_the_attempts_end(server: Server) -> None:
    server.answers = [UNAVAILABLE]
    sender = Sender()
    with pytest.raises(forward.NotForwarded, match="answered 503"):
        sender.send(server.url)
    assert len(server.received) == 5
    assert all(2**n / 2 <= wait <= 2**n for n, wait in zip(range(4), sender.waits, strict=True)), sender.waits


def test_a_refused_connection_is_temporary() -> None:
    with Server() as closed:
        url = closed.url
    sender = Sender()
    with pytest.raises(forward.Retryable, match="did not answer") as failure:
        sender.send(url)
    assert len(sender.waits) == 4
    assert "refused" in failure.value.details


@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_waits_for_retry_after(server: Server, status: int) -> None:
    server.answers = [Answer(status, {}, {"Retry-After": "17"}), ACCEPTED]
    sender = Sender()
    sender.send(server.url)
    assert sender.waits == [17]


@pytest.mark.parametrize("retry_after", ["", "soon", "-3", "Fri, 31 Dec 1999 23:59:59 GMT", "²", "1" * 10])
def test_an_invalid_retry_after_does_not_change_the_wait(server: Server, retry_after: str) -> None:
    server.answers = [Answer(503, {}, {"Retry-After": retry_after}), ACCEPTED]
    sender = Sender()
    sender.send(server.url)
    assert len(sender.waits) == 1
    assert sender.waits[0] <= 1


def test_a_runner_does_not_wait_longer_than_the_maximum(server: Server) -> None:
    server.answers = [Answer(429, {}, {"Retry-After": "25"})]
    sender = Sender()
    with pytest.raises(forward.NotForwarded, match="answered 429"):
        sender.send(server.url)
    assert sender.waits == [25]
    assert len(server.received) == 2


def test_a_retry_is_logged(run: Callable[..., Run], server: Server) -> None:
    server.answers = [UNAVAILABLE, ACCEPTED]
    result = run(fail_on_error="true")
    assert (result.exit_status, result.outputs) == (0, {"status": "accepted"})
    first, second = result.log.splitlines()
    assert first.startswith(f"Attempt 1: {server.authority} answered 503. The next one is in ")
    assert second.endswith("accepted")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422])
def test_a_refusal_is_final(server: Server, status: int) -> None:
    server.answers = [Answer(status, {"detail": "No."})]
    with pytest.raises(forward.NotForwarded, match=f"answered {status}"):
        Sender().send(server.url)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("fail_on_error", "exit_status", "command"),
    [({}, 0, "warning"), ({"fail_on_error": "false"}, 0, "warning"), ({"fail_on_error": "true"}, 1, "error")],
)
def test_a_failure_warns_or_fails_as_configured(
    run: Callable[..., Run], server: Server, fail_on_error: dict[str, str], exit_status: int, command: str
) -> None:
    server.answers = [Answer(401, {"detail": "X-Hub-Signature-256 is missing or wrong."})]
    result = run(**fail_on_error)
    assert (result.exit_status, result.outputs) == (exit_status, {"status": "failed"})
    assert result.log == (
        f"::{command} title=Issue Timer::{server.authority} answered 401: "
        '"X-Hub-Signature-256 is missing or wrong."\n'
    )


@pytest.mark.parametrize(
    ("fail_on_error", "exit_status", "command"), [("false", 0, "warning"), ("true", 1, "error")]
)
def test_an_invalid_host_name_warns_or_fails_as_configured(
    run: Callable[..., Run], fail_on_error: str, exit_status: int, command: str
) -> None:
    result = run(url="https://issue-timer..example/", fail_on_error=fail_on_error)
    assert (result.exit_status, result.outputs) == (exit_status, {"status": "failed"})
    assert result.log.startswith(f"::{command} title=Issue Timer::The input url is not")


@pytest.mark.parametrize(("fail_on_error", "exit_status"), [("false", 0), ("true", 1)])
def test_an_unreadable_event_warns_or_fails_as_configured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fail_on_error: str,
    exit_status: int,
) -> None:
    variables = {
        "GITHUB_EVENT_NAME": "issues",
        "GITHUB_EVENT_PATH": str(tmp_path / "nowhere.json"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_REPOSITORY_ID": "1",
        "GITHUB_RUN_ID": "1",
        "ISSUE_TIMER_URL": "https://issue-timer.example/",
        "ISSUE_TIMER_SECRET": SECRET,
        "ISSUE_TIMER_FAIL_ON_ERROR": fail_on_error,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert forward.main() == exit_status
    assert "cannot be read" in capsys.readouterr().out
    assert (tmp_path / "output").read_text() == "status=failed\n"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(run: Callable[..., Run], server: Server, status: int) -> None:
    server.answers = [Answer(status, {}, {"Location": f"{server.url}elsewhere/"}), ACCEPTED]
    assert run().outputs == {"status": "failed"}
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://issue-timer.example/api/github-timer-webhook/",
        "http://localhost.example/",
        "http://notlocalhost/",
        "http://127.0.0.2/",
        "http://127.0.0.1.example/",
        "ftp://localhost/",
        "file:///etc/passwd",
        "https://",
        "https:///api/",
        "https://user:password@issue-timer.example/",
        "http://localhost@issue-timer.example/",
        "https://issue-timer.example:port/",
        "https://[issue-timer.example/",
        "https://issue-timer.example/a b",
        "https://issue-timer.example/\r\nX-Header: 1",
        "https://ißue-timer.example/",
        "https://issue-timer..example/",
        f"https://{'issue-timer' * 6}.example/",
        "issue-timer.example",
        "",
    ],
)
def test_only_https_or_this_machine_is_accepted(url: str) -> None:
    with pytest.raises(forward.NotForwarded, match="begins with https://"):
        forward.signed_delivery(url, SECRET, event="issues", guid="run-1-2", body=BODY)


@pytest.mark.parametrize(
    "url", ["https://issue-timer.example/hook/", "\thttps://issue-timer.example/hook/\n"]
)
def test_whitespace_around_a_url_is_ignored(url: str) -> None:
    delivery = forward.signed_delivery(url, SECRET, event="issues", guid="run-1-2", body=BODY)
    assert (delivery.url, delivery.receiver) == ("https://issue-timer.example/hook/", "issue-timer.example")


@pytest.mark.parametrize("event", ["push", "repository", "projects_v2_item", "issues\n::error::"])
def test_other_events_are_not_sent(run: Callable[..., Run], server: Server, event: str) -> None:
    result = run(event)
    assert result.outputs == {"status": "failed"}
    assert "Only issues and issue_comment are forwarded" in result.log
    assert server.received == []
    assert len(result.log.splitlines()) == 1


def test_a_missing_secret_is_named_and_nothing_is_sent(run: Callable[..., Run], server: Server) -> None:
    result = run(secret="")
    assert result.outputs == {"status": "failed"}
    assert "The input secret is empty" in result.log
    assert server.received == []


def test_another_site_is_not_mistaken_for_issue_timer(run: Callable[..., Run], server: Server) -> None:
    server.answers = [Answer(200, {"hello": "world"})]
    result = run()
    assert result.outputs == {"status": "failed"}
    assert "not as Issue Timer does" in result.log


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, {"detail": f"{'.' * 190}{SECRET}"}),
        Answer(404, {"status": SECRET, "title": SECRET}),
        Answer(200, {"status": "ignored", "reason": f"no {SECRET}"}),
        Answer(200, {"status": SECRET}),
        Answer(302, {"detail": SECRET}, {"Location": f"/{SECRET}"}),
        Answer(503, {"detail": SECRET}, {"Retry-After": "99"}),
    ],
)
def test_a_secret_in_a_response_is_not_logged(
    run: Callable[..., Run], server: Server, answer: Answer
) -> None:
    server.answers = [answer]
    log = run().log
    assert len(log.splitlines()) == 1
    assert not any(SECRET[start : start + 6] in log for start in range(len(SECRET) - 5)), log


def test_a_response_cannot_inject_workflow_commands(run: Callable[..., Run], server: Server) -> None:
    server.answers = [Answer(400, {"detail": "100%\r\n::error::yes\n##[error]yes\u2028::error::yes"})]
    log = run().log
    assert log.endswith(r'answered 400: "100%25\r\n::error::yes\n# #[error]yes\u2028::error::yes"' + "\n")


def test_the_message_of_a_workflow_command_is_escaped() -> None:
    assert forward._escaped("50%0A\r\n::error::") == "50%250A%0D%0A::error::"


def test_inputs_are_never_part_of_a_script(run: Callable[..., Run], tmp_path: Path) -> None:
    assert not any("${{" in step["run"] for step in METADATA["runs"]["steps"])
    run(url='"; touch url; "$(touch url)', secret='"; touch secret; "$(touch secret)')
    assert not {"url", "secret"} & {path.name for path in tmp_path.iterdir()}
