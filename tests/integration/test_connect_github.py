"""Connecting a stack with GitHub. The browser, the fake GitHub and the tool use HTTP; moto replaces AWS."""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deployed_stack import DeployedStack
from deployed_stack.errors import ToolError
from deployed_stack.http_client import Response, request
from fake_github import FakeGitHub
from github_connection import connect
from github_connection.registration import EVENTS, TEAM_EVENTS, AppRegistration
from tests.support.manifest_flow import (
    CLIENT_ID,
    CLIENT_SECRET,
    PEM,
    PUBLIC_PEM,
    TOKEN,
    Form,
    GitHub,
    register_app_in_browser,
)
from timer_core.github.api.credentials import (
    App,
    CredentialParameter,
    OAuthClient,
    OAuthParameter,
    Token,
)
from timer_core.github.webhooks.payloads import READERS
from timer_core.secrets import SESSION_STAGE, WEBHOOK_STAGE

PARAMETER = "/issue-timer-test/github"
OAUTH_PARAMETER = "/issue-timer-test/oauth"
FIRST_SECRET = "the secret of the first deployment"
SESSION_KEYS = json.dumps({"current": "a session key", "previous": ""})


class Stack(DeployedStack):
    """A stack with only parameters, outputs, and the resources that the outputs name."""

    outputs: dict[str, str] = {}  # noqa: RUF012
    parameters: dict[str, str] = {}  # noqa: RUF012

    @property
    def url(self) -> str:
        return "https://d111.cloudfront.net"

    def credential(self) -> Token | App | None:
        """Read the credential as the functions do."""
        return CredentialParameter(PARAMETER).get()

    def oauth_client(self) -> OAuthClient | None:
        """Read the OAuth client's credentials as the functions do."""
        return OAuthParameter(OAUTH_PARAMETER).get()

    def webhook_secrets(self) -> dict[str, str]:
        secret = self.aws.client("secretsmanager").get_secret_value(
            SecretId="keys", VersionStage=WEBHOOK_STAGE
        )
        loaded: dict[str, str] = json.loads(secret["SecretString"])
        return loaded


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        session = boto3.Session()
        secrets = session.client("secretsmanager")
        secrets.create_secret(Name="keys", SecretString=SESSION_KEYS)
        first = json.dumps({"current": FIRST_SECRET, "previous": ""})
        secrets.put_secret_value(SecretId="keys", SecretString=first, VersionStages=[WEBHOOK_STAGE])
        stack = Stack(session, "issue-timer-test")
        stack.outputs = {
            "GitHubCredentialName": PARAMETER,
            "OAuthCredentialName": OAUTH_PARAMETER,
            "SigningKeysArn": "keys",
        }
        yield stack


class Registering:
    """A registration in progress, and the browser that completes it."""

    def __init__(self, registration: AppRegistration, run: Future[None]) -> None:
        self.page, self.complete, self._run = registration.url, registration.complete, run

    def open(self) -> Form:
        response = request("GET", self.page)
        assert response.status == 200, response
        return Form(response)

    def complete_in_browser(self) -> Response:
        """Complete the registration in the browser, until the browser returns from GitHub."""
        return register_app_in_browser(self.page)

    def end(self) -> None:
        """Wait for the end of the tool; raise its error, if any."""
        self._run.result(timeout=30)

    @property
    def has_ended(self) -> bool:
        return self._run.done()


@contextmanager
def started(
    stack: Stack, github: GitHub, *, organization: str | None = None, api_url: str = ""
) -> Iterator[Registering]:
    registration = connect.registration(
        stack,
        github_url=github.url,
        api_url=api_url or github.url,
        organization=organization,
        public_url=stack.url,
    )
    with registration, ThreadPoolExecutor() as tool:
        run = tool.submit(registration.run)
        yield Registering(registration, run)
        registration.shutdown()


@pytest.fixture
def registering(stack: Stack, github: GitHub) -> Iterator[Registering]:
    with started(stack, github, organization="octo-org") as registering:
        yield registering


# ---------------------------------------------------------------- registering an App


def test_registering_stores_the_key_for_the_functions(stack: Stack, registering: Registering) -> None:
    registering.complete_in_browser()
    registering.end()
    credential = stack.credential()
    assert isinstance(credential, App)
    assert (credential.app_id, credential.private_key) == ("123456", PEM)


