"""The operator's command line, on Amazon's DynamoDB Local and a GitHub of one's own."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from timer_core import settings
from timer_core.admin import main
from timer_core.clock import now_ms
from timer_core.domain.errors import Unauthorized
from timer_core.store.people import PeopleStore, Person
from timer_core.store.table import Table
from timer_core.store.timers import TimerStore

OCTOCAT = Person(583231, "octocat")


class GitHub(BaseHTTPRequestHandler):
    """Knows one account, as https://docs.github.com/en/rest/users/users#get-a-user."""

    def do_GET(self) -> None:
        known = self.path.lower() == "/users/octocat"
        # What it answers when it was asked too often.
        self.send_response(200 if known else 403 if self.path == "/users/limited" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"id": 583231, "login": "octocat"} if known else {}).encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


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
    monkeypatch.setenv("TABLE_NAME", shared_table.name)
    settings.settings.cache_clear()
    yield
    settings.settings.cache_clear()


@pytest.fixture
def people(shared_table: Table) -> PeopleStore:
    return PeopleStore(shared_table)


@pytest.fixture
def user(new_person: Callable[[], Person]) -> str:
    """The id of an account that has no tokens."""
    return str(new_person().user_id)


def mint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["token", "mint", *arguments]) == 0
    return capsys.readouterr().out.strip()


def test_minting_registers_a_person_and_prints_a_token_that_works(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    token = mint(capsys, "--user", user, "--login", "octocat")
    assert people.authenticate(token, now_ms=now_ms()) == Person(int(user), "octocat")
    assert people.registered([int(user)]).keys() == {int(user)}


def test_only_the_token_goes_to_standard_output(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["token", "mint", "--user", user, "--login", "octocat"])
    printed = capsys.readouterr()
    assert len(printed.out.split()) == 1
    assert f"octocat ({user})" in printed.err
    assert printed.out.strip() not in printed.err


def test_minting_by_id_alone_keeps_and_shows_the_login(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    mint(capsys, "--user", user, "--login", "octocat")
    assert main(["token", "mint", "--user", user]) == 0
    printed = capsys.readouterr()
    assert f"octocat ({user})" in printed.err
    assert people.authenticate(printed.out.strip(), now_ms=now_ms()).login == "octocat"


def test_a_login_is_looked_up_at_github(
    github: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert github
    assert people.authenticate(mint(capsys, "--user", "OctoCat"), now_ms=now_ms()) == OCTOCAT


@pytest.mark.parametrize("user", ["0", "00"])
def test_no_account_has_an_id_below_one(user: str) -> None:
    with pytest.raises(SystemExit, match="1 or more"):
        main(["token", "mint", "--user", user])


@pytest.mark.parametrize("login", ["nobody", "a/b", "../user"])
def test_a_login_that_github_does_not_know_is_told(github: str, login: str) -> None:
    assert github
    with pytest.raises(SystemExit, match="does not know"):
        main(["token", "mint", "--user", login])


def test_when_github_refuses_to_answer_the_id_is_asked_for(github: str) -> None:
    assert github
    with pytest.raises(SystemExit, match=r"403.*numeric id"):
        main(["token", "mint", "--user", "limited"])


def test_github_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    with pytest.raises(SystemExit, match="numeric id"):
        main(["token", "mint", "--user", "octocat"])


@pytest.mark.parametrize("url", ["http://example.com", "file:///etc/passwd", "ftp://example.com"])
def test_github_is_asked_over_https_only(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GITHUB_API_URL", url)
    with pytest.raises(SystemExit, match="https"):
        main(["token", "mint", "--user", "octocat"])


def test_a_token_can_be_made_to_expire(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    token = mint(capsys, "--user", user, "--expires-days", "0.5")
    assert people.authenticate(token, now_ms=now_ms()).login == user
    with pytest.raises(Unauthorized, match="expired"):
        people.authenticate(token, now_ms=now_ms() + 12 * 3_600_000)


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e9", "soon"])
def test_a_token_cannot_end_before_now_nor_in_a_distant_age(user: str, days: str) -> None:
    with pytest.raises(SystemExit, match="--expires-days"):
        main(["token", "mint", "--user", user, f"--expires-days={days}"])


def test_tokens_are_listed_with_their_names_and_ends(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [
        mint(capsys, "--user", user, "--name", "laptop"),
        mint(capsys, "--user", user, "--name", "CI", "--expires-days", "30"),
    ]
    assert main(["token", "list", "--user", user]) == 0
    printed = capsys.readouterr().out
    for token in people.tokens(int(user)):
        line = next(line for line in printed.splitlines() if line.startswith(token.token_id))
        assert token.name in line
        assert ("never" in line) == (token.name == "laptop")
    assert printed.split("\n")[0].split() == ["ID", "CREATED", "EXPIRES", "NAME"]
    assert not any(text in printed for text in texts)


def test_somebody_without_tokens_is_told_so(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "list", "--user", user]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"User {user} has no tokens.\n")


def test_a_revoked_token_works_no_more(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    text = mint(capsys, "--user", user)
    (token,) = people.tokens(int(user))
    assert main(["token", "revoke", "--user", user, "--id", token.token_id]) == 0
    with pytest.raises(Unauthorized, match="revoked"):
        people.authenticate(text, now_ms=now_ms())


def test_revoking_what_is_not_there_fails(user: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["token", "revoke", "--user", user, "--id", "000000000000"]) == 1
    assert "has no token" in capsys.readouterr().err


def test_who_is_signed_out_has_neither_sessions_nor_tokens(
    user: str, people: PeopleStore, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [mint(capsys, "--user", user) for _ in range(2)]
    signed_in_ms = now_ms()
    assert people.signed_in(int(user), "a session", signed_in_ms)
    assert main(["person", "sign-out", "--user", user]) == 0
    assert "tokens revoked: 2" in capsys.readouterr().out
    assert people.tokens(int(user)) == []
    for text in texts:
        with pytest.raises(Unauthorized, match="revoked"):
            people.authenticate(text, now_ms=now_ms())
    with pytest.raises(Unauthorized, match="over"):
        people.signed_in(int(user), "a session", signed_in_ms)


@pytest.mark.parametrize("track_unregistered", [False, True])
def test_who_is_erased_leaves_nothing_but_that(
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
    (left,) = shared_table.query(f"user#{user}")[0]
    # For good where people are timed who never signed in.
    kept = {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms"}
    assert left.keys() == (kept if track_unregistered else kept | {"expires_at"})


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
    ],
)
def test_an_incomplete_command_explains_itself(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
