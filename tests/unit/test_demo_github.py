"""The local stack's stand-in for GitHub responds over HTTP as GitHub does, and is never deployed."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml

from deployed_stack.http_client import Response, request
from local_stack.demo_github import DemoGitHub, is_demo
from tests.support.table import TEMPLATE, TemplateLoader

ROOT = Path(__file__).parents[2]
PARAMETERS = yaml.load(TEMPLATE.read_text(), Loader=TemplateLoader)["Parameters"]  # noqa: S506
CALLBACK = "http://d111.cloudfront.localhost:4570/api/auth/callback/"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def github() -> Iterator[DemoGitHub]:
    github = DemoGitHub(0)
    github.callback_url = CALLBACK
    github.start()
    yield github
    github.stop()


def authorization_query(github: DemoGitHub, **changes: str) -> dict[str, str]:
    """Return the query with which the product opens GitHub's authorization page."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "client_id": github.client_id,
        "redirect_uri": CALLBACK,
        "state": "state of the product",
        "scope": "read:org",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    } | changes


def open_page(github: DemoGitHub, **changes: str) -> Response:
    return request(
        "GET", f"{github.url}/login/oauth/authorize?{urlencode(authorization_query(github, **changes))}"
    )


class Page(HTMLParser):
    """A page as a browser parses it."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.action = ""
        self.fields: dict[str, str] = {}
        self.choices: list[str] = []
        self.feed(response.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "form":
            self.action = attributes["action"]
        if tag == "input":
            self.fields[attributes["name"]] = attributes["value"]
        if tag == "button":
            self.choices.append(attributes["value"])


def choose(github: DemoGitHub, login: str, **changes: str) -> Response:
    """Open the page and click a button."""
    page = Page(open_page(github))
    form = page.fields | {"login": login} | changes
    return request("POST", github.url + page.action, body=urlencode(form).encode(), headers=FORM)


def redirect_query(response: Response) -> dict[str, str]:
    """Return the query of the redirect to the product."""
    assert response.status == 302
    location = response.headers["Location"]
    assert location.startswith(f"{CALLBACK}?")
    return {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}


def redeem(github: DemoGitHub, code: str, **changes: str) -> dict[str, str]:
    form = {
        "client_id": github.client_id,
        "client_secret": github.client_secret,
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    } | changes
    url = f"{github.url}/login/oauth/access_token"
    response = request("POST", url, body=urlencode(form).encode(), headers=FORM)
    # GitHub's error responses also have the status 200.
    assert response.status == 200
    answer: dict[str, str] = json.loads(response.body)
    return answer


def new_code(github: DemoGitHub, login: str = "Codertocat") -> str:
    return redirect_query(choose(github, login))["code"]


def get(github: DemoGitHub, path: str, token: str) -> Any:
    response = request("GET", github.url + path, headers={"Authorization": f"Bearer {token}"})
    assert response.status == 200
    return json.loads(response.body)


# ---------------------------------------------------------------- signing in


@pytest.mark.parametrize(("login", "user_id"), [("Codertocat", 21031067), ("octocat", 583231)])
def test_a_person_signs_in_as_the_chosen_demo_user(github: DemoGitHub, login: str, user_id: int) -> None:
    token = redeem(github, new_code(github, login))["access_token"]
    user = get(github, "/user", token)
    assert (user["id"], user["login"]) == (user_id, login)
    assert {"name", "avatar_url"} <= user.keys()


def test_the_redirect_contains_the_products_state(github: DemoGitHub) -> None:
    assert redirect_query(choose(github, "octocat"))["state"] == "state of the product"


def test_a_person_can_cancel(github: DemoGitHub) -> None:
    refused = {"error": "access_denied", "state": "state of the product"}
    assert redirect_query(choose(github, "")) == refused


def test_the_page_names_this_machine_and_the_demo_users(github: DemoGitHub) -> None:
    response = open_page(github)
    assert b"your own machine" in response.body
    assert Page(response).choices == ["Codertocat", "octocat", ""]


def test_a_demo_user_is_a_member_of_every_organization(github: DemoGitHub) -> None:
    token = redeem(github, new_code(github))["access_token"]
    membership = get(github, "/user/memberships/orgs/octo-org", token)
    assert (membership["state"], membership["organization"]["login"]) == ("active", "octo-org")


def test_the_requested_scope_is_granted(github: DemoGitHub) -> None:
    answer = redeem(github, new_code(github))
    assert (answer["scope"], answer["token_type"]) == ("read:org", "bearer")


# ---------------------------------------------------------------- refusals, as at GitHub


def test_a_code_is_valid_once(github: DemoGitHub) -> None:
    code = new_code(github)
    redeem(github, code)
    assert redeem(github, code) == {"error": "bad_verification_code"}


@pytest.mark.parametrize("verifier", ["", "another", VERIFIER.lower()])
def test_a_code_needs_its_verifier(github: DemoGitHub, verifier: str) -> None:
    assert redeem(github, new_code(github), code_verifier=verifier) == {"error": "bad_verification_code"}


@pytest.mark.parametrize(
    "wrong", [{"client_secret": "gu\u00e9ss"}, {"client_secret": ""}, {"client_id": "x"}]
)
def test_wrong_credentials_get_no_token_and_the_code_stays_valid(
    github: DemoGitHub, wrong: dict[str, str]
) -> None:
    code = new_code(github)
    assert redeem(github, code, **wrong) == {"error": "incorrect_client_credentials"}
    assert "access_token" in redeem(github, code)


def test_a_code_is_redeemed_with_the_same_redirect_uri(github: DemoGitHub) -> None:
    answer = redeem(github, new_code(github), redirect_uri="http://attacker.example/")
    assert answer == {"error": "redirect_uri_mismatch"}


WRONG = [
    {"redirect_uri": "https://attacker.example/"},
    {"redirect_uri": f"{CALLBACK}../"},
    {"redirect_uri": ""},
    {"client_id": "Ov23liAAAAAAAAAAAAAA"},
    {"client_id": ""},
    {"code_challenge": ""},
    {"code_challenge_method": "plain"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_request_is_explained_on_the_page_without_a_redirect(
    github: DemoGitHub, wrong: dict[str, str]
) -> None:
    for response in (open_page(github, **wrong), choose(github, "octocat", **wrong)):
        assert response.status == 400
        assert "Location" not in response.headers
        assert "form" not in Page(response).tags


def test_there_is_no_redirect_before_the_stack_has_an_address(github: DemoGitHub) -> None:
    github.callback_url = ""
    assert open_page(github).status == open_page(github, redirect_uri="").status == 400


@pytest.mark.parametrize("path", ["/user", "/user/memberships/orgs/octo-org"])
def test_an_unknown_token_is_refused(github: DemoGitHub, path: str) -> None:
    assert request("GET", github.url + path).status == 401
    headers = {"Authorization": "Bearer gho_guess"}
    assert request("GET", github.url + path, headers=headers).status == 401


# ---------------------------------------------------------------- attacks


def test_another_sites_name_for_this_machine_is_refused(github: DemoGitHub) -> None:
    query = urlencode(authorization_query(github))
    url = f"{github.url}/login/oauth/authorize?{query}"
    assert request("GET", url, headers={"Host": "attacker.example"}).status == 403
    form = urlencode(authorization_query(github) | {"login": "octocat"}).encode()
    assert request("POST", url, body=form, headers=FORM | {"Host": "attacker.example"}).status == 403


def test_the_page_escapes_the_request(github: DemoGitHub) -> None:
    page = Page(open_page(github, state='"><script>alert(1)</script>', login="root"))
    assert "script" not in page.tags
    assert page.fields["state"] == '"><script>alert(1)</script>'
    assert "login" not in page.fields


def test_the_page_has_no_scripts_and_leads_to_the_stack_only(github: DemoGitHub) -> None:
    headers = open_page(github).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "form-action": "'self' http://d111.cloudfront.localhost:4570",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["Cache-Control"] == "no-store"


def test_the_demo_listens_on_this_machine_only(github: DemoGitHub) -> None:
    assert github.server_address[0] == "127.0.0.1"


def test_credentials_are_new_each_time_and_differ_from_githubs(github: DemoGitHub) -> None:
    other = DemoGitHub(0)
    other.server_close()
    assert github.client_id != other.client_id
    assert github.client_secret != other.client_secret
    for client_id, expected in [(github.client_id, True), ("Iv1.8a61f9b3a7aba766", False)]:
        assert is_demo(json.dumps({"client_id": client_id, "client_secret": "s"})) is expected


# ---------------------------------------------------------------- the deployed product


def test_the_deployed_code_does_not_mention_the_demo() -> None:
    files = [ROOT / "template.yaml", ROOT / "samconfig.toml"]
    for folder in ("functions", "layers"):
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file() and file.suffix != ".pyc"]
    mentions = [str(file) for file in files if "demo" in file.read_text(errors="replace").lower()]
    assert mentions == []


@pytest.mark.parametrize("parameter", ["GitHubUrl", "GitHubApiUrl"])
@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://github.com", True),
        ("https://octo.ghe.com", True),
        # The local stack needs loopback URLs. In Lambda, no OAuth provider runs on a loopback interface.
        ("http://127.0.0.1:39465", True),
        ("http://localhost:39465", True),
        ("http://github.com", False),
        ("http://127.0.0.1.attacker.example", False),
        ("http://127.0.0.1@attacker.example", False),
        ("http://127.0.0.1:80@attacker.example", False),
        ("http://attacker.example/http://127.0.0.1", False),
        ("http://10.0.0.1:39465", False),
        ("http://169.254.169.254", False),
        ("", False),
    ],
)
def test_signing_in_needs_tls_except_on_this_machine(parameter: str, url: str, is_allowed: bool) -> None:
    # CloudFormation matches the pattern against the whole value.
    assert bool(re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], url)) is is_allowed


def test_signing_in_uses_github_by_default() -> None:
    assert PARAMETERS["GitHubUrl"]["Default"] == "https://github.com"
    assert PARAMETERS["GitHubApiUrl"]["Default"] == "https://api.github.com"