def test_people_sign_in_with_the_registered_app(stack: Stack, registering: Registering) -> None:
    registering.complete_in_browser()
    registering.end()
    assert stack.oauth_client() == OAuthClient(CLIENT_ID, CLIENT_SECRET)


@pytest.mark.parametrize("parameter", [PARAMETER, OAUTH_PARAMETER])
def test_the_credentials_are_stored_encrypted(stack: Stack, registering: Registering, parameter: str) -> None:
    registering.complete_in_browser()
    registering.end()
    stored = stack.aws.client("ssm").get_parameter(Name=parameter)["Parameter"]
    assert stored["Type"] == "SecureString"


def test_the_apps_webhook_secret_is_accepted_beside_the_previous_one(
    stack: Stack, registering: Registering
) -> None:
    registering.complete_in_browser()
    registering.end()
    assert stack.webhook_secrets() == {"current": "the secret of the App", "previous": FIRST_SECRET}


def test_the_browser_is_redirected_to_install_the_app(
    registering: Registering, capsys: pytest.CaptureFixture[str]
) -> None:
    response = registering.complete_in_browser()
    registering.end()
    installation = "https://github.com/apps/issue-timer-octo-org/installations/new"
    assert (response.status, response.headers["Location"]) == (303, installation)
    assert installation in capsys.readouterr().out


def test_no_secret_is_printed(registering: Registering, capsys: pytest.CaptureFixture[str]) -> None:
    registering.complete_in_browser()
    registering.end()
    printed = "".join(capsys.readouterr())
    assert not any(
        secret in printed
        for secret in [PEM, "PRIVATE KEY", "the secret of the App", CLIENT_SECRET, FIRST_SECRET]
    )


def test_the_manifest_requests_the_permissions_and_events_that_the_product_uses(
    github: GitHub, registering: Registering
) -> None:
    registering.complete_in_browser()
    redirect = github.manifest.pop("redirect_url")
    assert redirect == f"http://{urlsplit(registering.page).netloc}/registered"
    assert github.manifest == {
        "name": "Issue Timer octo-org",
        "url": "https://d111.cloudfront.net",
        "hook_attributes": {
            "url": "https://d111.cloudfront.net/api/github-timer-webhook/",
            "active": True,
        },
        "callback_urls": ["https://d111.cloudfront.net/api/auth/callback/"],
        "public": False,
        "default_permissions": {
            "metadata": "read",
            "issues": "write",
            "pull_requests": "read",
            "contents": "read",
            "organization_projects": "read",
        },
        "default_events": [
            "issues",
            "issue_comment",
            "pull_request",
            "pull_request_review",
            "create",
            "repository",
            "projects_v2_item",
            "sub_issues",
            "installation_target",
        ],
    }


def test_an_app_subscribes_to_every_event_that_has_a_reader() -> None:
    # The former name of an event.
    others = {"project_v2_item"}
    assert {*EVENTS, *TEAM_EVENTS} == {name.partition(".")[0] for name in READERS} - others


def test_the_app_reads_members_and_subscribes_to_their_changes_if_there_are_lead_teams(
    stack: Stack, github: GitHub
) -> None:
    stack.parameters = {"LeadTeams": "octo-org/leads"}
    with started(stack, github) as registering:
        registering.complete_in_browser()
        assert github.manifest["default_permissions"]["members"] == "read"
        assert github.manifest["default_events"] == [*EVENTS, *TEAM_EVENTS]


def test_the_app_may_read_members_if_sign_in_is_limited_to_organizations(
    stack: Stack, github: GitHub
) -> None:
    stack.parameters = {"AllowedOrgs": "octo-org"}
    with started(stack, github) as registering:
        registering.complete_in_browser()
        assert github.manifest["default_permissions"] == {
            "metadata": "read",
            "issues": "write",
            "pull_requests": "read",
            "contents": "read",
            "organization_projects": "read",
            "members": "read",
        }


def test_the_app_belongs_to_the_given_organization(github: GitHub, registering: Registering) -> None:
    registering.complete_in_browser()
    assert github.posted_to == "/organizations/octo-org/settings/apps/new"


