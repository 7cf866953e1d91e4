"""A stack with a domain of its own uses that domain in all addresses.

The emulator serves distributions at CloudFront's domain only, so these requests go to API Gateway with the
headers that the distribution's function adds for the domain.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from deployed_stack import DeployedStack
from deployed_stack.http_client import Response, request
from deployed_stack.paths import ROOT
from tests.e2e.conftest import DOMAIN, Site
from timer_core.api.sessions import SIGN_IN_COOKIE

URL = f"https://{DOMAIN}"


def at_domain(site: Site, method: str, path: str, body: object = None) -> Response:
    """Send a request as CloudFront forwards it from the domain."""
    api = site.stack.resources["HttpApi"]
    return request(
        method,
        f"{site.stack.endpoint_url}/_aws/execute-api/{api}/$default{path}",
        body=b"" if body is None else json.dumps(body).encode(),
        headers={
            "X-Front-Door": site.stack.emulator.access.secret,
            "Authorization": f"Token {site.ann}",
            "Content-Type": "application/json",
            "X-Viewer-Host": DOMAIN,
            "X-Forwarded-Proto": "https",
        },
    )


@pytest.fixture
def oauth_client(site: Site) -> Iterator[str]:
    """The id of an OAuth client that the stack knows."""
    ssm, name = site.stack.aws.client("ssm"), site.stack.outputs["OAuthCredentialName"]
    client = {"client_id": "client", "client_secret": "secret"}
    ssm.put_parameter(Name=name, Value=json.dumps(client), Type="SecureString", Overwrite=True)
    site.restart("AuthFunction")
    yield "client"
    ssm.delete_parameter(Name=name)
    site.restart("AuthFunction")


def test_the_stacks_addresses_are_at_its_domain(site: Site) -> None:
    deployed = DeployedStack(site.stack.aws, site.stack.name)
    assert deployed.url == URL
    assert deployed.outputs["WebhookUrl"] == f"{URL}/api/github-timer-webhook/"
    assert deployed.outputs["DistributionDomainName"].endswith(".cloudfront.net")


def test_make_outputs_prints_the_stacks_addresses(site: Site) -> None:
    command = ["scripts/operate.py", "--port", str(site.stack.port), "outputs"]
    printed = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert f"Url: {URL}\n" in printed
    assert f"WebhookUrl: {URL}/api/github-timer-webhook/\n" in printed


def test_the_distribution_has_the_domain_and_its_certificate(site: Site) -> None:
    cloudfront, distribution = site.stack.aws.client("cloudfront"), site.stack.resources["WebDistribution"]
    config = cloudfront.get_distribution_config(Id=distribution)["DistributionConfig"]
    assert config["Aliases"]["Items"] == [DOMAIN]
    certificate = config["ViewerCertificate"]
    assert certificate["ACMCertificateArn"] == site.stack.parameters["CertificateArn"]
    assert certificate["MinimumProtocolVersion"] == "TLSv1.2_2021"


def test_links_in_responses_are_at_the_domain(site: Site) -> None:
    for number in (1, 2):
        issue = {"github_issue_url": f"https://github.com/octo-org/domain/issues/{number}"}
        started = at_domain(site, "POST", "/api/timelogs/start", issue)
        assert started.status == 201
        assert started.headers["Location"].startswith((f"{URL}/api/timelogs/", "/api/timelogs/"))
    page = json.loads(at_domain(site, "GET", "/api/timelogs?page_size=1").body)
    assert page["next"].startswith(f"{URL}/api/timelogs/?")


def test_signing_in_returns_to_the_domain(site: Site, oauth_client: str) -> None:
    answer = at_domain(site, "GET", "/api/auth/login")
    assert answer.status == 302
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert query["client_id"] == [oauth_client]
    assert query["redirect_uri"] == [f"{URL}/api/auth/callback/"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(SIGN_IN_COOKIE)
    assert "; Secure" in cookie
    assert "Domain=" not in cookie
