"""Texts that name an issue on GitHub, and texts that name no issue."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.addresses import organization_of
from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue

ISSUE = Issue("octocat", "Hello-World", 1347)
GITHUB = "https://github.com"
SERVERS = [GITHUB, "https://octo.ghe.com", "http://localhost:4570/demo"]

_SPELLINGS = json.loads(Path(__file__).parents[1].joinpath("issue_spellings.json").read_text())
_MISTAKES = {
    "empty": "Must not be empty.",
    "number": f"The number must be between 1 and {MAX_ISSUE_NUMBER}.",
    "form": "Must be an issue: {}/owner/name/issues/1 or owner/name#1.",
}


class TestUrl:
    """The widget's parser passes the same table in tests/javascript/issue-link.test.js."""

    @pytest.mark.parametrize(
        "case", [case for case in _SPELLINGS if "issue" in case], ids=lambda c: c["text"]
    )
    def test_names_an_issue(self, case: dict[str, str]) -> None:
        issue = Issue.from_url(case["text"], case.get("github", GITHUB))
        assert f"{issue.full_name}#{issue.number}" == case["issue"]
        assert issue.is_pull == case.get("pull", False)

    @pytest.mark.parametrize(
        "case", [one for one in _SPELLINGS if "mistake" in one], ids=lambda one: one["text"]
    )
    def test_of_another_kind_is_refused_with_the_reason(self, case: dict[str, str]) -> None:
        with pytest.raises(InvalidInput) as refused:
            Issue.from_url(case["text"], case.get("github", GITHUB))
        assert (refused.value.field, refused.value.message) == (
            "github_issue_url",
            _MISTAKES[case["mistake"]].format(case.get("github", GITHUB)),
        )

    @pytest.mark.parametrize(
        "text",
        [
            f"https://github.com/octocat/hello/issues/{'1' * 5000}",
            f"https://github.com/{'a/' * 50_000}issues/1",
            f"https://github.com/a?{'issue=a|b|' * 10_000}",
            f"https://github.com/octocat/{'r' * 101}/issues/1",
            f"octocat/hello{' ' * 50_000}x",
        ],
        ids=lambda text: text[:40],
    )
    def test_a_very_long_text_is_refused_quickly(self, text: str) -> None:
        began = time.process_time()
        with pytest.raises(InvalidInput):
            Issue.from_url(text, GITHUB)
        assert time.process_time() - began < 1

    @given(st.text())
    def test_no_arbitrary_text_breaks_the_parser(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            Issue.from_url(text, GITHUB)

    @pytest.mark.parametrize("github", SERVERS)
    @given(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", fullmatch=True),
        st.integers(1, MAX_ISSUE_NUMBER),
    )
    def test_parsing_the_address_of_an_issue_returns_the_issue(
        self, github: str, owner: str, repo: str, number: int
    ) -> None:
        issue = Issue.of(f"{owner}/{repo}", number)
        assert Issue.from_url(issue.url(github), github) == issue


class TestRepositoryAndNumber:
    def test_name_an_issue(self) -> None:
        assert Issue.of("octocat/Hello-World", 1347) == ISSUE

    @pytest.mark.parametrize(
        "name", ["o/r", "0/-", "o/.github", "octo-cat_acme/a.b-c_d", f"{'o' * 39}/{'r' * 100}"]
    )
    def test_every_name_that_github_gives_is_accepted(self, name: str) -> None:
        assert Issue.of(name, 1).full_name == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "/",
            "octocat",
            "octocat/",
            "/Hello-World",
            "octocat/Hello/World",
            "octocat/Hello World",
            "octocat/.",
            "octocat/..",
            "../Hello-World",
            "-octocat/Hello-World",
            "_octocat/Hello-World",
            "octo.cat/Hello-World",
            "octöcat/Hello-World",
            "octocat/Hello-World\n",
            "octocat/Hello-World\0",
            "octocat/Hello#World",
            "octocat/Hello-\ud800",
            "https://github.com/octocat/Hello-World",
            f"{'o' * 40}/r",
            f"o/{'r' * 101}",
        ],
    )
    def test_a_name_of_no_repository_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            Issue.of(name, 1)
        assert refused.value.field == "github_repo"

    @pytest.mark.parametrize("number", [0, -1, 2**31, 10**12, 10**100])
    def test_an_invalid_number_is_refused(self, number: int) -> None:
        with pytest.raises(InvalidInput) as refused:
            Issue.of("octocat/Hello-World", number)
        assert refused.value.field == "github_issue_number"

    def test_the_highest_number_is_accepted(self) -> None:
        assert Issue.of("octocat/Hello-World", MAX_ISSUE_NUMBER).number == 2_147_483_647


def test_two_spellings_of_an_issue_have_one_key() -> None:
    shouted = Issue.of("OCTOCAT/HELLO-WORLD", 1347)
    assert shouted.key == ISSUE.key == "octocat/hello-world#1347"
    assert shouted.full_name == "OCTOCAT/HELLO-WORLD"


