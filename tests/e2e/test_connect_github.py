"""The command line for connecting a stack with GitHub, on the deployed template."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployed_stack.deliveries import WEBHOOK_PATH, delivery_headers
from deployed_stack.http_client import request
from fake_github import FakeGitHub
from tests.e2e.conftest import Site, eventually
from tests.support.manifest_flow import (
    CLIENT_ID,
    CLIENT_SECRET,
    PEM,
    TOKEN,
    GitHub,
    register_app_in_browser,
)

SCRIPT = Path(__file__).parents[2] / "scripts/connect_github.py"


@pytest.fixture
def registry() -> Iterator[GitHub]:
    with GitHub() as server:
        yield server


@pytest.fixture(autouse=True)
def forget_the_connection(site: Site) -> Iterator[None]:
    """Restore the stack's secret and remove its credentials, as other tests expect."""
    before = site.stack.webhook_secret()
    yield
    site.stack.webhook_pair.replace(before)
    run(site, "remove")
    run(site, "oauth", "--remove")


def command(site: Site, *arguments: str) -> list[str]:
    return [sys.executable, str(SCRIPT), "--port", str(site.stack.port), *arguments]


def run(site: Site, *arguments: str, stdin: str = "") -> str:
    """Run the tool as a shell script would, and return its output."""
    tool = subprocess.run(
        command(site, *arguments), input=stdin, text=True, check=True, stdout=subprocess.PIPE, timeout=60
    )
    return tool.stdout


def stored_credential(site: Site, output: str = "GitHubCredentialName") -> dict[str, str]:
    name = site.stack.outputs[output]
    parameter = site.stack.aws.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert parameter["Type"] == "SecureString"
    loaded: dict[str, str] = json.loads(parameter["Value"])
    return loaded


def ping(site: Site, secret: str) -> int:
    body = b'{"zen": "Keep it logically awesome."}'
    url = site.url + WEBHOOK_PATH
    return request("POST", url, body=body, headers=delivery_headers("ping", body, secret)).status


def test_a_registered_apps_deliveries_are_accepted_beside_the_previous_ones(
    site: Site, registry: GitHub
) -> None:
    arguments = ["--api-url", registry.url, "app", "--org", "octo-org", "--github-url", registry.url]
    with subprocess.Popen(
        command(site, *arguments, "--url", "https://tunnel.example/"), stdout=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout is not None
        page = next(line.strip() for line in tool.stdout if "http://127.0.0.1" in line)
        assert register_app_in_browser(page).status == 303
        printed = tool.stdout.read()
    assert tool.returncode == 0
    assert "installations/new" in printed
    assert "PRIVATE KEY" not in printed
    assert registry.manifest["hook_attributes"]["url"] == f"https://tunnel.example{WEBHOOK_PATH}"
    assert stored_credential(site) == {"app_id": "123456", "private_key": PEM}
    oauth = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert stored_credential(site, "OAuthCredentialName") == oauth
    assert eventually(lambda: ping(site, "the secret of the App") == 200)
    assert ping(site, site.secret) == 200


def test_a_secret_is_rotated_without_refusing_a_delivery(site: Site) -> None:
    run(site, "rotate")
    new = site.stack.webhook_secret()
    assert new != site.secret
    assert eventually(lambda: ping(site, new) == 200)
    assert ping(site, site.secret) == 200
    run(site, "rotate", "--done")
    assert site.stack.webhook_secret() == new
    assert ping(site, new) == 200


def test_a_key_is_read_from_githubs_file(site: Site, registry: GitHub, tmp_path: Path) -> None:
    file = tmp_path / "issue-timer.2026-01-31.private-key.pem"
    file.write_text(PEM)
    run(site, "--api-url", registry.url, "key", "--app-id", "123456", "--file", str(file))
    assert stored_credential(site) == {"app_id": "123456", "private_key": PEM}


def test_a_token_is_piped_in_and_removed(site: Site, registry: GitHub) -> None:
    printed = run(site, "--api-url", registry.url, "token", stdin=f"{TOKEN}\n")
    assert "octocat" in printed
    assert TOKEN not in printed
    assert stored_credential(site) == {"token": TOKEN}
    assert "removed" in run(site, "remove")
    assert "no credential" in run(site, "remove")


def test_a_client_secret_is_piped_in_and_removed(site: Site) -> None:
    with FakeGitHub() as github:
        app = github.new_oauth_app("https://issue-timer.example/api/auth/callback/")
        arguments = ["oauth", "--client-id", app.client_id, "--github-url", github.url]
        assert app.client_secret not in run(site, *arguments, stdin=f"{app.client_secret}\n")
    oauth = {"client_id": app.client_id, "client_secret": app.client_secret}
    assert stored_credential(site, "OAuthCredentialName") == oauth
    assert "removed" in run(site, "oauth", "--remove")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["app"], "GitHub cannot reach this machine"),
        (["--api-url", "http://example.com", "token"], "is not a URL that begins with https://"),
        (["key", "--app-id", "1", "--file", "nowhere.pem"], "nowhere.pem cannot be read"),
        (["--api-url", "http://127.0.0.1:1", "token"], "This is not a token"),
        (["oauth", "--client-id", "Ov23li"], "are single words"),
    ],
)
def test_a_missing_input_is_explained(site: Site, arguments: list[str], message: str) -> None:
    tool = subprocess.run(command(site, *arguments), input="", text=True, capture_output=True, check=False)
    assert tool.returncode != 0
    assert message in tool.stderr
    assert "Traceback" not in tool.stderr
