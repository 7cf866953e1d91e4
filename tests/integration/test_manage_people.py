"""The operators' command line for people and tokens, on Amazon's DynamoDB Local and a fake GitHub."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from deployed_stack.errors import ToolError
from timer_core import settings
from timer_core.clock import now_ms
from timer_core.domain.errors import Unauthorized
from timer_core.store.people import PeopleStore, Person, registered
from timer_core.store.sessions import SessionStore
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore
from timer_core.store.tokens import TokenStore

OCTOCAT = Person(583231, "octocat")
_script = importlib.util.spec_from_file_location(
    "manage_people", Path(__file__).parents[2] / "scripts/manage_people.py"
)
assert _script is not None
assert _script.loader is not None
manage_people = importlib.util.module_from_spec(_script)
_script.loader.exec_module(manage_people)
main = manage_people.main


class GitHub(BaseHTTPRequestHandler):
    """A fake of GitHub with one account (https://docs.github.com/en/rest/users/users#get-a-user)."""

    def do_GET(self) -> None:
        known = self.path.lower() == "/users/octocat"
        # GitHub responds with 403 when a rate limit is exceeded.
        self.send_response(200 if known else 403 if self.path == "/users/limited" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"id": 583231, "login": "octocat"} if known else {}).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), GitHub) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("GITHUB_API_URL", url)
        yield url
        server.shutdown()