@pytest.mark.parametrize("github", SERVERS)
def test_the_address_of_an_issue_is_below_that_of_github(github: str) -> None:
    assert ISSUE.url(github) == f"{github}/octocat/Hello-World/issues/1347"


@pytest.mark.parametrize(
    ("url", "organization"),
    [
        ("https://github.com/acme", "acme"),
        ("https://github.com/Acme/", "Acme"),
        (" http://www.github.com/acme?tab=repositories#top ", "acme"),
        ("HTTPS://GitHub.COM:443/acme", "acme"),
        ("https://github.com/orgs/acme/people", "acme"),
        ("https://github.com/users/octocat", "octocat"),
        ("https://github.com/enterprises/acme", "acme"),
        ("https://github.com/acme/site", "acme"),
        ("https://github.com/%61cme", "acme"),
        # GitHub has no such login.
        ("https://github.com", "github.com"),
        ("https://github.com/", "github.com"),
        ("https://github.com/orgs/", "github.com"),
        ("https://github.com/?acme", "github.com"),
        (f"https://github.com/{'a' * 40}", "github.com"),
        ("https://github.com/äcme", "github.com"),
        ("https://github.com/ac%00me", "github.com"),
        ("https://github.com/ac%20me", "github.com"),
        ("https://github.com/%FF", "github.com"),
        # The host names every other address.
        ("https://gitlab.com/acme", "gitlab.com"),
        ("http://www.acme.example", "acme.example"),
        ("http://acme.example.", "acme.example"),
        ("https://ACME.example:8443/a/b;c=d?e#f", "acme.example"),
        ("https://user:password@acme.example/", "acme.example"),
        ("https://github.com@acme.example/octocat", "acme.example"),
        ("https://acme.example/https://github.com/octocat", "acme.example"),
        ("https://github.com.acme.example/octocat", "github.com.acme.example"),
        ("https://api.github.com/orgs/acme", "api.github.com"),
        ("http://localhost:8000", "localhost"),
        ("http://an_intranet/acme", "an_intranet"),
        ("http://192.0.2.7/acme", "192.0.2.7"),
        ("http://[2001:DB8:0::1]:8000/acme", "2001:db8::1"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://B%C3%BCcher.example/", "xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://gıthub.com/acme", "xn--gthub-n4a.com"),
        (f"https://acme.example/{'a' * 1900}", "acme.example"),
    ],
    ids=lambda text: text[:60],
)
def test_an_address_names_an_organization(url: str, organization: str) -> None:
    assert organization_of(url, GITHUB) == organization


@pytest.mark.parametrize(
    ("url", "organization"),
    [
        ("https://octo.ghe.com/acme", "acme"),
        ("https://OCTO.ghe.com:443/orgs/acme/people", "acme"),
        ("https://octo.ghe.com/", "octo.ghe.com"),
        ("https://octo.ghe.com", "octo.ghe.com"),
        ("https://other.ghe.com/acme", "other.ghe.com"),
        ("https://github.com/acme", "acme"),
    ],
)
def test_an_address_on_the_configured_github_names_an_organization(url: str, organization: str) -> None:
    assert organization_of(url, "https://octo.ghe.com") == organization


@pytest.mark.parametrize(
    ("url", "organization"),
    [
        ("http://localhost:4570/demo/acme", "acme"),
        ("http://localhost:4570/demo/acme/site/issues/1", "acme"),
        ("http://localhost:4570/demo", "localhost"),
        ("http://localhost:4570/demonstration/acme", "localhost"),
        ("http://localhost:4570/account.html", "localhost"),
    ],
)
def test_only_addresses_below_that_of_github_name_an_organization_of_it(url: str, organization: str) -> None:
    assert organization_of(url, "http://localhost:4570/demo") == organization


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "acme",
        "github.com/acme",
        "//github.com/acme",
        "ftp://github.com/acme",
        "mailto:acme@example.org",
        "javascript:alert(1)",
        "https:",
        "https://",
        "https:///acme",
        "https://:443/",
        "https://@/",
        "https://github.com/ac me",
        "https://git\thub.com/acme",
        "https://github.com/acme\0",
        "https://acme.example:port/",
        "https://acme.example:99999/",
        "https://[::1/",
        "https://[::g]/",
        "https://[127.0.0.1]/",
        "https://ac%00me.example/",
        "https://a..example/",
        "https://..",
        "https://acme℀.example/",
        f"https://{'a' * 64}.é.example/",
        f"https://{'a.' * 200}example/",
        "https://\ud800.example/",
    ],
    ids=ascii,
)
def test_a_text_that_is_no_address_names_no_organization(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        organization_of(url, GITHUB)
    assert refused.value.field == "organization_url"
    assert "http or https address" in refused.value.message


@given(
    st.text() | st.text().map(lambda text: f"https://{text}") | st.text().map(lambda text: f"http://[{text}")
)
def test_no_text_makes_the_parser_of_addresses_fail(text: str) -> None:
    try:
        name = organization_of(text, GITHUB)
    except InvalidInput:
        return
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= 253
