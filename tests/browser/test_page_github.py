"""The page with the connection with GitHub, which is for admins, and the page with the API."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from deployed_stack.deliveries import WEBHOOK_PATH
from deployed_stack.http_client import request
from tests.support.axe import violations
from timer_core.github.webhooks.signature import sign

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs, OpenPage
    from tests.e2e.conftest import Site


def deliver(site: Site, event: str, payload: dict[str, Any], *, secret: str | None = None) -> int:
    """Send a delivery of a repository's webhook to the stack; return the response's status."""
    body = json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid4()),
        "X-GitHub-Hook-ID": "12345",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature-256": sign(site.stack.webhook_secret() if secret is None else secret, body),
    }
    return request("POST", site.url + WEBHOOK_PATH, body=body, headers=headers).status


def test_the_page_shows_a_delivery_as_soon_as_it_arrives(open_as: OpenAs, admin: Account, site: Site) -> None:
    page = open_as(admin, "/github.html")
    expect(page.locator("#state")).not_to_be_empty()
    payload = {"zen": "Keep it logically awesome.", "repository": {"id": 1, "full_name": "octo-org/hello"}}
    assert deliver(site, "ping", payload) == 200
    expect(page.locator("#delivery-text")).to_have_text("Received ping from octo-org/hello: processed.")
    expect(page.locator("#delivery-age")).to_have_text(re.compile(r"^\d+ seconds? ago$"))
    expect(page.locator("#state")).to_have_class("connected")
    expect(page.locator("#webhooks")).to_contain_text("Repository octo-org/hello")
    assert violations(page) == []
    # A wrong secret is the most frequent mistake.
    assert deliver(site, "ping", payload, secret="wrong") == 401
    expect(page.locator("#problems")).to_contain_text("wrong signature")


@pytest.mark.parametrize(
    ("credential", "problem"),
    [("none", "make github-token PORT="), ("app", "(Could not resolve to a node). Let the App")],
)
def test_the_page_says_what_to_do_about_a_card_that_was_not_read(
    open_as: OpenAs, admin: Account, credential: str, problem: str
) -> None:
    page = open_as(admin, "/github.html")

    def answer(route: Route) -> None:
        shown = route.fetch().json()
        last = {
            "event": "projects_v2_item.edited",
            "source": "octo-org",
            "received": datetime.now(UTC).isoformat(),
            "state": "given_up",
            "reason": "Could not resolve to a node.",
        }
        github = {"credential": credential, "cannot": []}
        route.fulfill(json=shown | {"last_delivery": last, "github": github})

    page.route("**/api/admin/github/", answer)
    page.reload()
    expect(page.locator("#delivery-text")).to_have_text(
        "Received projects_v2_item.edited from octo-org: could not be processed, because its card "
        "could not be read on GitHub."
    )
    expect(page.locator("#problems")).to_contain_text(problem)
    assert violations(page) == []


def test_the_page_leads_to_the_connected_github(open_as: OpenAs, admin: Account, github: FakeGitHub) -> None:
    page = open_as(admin, "/github.html")
    expect(page.get_by_role("link", name="Open GitHub")).to_have_attribute("href", github.url)


def test_the_page_leads_through_both_ways(open_as: OpenAs, admin: Account, site: Site) -> None:
    page = open_as(admin, "/github.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.locator("#state")).not_to_be_empty()
    app = page.locator("#way-app")
    if app.get_attribute("open") is None:
        app.locator("summary").click()
    expect(app.locator("code")).to_have_text(re.compile("^make github-app .*ORG=octo-org$"))
    page.locator("#way-webhook summary").click()
    expect(app).not_to_have_attribute("open", "")
    url = page.locator("#webhook-url")
    expect(url).to_have_text(site.url + WEBHOOK_PATH)
    page.get_by_role("button", name=f"Copy {site.url}").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == site.url + WEBHOOK_PATH


def test_the_commands_name_the_stack_wherever_the_page_is_opened(
    open_as: OpenAs, admin: Account, site: Site
) -> None:
    page = open_as(admin, "/github.html")
    local = page.locator("#local")
    expect(page.locator("#secret-command")).to_have_text(f"make secret PORT={site.stack.port}")
    expect(local).to_be_visible()

    def answer_as_in_aws(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"stack": "timers", "local_port": None})

    page.route("**/api/admin/github/", answer_as_in_aws)
    page.reload()
    expect(page.locator("#secret-command")).to_have_text("make secret STACK=timers")
    expect(page.locator("#app-command")).to_have_text("make github-app STACK=timers ORG=octo-org")
    expect(local).to_be_hidden()


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_in_german(open_as: OpenAs, admin: Account, width: int, scheme: str) -> None:
    page = open_as(
        admin,
        "/github.html",
        locale="de-DE",
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Verbindung mit GitHub")
    expect(page.locator("#state")).not_to_be_empty()
    page.locator("#way-webhook summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []


def test_others_see_neither_the_link_nor_the_connection(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann)
    expect(page.get_by_role("banner").get_by_role("link", name="GitHub")).to_have_count(0)
    page.goto("/github.html")
    expect(page.get_by_text("Only admins see this page")).to_be_visible()
    expect(page.locator("#connection")).to_be_hidden()


def test_admins_find_the_page_in_the_header(open_as: OpenAs, admin: Account) -> None:
    page = open_as(admin)
    page.get_by_role("banner").get_by_role("link", name="GitHub").click()
    expect(page).to_have_title("GitHub · Issue Timer")


class TestTheApiPage:
    def test_a_request_can_be_tried_with_the_session(self, open_as: OpenAs, ann: Account) -> None:
        page = open_as(ann, "/api.html")
        answer = self.try_out(page, "/api/auth/me/")
        expect(answer).to_contain_text(ann.login)
        expect(page.locator("#signed-in")).to_be_visible()

    def test_a_write_with_the_session_passes_the_protection_against_forgery(
        self, open_as: OpenAs, ann: Account
    ) -> None:
        page = open_as(ann, "/api.html")
        answer = self.try_out(page, "/api/timelogs/start/", method="post")
        expect(answer).to_contain_text('"status": "running"')

    def test_a_request_can_be_tried_with_a_token(self, open_page: OpenPage, ann: Account, site: Site) -> None:
        page = open_page()
        page.goto("/api.html")
        page.get_by_role("button", name="Authorize").first.click()
        dialog = page.locator(".dialog-ux")
        # A script cannot set the session's cookie, so only a token is offered.
        expect(dialog.locator("input")).to_have_count(1)
        dialog.locator("input").fill(site.stack.mint_token(ann.id, login=ann.login))
        dialog.get_by_role("button", name="Apply credentials").click()
        dialog.get_by_role("button", name="Close").first.click()
        expect(self.try_out(page, "/api/auth/me/")).to_contain_text(ann.login)

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 768, 1280])
    def test_the_page_fits_and_needs_no_exception_from_the_policy(
        self, open_page: OpenPage, browser_errors: BrowserErrors, width: int, scheme: str
    ) -> None:
        page = open_page(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="de-DE")
        page.goto("/api.html")
        expect(page.locator(".opblock").first).to_be_visible()
        page.locator(".opblock-summary-control").first.click()
        expect(page.locator(".opblock-body").first).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("Die API")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.locator("html.dark-mode").count() == (scheme == "dark")
        # Swagger UI nests buttons, skips a level of headings and names neither its icons nor its selections.
        own = {
            "button-name",
            "heading-order",
            "nested-interactive",
            "scrollable-region-focusable",
            "select-name",
        }
        assert {found["id"] for found in violations(page)} <= own
        hosts = page.evaluate(
            "performance.getEntriesByType('resource').map(({ name }) => new URL(name).host)"
        )
        assert set(hosts) == {page.evaluate("location.host")}
        assert browser_errors.unexpected == []

    def try_out(self, page: Page, path: str, *, method: str = "get") -> Any:
        operation = page.locator(f".opblock-{method}").filter(has=page.locator(f'[data-path="{path}"]'))
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        return operation.locator(".live-responses-table")
