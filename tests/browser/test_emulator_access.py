"""Pages of other web sites reach neither the emulator nor its data (docs/security.md, "Attacks").

tests/e2e/test_emulator_access.py tries the same without a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import BrowserErrors, NewContext, OtherSites
    from tests.e2e.conftest import Site

FETCH = """async ({ address, options }) => {
    try {
        const response = await fetch(address, options);
        return `${response.type} ${response.status} ${await response.text()}`;
    } catch (error) {
        return error.name;
    }
}"""
SUBMIT = """(address) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: address, enctype: "text/plain" });
    form.innerHTML = `<input name='{"a' value='":1}'>`;
    document.body.append(form);
    form.submit();
}"""
OPEN_SOCKET = """(address) => new Promise((resolve) => {
    const socket = new WebSocket(address);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture
def stranger(new_context: NewContext, other_sites: OtherSites, browser_errors: BrowserErrors) -> Page:
    """A page of a web site that is not in `AllowedOrigins`."""
    browser_errors.allow(".*")
    page = new_context().new_page()
    page.goto(other_sites.stranger)
    return page


@pytest.fixture(params=["emulator", "front door", "front door by a name of the attacker"])
def address(request: pytest.FixtureRequest, site: Site) -> str:
    """An address at which the stranger attacks."""
    addresses = {
        "emulator": site.stack.endpoint_url,
        "front door": site.url,
        # Chromium resolves all names under localhost to this machine, as a resolver may for any site's name.
        "front door by a name of the attacker": f"http://rebound.localhost:{site.stack.port}",
    }
    return addresses[request.param]


@pytest.fixture(autouse=True)
def _data_stays(site: Site) -> object:
    """Check after each attack that the emulator has not been reset."""
    yield
    assert site.get("/api/auth/me/")["login"] == "Codertocat"


def test_the_session_key_cannot_be_read(stranger: Page, site: Site, address: str) -> None:
    headers = {
        "X-Amz-Target": "secretsmanager.GetSecretValue",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/secretsmanager/aws4_request",
    }
    body = f'{{"SecretId": "{site.stack.outputs["SigningKeysArn"]}"}}'
    for mode in ("cors", "no-cors"):
        options = {"method": "POST", "headers": headers, "body": body, "mode": mode}
        assert stranger.evaluate(FETCH, {"address": f"{address}/", "options": options}) in {
            "TypeError",
            "opaque 0 ",
        }
    # Without a preflight, the body can be sent as text and the target in no header.
    options = {"method": "POST", "body": body}
    query = f"{address}/?Action=GetSecretValue"
    assert stranger.evaluate(FETCH, {"address": query, "options": options}) == "TypeError"


@pytest.mark.parametrize("path", ["/_ministack/reset", "/_ministack/reset?init=1"])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_the_data_cannot_be_reset(stranger: Page, address: str, path: str, mode: str) -> None:
    options = {"method": "POST", "mode": mode, "body": "a=1"}
    result = stranger.evaluate(FETCH, {"address": address + path, "options": options})
    assert result == ("TypeError" if mode == "cors" else "opaque 0 ")


@pytest.mark.parametrize("path", ["/_ministack/reset", "/", "/2015-03-31/functions/issue-timer/invocations"])
def test_a_form_reaches_no_service(stranger: Page, address: str, path: str) -> None:
    with stranger.expect_navigation() as navigation:
        stranger.evaluate(SUBMIT, address + path)
    assert navigation.value
    assert navigation.value.status in {403, 421}


@pytest.mark.parametrize(
    "path", ["/_ministack/health", "/health", "/_ministack/sqs/messages", "/_aws/sqs/messages"]
)
def test_a_visit_shows_nothing_of_the_emulator(stranger: Page, address: str, path: str) -> None:
    answer = stranger.goto(address + path)
    assert answer
    assert answer.status in {403, 404, 421}
    assert "ministack" not in stranger.content().lower()


def test_a_name_of_the_attacker_does_not_make_the_product_same_origin(stranger: Page, site: Site) -> None:
    for port in (site.stack.port, site.stack.emulator.access.port):
        rebound = f"http://rebound.localhost:{port}"
        answer = stranger.goto(f"{rebound}/")
        assert answer
        assert answer.status in {403, 421}
        for path in ("/api/health/", "/_ministack/health", "/api/auth/me/"):
            result = stranger.evaluate(FETCH, {"address": rebound + path, "options": {}})
            assert result.startswith(("basic 403", "basic 421"))


def test_no_websocket_of_the_emulator_opens(stranger: Page, site: Site) -> None:
    for address in (
        f"{site.stack.endpoint_url}/_aws/execute-api/a1b2c3d4/live",
        f"{site.url}/",
        f"{site.url}/_aws/live",
    ):
        assert stranger.evaluate(OPEN_SOCKET, address.replace("http", "ws", 1)) == "refused"
