"""Texts that name an issue on GitHub, and texts that name no issue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timer_core.domain.errors import InvalidInput
from timer_core.domain.issues import MAX_ISSUE_NUMBER, Issue, organization_login

ISSUE = Issue("octocat", "Hello-World", 1347)


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/octocat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/issues/1347/",
            "https://www.github.com/octocat/Hello-World/issues/1347",
            "https://GitHub.com/octocat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/issues/1347#issuecomment-5",
            "https://github.com/octocat/Hello-World/issues/1347?notification_referrer_id=x",
            "https://github.com/octocat/Hello-World/issues/1347/#top",
            "https://github.com/octocat/Hello-World/issues/001347",
        ],
    )
    def test_names_an_issue(self, url: str) -> None:
        assert Issue.from_url(url) == ISSUE

    @pytest.mark.parametrize(
        "url",
        [
            "",
            " ",
            "octocat/Hello-World#1347",
            "github.com/octocat/Hello-World/issues/1347",
            "http://github.com/octocat/Hello-World/issues/1347",
            "ftp://github.com/octocat/Hello-World/issues/1347",
            "javascript:alert(1)//https://github.com/octocat/Hello-World/issues/1347",
            "https://gitlab.com/octocat/Hello-World/issues/1347",
            "https://github.com.evil.example/octocat/Hello-World/issues/1347",
            "https://evil.example/https://github.com/octocat/Hello-World/issues/1347",
            "https://github.com@evil.example/octocat/Hello-World/issues/1347",
            "https://user:password@github.com/octocat/Hello-World/issues/1347",
            "https://github.com:8443/octocat/Hello-World/issues/1347",
            "https://gist.github.com/octocat/Hello-World/issues/1347",
            "https://api.github.com/repos/octocat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/pull/1347",
            "https://github.com/octocat/Hello-World/pulls/1347",
            "https://github.com/octocat/Hello-World/discussions/1347",
            "https://github.com/octocat/Hello-World/issues",
            "https://github.com/octocat/Hello-World/issues/",
            "https://github.com/octocat/Hello-World/issues/new",
            "https://github.com/octocat/Hello-World/issues/1347/edit",
            "https://github.com/octocat/Hello-World/issues/-1",
            "https://github.com/octocat/Hello-World/issues/1.5",
            "https://github.com/octocat/Hello-World/issues/1e3",
            "https://github.com/octocat/Hello-World/issues/0x1",
            "https://github.com/octocat//issues/1347",
            "https://github.com//Hello-World/issues/1347",
            "https://github.com/octocat/../issues/1347",
            "https://github.com/octocat/./issues/1347",
            "https://github.com/-octocat/Hello-World/issues/1347",
            "https://github.com/octo cat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello World/issues/1347",
            "https://github.com/octocat/Hello%2DWorld/issues/1347",
            "https://github.com/octöcat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-Wörld/issues/1347",
            "https://gıthub.com/octocat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/iſsues/1347",
            "https://github.com/octo\u212aat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/issues/１３４７",
            "https://github.com/octocat/Hello-World/issues/1347\n",
            "\nhttps://github.com/octocat/Hello-World/issues/1347",
            "https://github.com/octocat/Hello-World/issues/1347\0",
            "https://github.com/octocat/Hello\tWorld/issues/1347",
            "https://github.com/octocat/Hello-World/issues/1347#a b",
            "https://github.com/octocat/Hello-World/issues/1347#\u200f\n",
            f"https://github.com/{'o' * 40}/Hello-World/issues/1347",
            f"https://github.com/octocat/{'r' * 101}/issues/1347",
            f"https://github.com/octocat/Hello-World/issues/{'1' * 5000}",
        ],
    )
    def test_of_another_kind_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            Issue.from_url(url)
        assert refused.value.field == "github_issue_url"

    @pytest.mark.parametrize("number", ["0", "2147483648", "1000000000000", "999999999999"])
    def test_with_an_invalid_number_is_refused(self, number: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            Issue.from_url(f"https://github.com/octocat/Hello-World/issues/{number}")
        assert refused.value.field == "github_issue_url"

    @given(st.text())
    def test_no_arbitrary_text_breaks_the_parser(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            Issue.from_url(text)

    @given(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}", fullmatch=True),
        st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", fullmatch=True),
        st.integers(1, MAX_ISSUE_NUMBER),
    )
    def test_parsing_the_address_of_an_issue_returns_the_issue(
        self, owner: str, repo: str, number: int
    ) -> None:
        issue = Issue.of(f"{owner}/{repo}", number)
        assert Issue.from_url(issue.url) == issue


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


def test_the_address_of_an_issue_is_spelled_as_given() -> None:
    assert ISSUE.url == "https://github.com/octocat/Hello-World/issues/1347"


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme",
        "https://github.com/acme/",
        "https://github.com/orgs/acme",
        "https://www.github.com/acme",
    ],
)
def test_the_address_of_an_organization_names_its_login(url: str) -> None:
    assert organization_login(url) == "acme"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme",
        "http://github.com/acme",
        "https://github.com",
        "https://github.com/",
        "https://github.com/acme/site",
        "https://gitlab.com/acme",
        "https://github.com/ac me",
        "https://github.com/äcme",
        "https://github.com/acme\n",
        f"https://github.com/{'a' * 40}",
    ],
)
def test_an_address_of_no_organization_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        organization_login(url)
    assert refused.value.field == "organization_url"