@pytest.fixture(autouse=True)
def environment(shared_table: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a stack that has only its table."""
    stack = SimpleNamespace(table_name=shared_table.name, environment={})
    monkeypatch.setattr(manage_people, "chosen_stack", lambda _options: stack)
    monkeypatch.setenv("TABLE_NAME", shared_table.name)
    settings.settings.cache_clear()
    yield
    settings.settings.cache_clear()


@pytest.fixture
def tokens(shared_table: Table) -> TokenStore:
    return TokenStore(shared_table)


@pytest.fixture
def user(new_person: Callable[[], Person]) -> str:
    """The id of an account that has no tokens."""
    return str(new_person().user_id)


def mint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["token", "mint", *arguments]) == 0
    return capsys.readouterr().out.strip()


def test_minting_registers_a_person_and_prints_a_valid_token(
    user: str, tokens: TokenStore, shared_table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    token = mint(capsys, "--user", user, "--login", "octocat")
    person = tokens.authenticate(token, now_ms=now_ms())
    assert (person.user_id, person.login) == (int(user), "octocat")
    assert registered(PeopleStore(shared_table).profiles([int(user)])).keys() == {int(user)}


def test_only_the_token_goes_to_standard_output(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "mint", "--user", user, "--login", "octocat"])
    printed = capsys.readouterr()
    assert len(printed.out.split()) == 1
    assert f"octocat ({user})" in printed.err
    assert printed.out.strip() not in printed.err


def test_minting_by_id_keeps_and_prints_the_login(
    user: str, tokens: TokenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    mint(capsys, "--user", user, "--login", "octocat")
    assert main(["token", "mint", "--user", user]) == 0
    printed = capsys.readouterr()
    assert f"octocat ({user})" in printed.err
    assert tokens.authenticate(printed.out.strip(), now_ms=now_ms()).login == "octocat"


def test_a_login_is_looked_up_at_github(
    github: str, tokens: TokenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert github
    person = tokens.authenticate(mint(capsys, "--user", "OctoCat"), now_ms=now_ms())
    assert (person.user_id, person.login) == (OCTOCAT.user_id, OCTOCAT.login)


@pytest.mark.parametrize("user", ["0", "00"])
def test_an_id_below_one_is_refused(user: str) -> None:
    with pytest.raises(ToolError, match="1 or more"):
        main(["token", "mint", "--user", user])


@pytest.mark.parametrize("login", ["nobody", "a/b", "../user"])
def test_a_login_without_a_github_account_is_reported(github: str, login: str) -> None:
    assert github
    with pytest.raises(ToolError, match="has no account"):
        main(["token", "mint", "--user", login])


def test_a_refused_look_up_asks_for_the_id(github: str) -> None:
    assert github
    with pytest.raises(ToolError, match=r"403.*numeric id"):
        main(["token", "mint", "--user", "limited"])


def test_an_unreachable_github_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    with pytest.raises(ToolError, match="numeric id"):
        main(["token", "mint", "--user", "octocat"])


@pytest.mark.parametrize("url", ["http://example.com", "file:///etc/passwd", "ftp://example.com"])
def test_the_look_up_uses_https_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GITHUB_API_URL", url)
    with pytest.raises(ToolError, match="https"):
        main(["token", "mint", "--user", "octocat"])


def test_a_token_can_expire(user: str, tokens: TokenStore, capsys: pytest.CaptureFixture[str]) -> None:
    token = mint(capsys, "--user", user, "--expires-days", "0.5")
    assert tokens.authenticate(token, now_ms=now_ms()).login == user
    with pytest.raises(Unauthorized, match="expired"):
        tokens.authenticate(token, now_ms=now_ms() + 12 * 3_600_000)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e9", "soon"])
def test_an_expiry_out_of_range_is_refused(user: str, days: str) -> None:
    with pytest.raises(SystemExit, match="--expires-days"):
        main(["token", "mint", "--user", user, f"--expires-days={days}"])


def test_tokens_are_listed_with_name_and_expiry(
    user: str, tokens: TokenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [
        mint(capsys, "--user", user, "--name", "laptop"),
        mint(capsys, "--user", user, "--name", "CI", "--expires-days", "30"),
    ]
    assert main(["token", "list", "--user", user]) == 0
    printed = capsys.readouterr().out
    for token in tokens.of(int(user)):
        line = next(line for line in printed.splitlines() if line.startswith(token.token_id))
        assert token.name in line
        assert ("never" in line) == (token.name == "laptop")
    assert printed.split("\n")[0].split() == ["ID", "CREATED", "EXPIRES", "NAME"]
    assert not any(text in printed for text in texts)


def test_listing_no_tokens_prints_a_message(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "list", "--user", user]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"User {user} has no tokens.\n")


def test_a_revoked_token_is_refused(
    user: str, tokens: TokenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    text = mint(capsys, "--user", user)
    (token,) = tokens.of(int(user))
    assert main(["token", "revoke", "--user", user, "--id", token.token_id]) == 0
    with pytest.raises(Unauthorized, match="revoked"):
        tokens.authenticate(text, now_ms=now_ms())


def test_revoking_an_unknown_token_fails(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "revoke", "--user", user, "--id", "000000000000"]) == 1
    assert "has no token" in capsys.readouterr().err


def test_signing_out_ends_all_sessions_and_revokes_all_tokens(
    user: str, tokens: TokenStore, shared_table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [mint(capsys, "--user", user) for _ in range(2)]
    sessions, signed_in_ms = SessionStore(shared_table), now_ms()
    assert sessions.person_of(int(user), "a session", signed_in_ms)
    assert main(["person", "sign-out", "--user", user]) == 0
    assert "tokens revoked: 2" in capsys.readouterr().out
    assert tokens.of(int(user)) == []
    for text in texts:
        with pytest.raises(Unauthorized, match="revoked"):
            tokens.authenticate(text, now_ms=now_ms())
    with pytest.raises(Unauthorized, match="ended"):
        sessions.person_of(int(user), "a session", signed_in_ms)


@pytest.mark.parametrize("track_unregistered", [False, True])
def test_erasing_a_person_keeps_only_a_marker(
    user: str,
    track_unregistered: bool,
    shared_table: Table,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRACK_UNREGISTERED", str(track_unregistered).lower())
    settings.settings.cache_clear()
    mint(capsys, "--user", user)
    TimerStore(shared_table).start(user_id=int(user), now_ms=now_ms(), issue=None)
    assert main(["person", "erase", "--user", user]) == 0
    (marker,) = shared_table.query(f"user#{user}")[0]
    # The marker does not expire if unregistered people are tracked.
    kept = {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms"}
    assert marker.keys() == (kept if track_unregistered else kept | {"expires_at"})


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["person"],
        ["person", "erase"],
        ["token"],
        ["token", "mint"],
        ["token", "revoke", "--user", "1"],
        ["person", "delete"],
        ["migrate"],
    ],
)
def test_an_incomplete_command_prints_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
