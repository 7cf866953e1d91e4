"""Signing in on another site, which uses a popup and no third-party cookies."""

import time
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.conftest import BrowserErrors, OpenPage, OtherSites
from tests.browser.cookies import session_cookies
from tests.e2e.conftest import Site


def open_popup(page: Page, origin: str, site: Site, *, claiming: str | None = None) -> Page:
    """Open the sign-in popup of a page. The page may claim to have the origin `claiming`."""
    page.goto(f"{origin}/?{urlencode({'stack': site.url, 'as': claiming or origin})}")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Sign in").click()
    return opened.value


def authorize(popup: Page, github: FakeGitHub, account: Account) -> None:
    """Press GitHub's button in the popup, and wait until the popup closes."""
    github.signed_in = account
    button = popup.get_by_role("button", name="Authorize")
    with popup.expect_event("close"):
        button.click(no_wait_after=True)


def call(page: Page, method: str, path: str, session: str) -> Any:
    return page.evaluate("args => call(...args)", [method, path, session])


def test_the_popup_posts_the_session_to_the_page_that_opened_it(
    open_page: OpenPage, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    page = open_page()
    authorize(open_popup(page, other_sites.wiki, site), github, ann)
    message = page.wait_for_function("messages[0]").json_value()
    assert message["origin"] == site.url
    data = message["data"]
    assert data.keys() == {"type", "session", "expires"}
    assert data["type"] == "issue-timer:session"
    assert 0 < data["expires"] / 1000 - time.time() <= 3600
    assert session_cookies(page.context) == []

    started = call(page, "POST", "/api/timelogs/start/", data["session"])
    assert (started["status"], started["body"]["user"]) == (201, ann.id)
    listed = call(page, "GET", "/api/timelogs/", data["session"])
    assert [timer["id"] for timer in listed["body"]["results"]] == [started["body"]["id"]]


def test_the_page_renews_its_session(
    open_page: OpenPage, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    page = open_page()
    authorize(open_popup(page, other_sites.wiki, site), github, ann)
    session = page.wait_for_function("messages[0]").json_value()["data"]["session"]
    renewed = call(page, "POST", "/api/auth/session/", session)
    assert renewed["status"] == 200
    assert call(page, "GET", "/api/timelogs/", renewed["body"]["session"])["status"] == 200


def test_the_session_of_another_site_cannot_manage_the_account(
    open_page: OpenPage,
    site: Site,
    github: FakeGitHub,
    other_sites: OtherSites,
    ann: Account,
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/me/$")
    page = open_page()
    authorize(open_popup(page, other_sites.wiki, site), github, ann)
    session = page.wait_for_function("messages[0]").json_value()["data"]["session"]
    assert call(page, "DELETE", "/api/auth/me/", session)["status"] == 403


def test_a_page_of_an_origin_that_is_not_allowed_cannot_sign_in(
    open_page: OpenPage, site: Site, other_sites: OtherSites, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/login/")
    page = open_page()
    popup = open_popup(page, other_sites.stranger, site)
    expect(popup.get_by_role("heading")).to_have_text("Web site not allowed")
    assert page.evaluate("messages") == []


def test_a_page_that_claims_an_allowed_origin_receives_no_session(
    open_page: OpenPage,
    site: Site,
    github: FakeGitHub,
    other_sites: OtherSites,
    ann: Account,
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow(r"Failed to execute 'postMessage'")
    page = open_page()
    authorize(open_popup(page, other_sites.stranger, site, claiming=other_sites.wiki), github, ann)
    # Post a message from the page itself. A message from the popup would have arrived earlier.
    page.evaluate("new Promise((resolve) => { addEventListener('message', resolve); postMessage('own') })")
    assert [message["data"] for message in page.evaluate("messages")] == ["own"]


def test_a_page_of_an_origin_that_is_not_allowed_cannot_call_the_api(
    ann_page: Page, site: Site, other_sites: OtherSites, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"blocked by CORS policy|net::ERR_FAILED")
    ann_page.goto(f"{other_sites.stranger}/?{urlencode({'stack': site.url})}")
    for path in ("/api/auth/me/", "/api/timelogs/"):
        result = ann_page.evaluate(
            """(address) => fetch(address, { credentials: "include" }).then(() => "read", String)""",
            site.url + path,
        )
        assert result == "TypeError: Failed to fetch"
    assert (
        ann_page.evaluate("call('GET', '/api/timelogs/', 'any').then(() => 'read', String)")
        == "TypeError: Failed to fetch"
    )


def test_a_window_without_an_opener_posts_the_session_to_nobody(
    open_page: OpenPage, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    github.signed_in = ann
    page = open_page()
    page.goto(f"/api/auth/login/?{urlencode({'origin': other_sites.wiki})}")
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("main")).to_contain_text("The page that opened this window is gone.")
    assert "data-session" not in page.content()
    page.goto("/")
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