def test_without_an_organization_the_app_belongs_to_the_person(stack: Stack, github: GitHub) -> None:
    with started(stack, github) as registering:
        registering.complete_in_browser()
        assert github.posted_to == "/settings/apps/new"
        assert github.manifest["name"] == "Issue Timer"


def test_the_name_is_within_githubs_limit(stack: Stack, github: GitHub) -> None:
    with started(stack, github, organization="o" * 39) as registering:
        registering.complete_in_browser()
        assert len(github.manifest["name"]) == 34


@pytest.mark.parametrize("organization", ['"><script>alert(1)</script>', "a/../b?c#d", "<b>&amp;"])
def test_the_page_escapes_names(stack: Stack, github: GitHub, organization: str) -> None:
    with started(stack, github, organization=organization) as registering:
        form = registering.open()
        assert not {"script", "b"} & set(form.tags)
        account, *page = urlsplit(form.action).path.removeprefix("/organizations/").split("/")
        assert (unquote(account), page) == (organization, ["settings", "apps", "new"])
        assert json.loads(form.fields["manifest"])["url"] == stack.url


def test_the_page_has_no_scripts_and_posts_to_github_only(github: GitHub, registering: Registering) -> None:
    headers = request("GET", registering.page).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "form-action": github.url,
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "strict-origin"


def test_the_page_loads_nothing_from_other_hosts(registering: Registering) -> None:
    assert not {"script", "link", "img", "style", "iframe"} & set(registering.open().tags)


# ---------------------------------------------------------------- access


@pytest.mark.parametrize(
    "query", ["", "?code=theirs", "?code=theirs&state=", "?code=theirs&state=gu%C3%A9ss"]
)
def test_a_code_without_our_state_is_refused_and_the_registration_continues(
    stack: Stack, github: GitHub, registering: Registering, query: str
) -> None:
    github.codes.add("theirs")
    response = request("GET", f"http://{urlsplit(registering.page).netloc}/registered{query}")
    assert response.status == 403
    assert "theirs" in github.codes
    assert not registering.has_ended
    registering.complete_in_browser()
    registering.end()
    assert stack.credential() is not None


def test_the_page_needs_the_secret_address(registering: Registering) -> None:
    response = request("GET", f"http://{urlsplit(registering.page).netloc}/")
    assert response.status == 403
    assert b"manifest" not in response.body


def test_another_sites_name_for_this_machine_is_refused(registering: Registering) -> None:
    response = request("GET", registering.page, headers={"Host": "attacker.example"})
    assert response.status == 403
    assert b"manifest" not in response.body


@pytest.mark.parametrize("path", ["/favicon.ico", "/registered"])
def test_other_addresses_are_not_found(registering: Registering, path: str) -> None:
    assert request("GET", registering.page.replace("/?", f"{path}?")).status == 404


def test_an_unused_connection_does_not_block_the_registration(registering: Registering) -> None:
    idle = http.client.HTTPConnection(urlsplit(registering.page).netloc)
    idle.connect()
    registering.complete_in_browser()
    registering.end()
    idle.close()


def test_a_repeated_request_gets_the_same_response(registering: Registering) -> None:
    code = parse_qs(urlsplit(registering.open().submit().headers["Location"]).query)["code"][0]
    # GitHub accepts a code only once, so the second response must not require the code again.
    assert registering.complete(code) == registering.complete(code)


# ---------------------------------------------------------------- failures


def test_an_unknown_code_ends_the_registration(
    stack: Stack, github: GitHub, registering: Registering
) -> None:
    back = registering.open().submit().headers["Location"]
    github.codes.clear()
    assert request("GET", back).status == 500
    with pytest.raises(ToolError, match=r"status 404.*start again"):
        registering.end()
    assert stack.credential() is None
    assert stack.webhook_secrets()["current"] == FIRST_SECRET


def test_an_unreachable_github_is_reported_without_the_code(stack: Stack, github: GitHub) -> None:
    with started(stack, github, api_url="http://127.0.0.1:1") as registering:
        registering.complete_in_browser()
        with pytest.raises(ToolError, match="does not answer") as raised:
            registering.end()
    assert "code-" not in str(raised.value)


