"""Signing in with GitHub and signing out."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, Route, expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.blocked_requests import BlockedRequests
from tests.browser.conftest import BrowserErrors, OpenAs, OpenPage, OtherSites, SignIn
from tests.browser.cookies import session_cookies
from tests.browser.seed import REPO, finished_timer, put_timers
from tests.browser.widget import OFFLINE, Widget
from tests.e2e.conftest import Site


@pytest.fixture
def sign_in(sign_in_with_buttons: SignIn) -> SignIn:
    return sign_in_with_buttons


def test_signing_in_returns_to_the_same_address(
    open_page: OpenPage, site: Site, github: FakeGitHub, ann: Account
) -> None:
    page = open_page()
    page.goto("/?view=week&of=ann#tokens")
    github.signed_in = ann
    page.get_by_role("link", name="Sign in with GitHub").click()
    expect(page).to_have_url(re.compile(re.escape(f"{github.url}/login/oauth/authorize?")))
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(f"{site.url}/?view=week&of=ann#tokens")
    expect(page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


def test_the_session_cookie_is_hidden_from_scripts_and_other_sites(ann_page: Page) -> None:
    (cookie,) = session_cookies(ann_page.context)
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert ann_page.evaluate("document.cookie") == ""


def test_signing_in_can_be_repeated_after_it_was_denied_at_github(
    open_page: OpenPage, sign_in: SignIn, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/callback/")
    page = open_page()
    page.get_by_role("link", name="Sign in with GitHub").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading")).to_have_text("Not signed in")
    assert session_cookies(page.context) == []
    page.get_by_role("link", name="Issue Timer").click()
    sign_in(page, ann)


NEXT = "/account.html?a=1#tokens"
LOGIN = f"/api/auth/login/?next={quote(NEXT, safe='')}"


def test_a_cancelled_sign_in_can_be_repeated_or_completed_after_going_back(
    open_page: OpenPage, site: Site, github: FakeGitHub, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/callback/")
    page = open_page()
    github.signed_in = ann
    page.goto(LOGIN)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("You did not authorize Issue Timer at GitHub.")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(site.url + NEXT)
    expect(page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
    page.goto(LOGIN)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(site.url + NEXT)


def test_two_tabs_can_both_complete_their_sign_ins(
    open_page: OpenPage, site: Site, github: FakeGitHub, ann: Account
) -> None:
    first = open_page()
    second = first.context.new_page()
    github.signed_in = ann
    for page, path in ((first, "/?view=week"), (second, "/embed.html")):
        page.goto(f"/api/auth/login/?next={quote(path, safe='')}")
    for page, path in ((first, "/?view=week"), (second, "/embed.html")):
        page.get_by_role("button", name="Authorize").click()
        expect(page).to_have_url(site.url + path)
        expect(page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


def test_going_back_and_authorizing_again_stays_signed_in(
    open_page: OpenPage, site: Site, github: FakeGitHub, ann: Account
) -> None:
    page = open_page()
    github.signed_in = ann
    page.goto(LOGIN)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()
    for button in ("Authorize", "Cancel"):
        page.go_back()
        page.get_by_role("button", name=button).click()
        expect(page).to_have_url(site.url + NEXT)
        expect(page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


def test_a_sign_in_that_was_used_can_be_repeated_after_signing_out(
    open_page: OpenPage, site: Site, github: FakeGitHub, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/auth/callback/")
    page = open_page()
    github.signed_in = ann
    page.goto(LOGIN)
    at_github = page.url
    page.get_by_role("button", name="Authorize").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
    page.goto(at_github)
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_text("This sign-in was used before")).to_be_visible()
    assert session_cookies(page.context) == []
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(site.url + NEXT)


def test_a_sign_in_of_another_browser_signs_nobody_in(
    open_page: OpenPage, github: FakeGitHub, ann: Account, browser_errors: BrowserErrors
) -> None:
    """An attacker's link would sign people in to the attacker's account."""
    browser_errors.allow(r"status of 400 .*/api/auth/callback/")
    attacker, victim = open_page(), open_page()
    github.signed_in = ann
    attacker.goto(LOGIN)
    at_github = attacker.url
    victim.goto(at_github)
    victim.get_by_role("button", name="Authorize").click()
    expect(victim.get_by_text("This sign-in began in another browser")).to_be_visible()
    assert session_cookies(victim.context) == []


def test_a_wrong_address_is_a_page_with_a_link_to_the_home_page(
    open_page: OpenPage, site: Site, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow("status of 404 .*/nothing.html")
    page = open_page()
    page.goto("/nothing.html")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    page.get_by_role("link", name="Issue Timer").click()
    expect(page).to_have_url(site.url + "/")


def test_signing_out_ends_the_session(ann_page: Page, sign_in: SignIn, ann: Account) -> None:
    ann_page.get_by_role("button", name="Sign out", exact=True).click()
    expect(ann_page.locator("#status")).to_have_text("You are signed out.")
    assert session_cookies(ann_page.context) == []
    ann_page.reload()
    expect(ann_page.get_by_role("region", name="Entries")).to_be_hidden()
    sign_in(ann_page, ann)


def test_signing_out_in_one_tab_immediately_signs_out_the_others(
    ann_page: Page, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow("status of 401 ")
    other = ann_page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Add time").click()
    third = ann_page.context.new_page()
    third.goto("/account.html")
    expect(third.get_by_text("Signed in as")).to_be_visible()
    ann_page.get_by_role("button", name="Sign out", exact=True).click()
    expect(ann_page.locator("#status")).to_have_text("You are signed out.")
    for page in (other, third):
        expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible(timeout=12_000)
        expect(page.locator("#status")).to_have_text("You are signed out.")
        expect(page.get_by_text("Signed in as")).to_be_hidden()
        expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("address", ["/", "/account.html", "/embed.html"])
def test_signing_in_as_another_user_switches_all_tabs(
    ann_page: Page, github: FakeGitHub, site: Site, ann: Account, address: str
) -> None:
    put_timers(site, [finished_timer(ann, 1)])
    ann_page.goto(address)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()
    bob = sign_in_as_bob_in_another_tab(ann_page, github)
    expect(ann_page.get_by_text(f"Signed in as {bob.login}")).to_be_visible(timeout=12_000)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_hidden()
    expect(ann_page.get_by_text(f"{REPO}#7")).to_have_count(0)


def test_an_open_form_is_not_saved_as_another_user(
    ann_page: Page, github: FakeGitHub, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow("status of 401 ")
    ann_page.get_by_role("button", name="Add time").click()
    ann_page.get_by_role("dialog").get_by_label("Description").fill("Secret")
    ann_page.context.clear_cookies()
    ann_page.get_by_role("button", name="Save").click()
    expect(ann_page.get_by_role("alert").filter(has_text="Sign in again in another tab")).to_be_visible()
    bob = sign_in_as_bob_in_another_tab(ann_page, github)
    expect(ann_page.get_by_text(f"Signed in as {bob.login}")).to_be_visible(timeout=12_000)
    expect(ann_page.get_by_role("dialog")).to_be_hidden()


def test_a_tab_that_slept_does_not_disturb_another_user(ann_widget: Widget, github: FakeGitHub) -> None:
    # Disconnect the widget. A disconnected widget receives no messages, like a sleeping tab.
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.disconnect()")
    page = ann_widget.page.context.new_page()
    bob = sign_in_as_bob_in_another_tab(ann_widget.page, github)
    page.goto("/")
    page.get_by_role("button", name="Add time").click()
    page.get_by_role("dialog").get_by_label("Description").fill("Half of it")
    blocked = BlockedRequests(ann_widget.page, "**/api/timelogs/?*")
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.connect()")
    blocked.first()
    # Request the list and today's seconds, as after a correction.
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.expectChange()")
    with ann_widget.page.expect_response("**/api/auth/me/"):
        blocked.release_first()
    page.wait_for_timeout(1000)
    expect(page.get_by_role("dialog").get_by_label("Description")).to_have_value("Half of it")
    expect(page.get_by_text(f"Signed in as {bob.login}")).to_be_visible()


def sign_in_as_bob_in_another_tab(page: Page, github: FakeGitHub) -> Account:
    """Sign Bob in, in another tab of the browser. The tab shows the Account page, which has no widget."""
    bob = github.signed_in = github.new_user(f"bob-{len(github.accounts)}")
    other = page.context.new_page()
    other.goto("/api/auth/login/?next=/account.html")
    other.get_by_role("button", name="Authorize").click()
    expect(other.get_by_text(f"Signed in as {bob.login}")).to_be_visible()
    return bob


def press_try_again(page: Page) -> None:
    page.get_by_role("button", name="Try again").click()


def reconnect(page: Page) -> None:
    page.context.set_offline(True)
    page.context.set_offline(False)


def wait(page: Page) -> None:
    page.clock.fast_forward("10:00")


@pytest.mark.parametrize("do", [press_try_again, reconnect, wait])
def test_a_page_retries_until_it_knows_its_user(
    ann_page: Page, ann: Account, browser_errors: BrowserErrors, do: Callable[[Page], None]
) -> None:
    browser_errors.allow("status of 503 .*/api/auth/me/$")
    requests = []

    def respond(route: Route) -> None:
        requests.append(route)
        if len(requests) == 1:
            route.fulfill(status=503, headers={"Retry-After": "600"}, body="")
        else:
            route.continue_()

    # Leave the page first, because the page's widget may send the same request.
    ann_page.goto("about:blank")
    ann_page.route("**/api/auth/me/", respond)
    ann_page.clock.install()
    ann_page.goto("/")
    expect(ann_page.locator("#status")).to_have_text("The server responded with status 503.")
    expect(ann_page.get_by_text("It retries automatically.")).to_be_visible()
    ann_page.clock.fast_forward("09:30")
    assert len(requests) == 1
    do(ann_page)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible(timeout=60_000)
    expect(ann_page.locator("#status")).to_be_empty()
    expect(ann_page.get_by_role("button", name="Try again")).to_have_count(0)


NOTE_FAILURES = """(status) => {
    const note = () => { if (status.textContent) window.failedAt = Date.now(); };
    new MutationObserver(note).observe(status, { childList: true, characterData: true, subtree: true });
}"""


def test_retries_for_the_user_back_off(ann_page: Page, ann: Account, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(OFFLINE)
    requests = []

    def respond(route: Route) -> None:
        requests.append(route)
        route.abort()

    ann_page.goto("about:blank")
    ann_page.route("**/api/auth/me/", respond)
    ann_page.clock.install()
    ann_page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    ann_page.goto("/")
    status, failed = ann_page.locator("#status"), "No connection to the server."
    status.evaluate(NOTE_FAILURES)
    for count, seconds in enumerate([2, 4, 8, 16, 32, 60, 60], start=1):
        expect(status).to_have_text(failed)
        assert len(requests) == count
        # A wait begins when a request fails, which is before the clock stops. Each wait is random, up to a
        # quarter shorter or longer than its nominal time.
        waited_ms = ann_page.evaluate("Date.now() - (window.failedAt ?? Date.now())")
        ann_page.clock.run_for(seconds * 740 - waited_ms)
        assert len(requests) == count
        # Clear the message, because the next failure will show the same message again.
        status.evaluate("(status) => { status.textContent = '' }")
        ann_page.clock.run_for(seconds * 520)
    expect(status).to_have_text(failed)
    ann_page.unroute("**/api/auth/me/")
    press_try_again(ann_page)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


def test_a_page_asks_to_sign_in_after_retries(
    open_page: OpenPage, sign_in: SignIn, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    page = open_page()
    page.route("**/api/auth/me/", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_hidden()
    page.unroute("**/api/auth/me/")
    press_try_again(page)
    expect(page.locator("#status")).to_be_empty()
    sign_in(page, ann)


def test_signing_out_everywhere_ends_the_session_of_another_browser(
    ann_page: Page,
    open_as: OpenAs,
    site: Site,
    ann: Account,
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow(r"status of 401 .*/api/auth/tokens/$")
    other = open_as(ann)
    for page in (ann_page, other):
        # Wait for all responses to the page's requests before the session ends.
        page.goto("/account.html", wait_until="networkidle")
    ann_page.get_by_role("button", name="Sign out everywhere").click()
    expect(ann_page.get_by_role("status")).to_have_text("You are signed out on all devices.")
    # Restart the function, because a running function may cache the other session for another minute.
    site.restart("AuthFunction")
    other.get_by_label("Name").fill("backup")
    other.get_by_role("button", name="Create token").click()
    expect(other.get_by_role("status")).to_have_text("Your session has expired. Sign in again.")
    expect(other.get_by_role("link", name="Sign in with GitHub")).to_be_focused()
    other.reload()
    expect(other.get_by_role("link", name="Sign in with GitHub")).to_be_visible()


def test_a_form_of_another_site_is_not_authenticated(
    ann_page: Page, other_sites: OtherSites, site: Site, ann: Account, browser_errors: BrowserErrors
) -> None:
    # The browser shows the response as a page, and Chromium requests an icon for the page.
    browser_errors.allow(r"status of 401 .*/api/auth/logout/$|/favicon.ico$")
    for origin in (other_sites.stranger, other_sites.wiki):
        ann_page.goto(origin)
        with ann_page.expect_navigation() as navigation:
            ann_page.evaluate(
                """(address) => {
                    const form = document.createElement("form");
                    Object.assign(form, { method: "post", action: address });
                    document.body.append(form);
                    form.submit();
                }""",
                f"{site.url}/api/auth/logout/",
            )
        assert navigation.value.status == 401
    ann_page.goto("/")
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_account_and_sign_in_pages_fit_a_narrow_screen(
    open_page: OpenPage, sign_in: SignIn, ann: Account, browser_errors: BrowserErrors, scheme: str
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/login/")
    page = open_page(color_scheme=scheme, viewport={"width": 320, "height": 640})

    def assert_it_fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") == 320

    assert_it_fits()
    sign_in(page, ann)
    page.goto("/account.html")
    page.get_by_label("Name").fill("a-token-with-a-long-name-and-no-place-to-break-" * 2)
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    assert_it_fits()
    page.goto("/api/auth/login/?origin=https://a-web-site-with-a-long-name.example.com")
    expect(page.get_by_role("heading")).to_have_text("Web site not allowed")
    assert_it_fits()