def test_a_webhook_without_a_secret_does_not_change_the_stacks(
    stack: Stack, github: GitHub, registering: Registering, capsys: pytest.CaptureFixture[str]
) -> None:
    github.webhook_secret = None
    registering.complete_in_browser()
    registering.end()
    assert stack.webhook_secrets() == {"current": FIRST_SECRET, "previous": ""}
    assert "make secret" in capsys.readouterr().out


def test_the_key_is_stored_even_if_the_secret_cannot_be(stack: Stack, registering: Registering) -> None:
    stack.aws.client("secretsmanager").delete_secret(SecretId="keys", ForceDeleteWithoutRecovery=True)
    registering.complete_in_browser()
    with pytest.raises(ClientError):
        registering.end()
    assert isinstance(stack.credential(), App)


def test_no_app_is_registered_while_a_rotation_is_unfinished(stack: Stack, github: GitHub) -> None:
    connect.rotate(stack)
    with pytest.raises(ToolError, match="DONE=1"), started(stack, github):
        pass
    assert stack.webhook_secrets()["previous"] == FIRST_SECRET


# ---------------------------------------------------------------- an App that exists


def test_a_new_key_of_the_app_replaces_the_previous_one(
    stack: Stack, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    connect.use_key(stack, api_url=github.url, app_id="123456", private_key=PEM)
    assert stack.credential() == App("123456", PEM)
    assert "Issue Timer octo-org" in capsys.readouterr().out


@pytest.mark.parametrize("app_id", ["1", "not an id"])
def test_a_key_of_another_app_is_refused(stack: Stack, github: GitHub, app_id: str) -> None:
    with pytest.raises(ToolError, match="401"):
        connect.use_key(stack, api_url=github.url, app_id=app_id, private_key=PEM)
    assert stack.credential() is None


@pytest.mark.parametrize("text", ["", "key", PUBLIC_PEM, PEM.replace("M", "")])
def test_an_invalid_private_key_is_refused(stack: Stack, github: GitHub, text: str) -> None:
    with pytest.raises(ToolError, match=r"not a private key|not an RSA key"):
        connect.use_key(stack, api_url=github.url, app_id="123456", private_key=text)
    assert stack.credential() is None


# ---------------------------------------------------------------- a token


def test_a_token_that_github_accepts_is_stored(
    stack: Stack, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    connect.use_token(stack, api_url=github.url, token=TOKEN)
    assert stack.credential() == Token(TOKEN)
    printed = capsys.readouterr().out
    assert "octocat" in printed
    assert TOKEN not in printed


@pytest.mark.parametrize(
    ("expires", "message"), [("2027-01-31 12:00:00 UTC", "until 2027-01-31"), (None, "does not expire")]
)
def test_the_expiry_of_a_token_is_printed(
    stack: Stack, github: GitHub, expires: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    github.token_expires = expires
    connect.use_token(stack, api_url=github.url, token=TOKEN)
    assert message in capsys.readouterr().out


@pytest.mark.parametrize("token", ["github_pat_wrong", "", "two words", "line\nbreak", "tok\u00e9n"])
def test_a_token_that_github_refuses_is_not_stored(stack: Stack, github: GitHub, token: str) -> None:
    with pytest.raises(ToolError, match=r"401|not a token") as raised:
        connect.use_token(stack, api_url=github.url, token=token)
    assert stack.credential() is None
    assert not token or token not in str(raised.value)


def test_a_token_replaces_an_app(stack: Stack, github: GitHub) -> None:
    connect.use_key(stack, api_url=github.url, app_id="123456", private_key=PEM)
    connect.use_token(stack, api_url=github.url, token=TOKEN)
    assert stack.credential() == Token(TOKEN)


# ---------------------------------------------------------------- the OAuth client


@pytest.fixture
def fake_github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as server:
        yield server


@pytest.fixture
def oauth_app(fake_github: FakeGitHub) -> OAuthClient:
    app = fake_github.new_oauth_app("https://d111.cloudfront.net/api/auth/callback/")
    return OAuthClient(app.client_id, app.client_secret)


def use_oauth_client(stack: Stack, github_url: str, client: OAuthClient) -> None:
    connect.use_oauth_client(
        stack, github_url=github_url, client_id=client.client_id, client_secret=client.client_secret
    )


def test_a_client_secret_that_github_accepts_is_stored(
    stack: Stack, fake_github: FakeGitHub, oauth_app: OAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    use_oauth_client(stack, fake_github.url, oauth_app)
    assert stack.oauth_client() == oauth_app
    assert oauth_app.client_secret not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "Ov23liAAAAAAAAAAAAAA"},
        {"client_secret": "gue\u00df"},
        {"client_secret": "guess"},
        {"client_secret": ""},
        {"client_id": "two words"},
    ],
)
def test_a_client_secret_that_github_refuses_is_not_stored(
    stack: Stack, fake_github: FakeGitHub, oauth_app: OAuthClient, wrong: dict[str, str]
) -> None:
    with pytest.raises(ToolError, match=r"incorrect_client_credentials|single words") as raised:
        use_oauth_client(stack, fake_github.url, replace(oauth_app, **wrong))
    assert stack.oauth_client() is None
    assert oauth_app.client_secret not in str(raised.value)


def test_a_client_secret_is_not_stored_unchecked(stack: Stack, oauth_app: OAuthClient) -> None:
    with pytest.raises(ToolError, match="does not answer"):
        use_oauth_client(stack, "http://127.0.0.1:1", oauth_app)
    assert stack.oauth_client() is None


def test_the_credentials_for_the_api_and_for_signing_in_are_separate(
    stack: Stack, github: GitHub, fake_github: FakeGitHub, oauth_app: OAuthClient
) -> None:
    connect.use_token(stack, api_url=github.url, token=TOKEN)
    use_oauth_client(stack, fake_github.url, oauth_app)
    connect.remove(stack)
    assert stack.oauth_client() == oauth_app


def test_removing_deletes_the_client_secret(
    stack: Stack, fake_github: FakeGitHub, oauth_app: OAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    use_oauth_client(stack, fake_github.url, oauth_app)
    connect.remove_oauth_client(stack)
    assert stack.oauth_client() is None
    connect.remove_oauth_client(stack)
    assert "There is no client secret." in capsys.readouterr().out


# ---------------------------------------------------------------- removing the credential


def test_removing_deletes_the_credential(
    stack: Stack, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    connect.use_token(stack, api_url=github.url, token=TOKEN)
    connect.remove(stack)
    assert stack.credential() is None
    connect.remove(stack)
    assert "There is no credential." in capsys.readouterr().out


# ---------------------------------------------------------------- rotating the webhook's secret


def test_rotating_creates_a_new_secret_and_keeps_the_previous_one(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    connect.rotate(stack)
    secrets = stack.webhook_secrets()
    assert secrets["previous"] == FIRST_SECRET
    assert len(secrets["current"]) == 64
    assert secrets["current"] not in capsys.readouterr().out


def test_a_rotation_is_finished_before_the_next_one(stack: Stack) -> None:
    connect.rotate(stack)
    with pytest.raises(ToolError, match="DONE=1"):
        connect.rotate(stack)
    assert stack.webhook_secrets()["previous"] == FIRST_SECRET
    second = stack.webhook_secrets()["current"]
    connect.finish_rotation(stack)
    assert stack.webhook_secrets() == {"current": second, "previous": ""}
    connect.rotate(stack)
    assert stack.webhook_secrets()["previous"] == second


def test_the_session_key_stays_when_the_secret_is_rotated(stack: Stack) -> None:
    """Both are versions of one secret."""
    connect.rotate(stack)
    connect.finish_rotation(stack)
    secrets = stack.aws.client("secretsmanager")
    assert (
        secrets.get_secret_value(SecretId="keys", VersionStage=SESSION_STAGE)["SecretString"] == SESSION_KEYS
    )


def test_the_secret_is_created_once_if_a_deployment_without_make_has_none(stack: Stack) -> None:
    secrets = stack.aws.client("secretsmanager")
    secrets.create_secret(Name="new", SecretString=SESSION_KEYS)
    stack.outputs["SigningKeysArn"] = "new"
    created = stack.webhook_secret()
    assert len(created) == 64
    again = Stack(stack.aws, stack.name)
    again.outputs = stack.outputs
    assert again.webhook_secret() == created
    assert secrets.get_secret_value(SecretId="new")["SecretString"] == SESSION_KEYS
