"""Signing in with GitHub and out again, as people do it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Complaints, OpenPage, OtherSites, SignIn
from tests.browser.held import Held
from tests.browser.past import REPO, put, worked
from tests.browser.widget import OFFLINE, Widget
from tests.e2e.conftest import Site
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account


def test_one_comes_back_to_where_one_was_and_is_known(
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


def test_the_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(ann_page: Page) -> None:
    (cookie,) = ann_page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    assert ann_page.evaluate("document.cookie") == ""


def test_who_says_no_at_github_is_told_so_and_can_begin_again(
    open_page: OpenPage, sign_in: SignIn, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 403 .*/api/auth/callback/")
    page = open_page()
    page.get_by_role("link", name="Sign in with GitHub").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading")).to_have_text("Not signed in")
    assert page.context.cookies() == []
    page.get_by_role("link", name="Issue Timer").click()
    sign_in(page, ann)


def test_who_signs_out_is_nobody_until_they_sign_in_again(
    ann_page: Page, sign_in: SignIn, ann: Account
) -> None:
    ann_page.get_by_role("button", name="Sign out", exact=True).click()
    expect(ann_page.locator("#status")).to_have_text("You are signed out.")
    assert ann_page.context.cookies() == []
    ann_page.reload()
    expect(ann_page.get_by_role("region", name="Entries")).to_be_hidden()
    sign_in(ann_page, ann)


def test_who_signs_out_in_one_tab_is_gone_from_the_others_at_once(
    ann_page: Page, complaints: Complaints
) -> None:
    complaints.provoke("status of 401 ")
    other = ann_page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Add time").click()
    third = ann_page.context.new_page()
    third.goto("/account.html")
    expect(third.get_by_text("Signed in as")).to_be_visible()
    ann_page.get_by_role("button", name="Sign out", exact=True).click()
    expect(ann_page.locator("#status")).to_have_text("You are signed out.")
    for page in (other, third):
        expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible(timeout=5_000)
        expect(page.locator("#status")).to_have_text("You are signed out.")
        expect(page.get_by_text("Signed in as")).to_be_hidden()
        expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("address", ["/", "/account.html", "/embed.html"])
def test_who_signs_in_in_one_tab_is_who_the_others_are_of(
    ann_page: Page, github: FakeGitHub, site: Site, ann: Account, address: str
) -> None:
    put(site, [worked(ann, 1)])
    ann_page.goto(address)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()
    bob = sign_in_as_bob_in_another_tab(ann_page, github)
    expect(ann_page.get_by_text(f"Signed in as {bob.login}")).to_be_visible(timeout=5_000)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_hidden()
    expect(ann_page.get_by_text(f"{REPO}#7")).to_have_count(0)


def test_what_one_was_entering_is_not_saved_as_somebody_else(
    ann_page: Page, github: FakeGitHub, complaints: Complaints
) -> None:
    complaints.provoke("status of 401 ")
    ann_page.get_by_role("button", name="Add time").click()
    ann_page.get_by_label("Description").fill("Secret")
    ann_page.context.clear_cookies()
    ann_page.get_by_role("button", name="Save").click()
    expect(ann_page.get_by_role("alert").filter(has_text="sign in again, in another tab")).to_be_visible()
    bob = sign_in_as_bob_in_another_tab(ann_page, github)
    expect(ann_page.get_by_text(f"Signed in as {bob.login}")).to_be_visible(timeout=5_000)
    expect(ann_page.get_by_role("dialog")).to_be_hidden()


def test_a_tab_that_slept_takes_nothing_from_who_has_signed_in_meanwhile(
    ann_widget: Widget, github: FakeGitHub
) -> None:
    # As a tab does that sleeps, it hears nothing.
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.disconnect()")
    page = ann_widget.page.context.new_page()
    bob = sign_in_as_bob_in_another_tab(ann_widget.page, github)
    page.goto("/")
    page.get_by_role("button", name="Add time").click()
    page.get_by_label("Description").fill("Half of it")
    held = Held(ann_widget.page, "**/api/timelogs/?*")
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.connect()")
    held.first()
    # It is another day by now.
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.loadToday()")
    with ann_widget.page.expect_response("**/api/auth/me/"):
        held.first().continue_()
    page.wait_for_timeout(1000)
    expect(page.get_by_label("Description")).to_have_value("Half of it", timeout=1000)
    expect(page.get_by_text(f"Signed in as {bob.login}")).to_be_visible()


def sign_in_as_bob_in_another_tab(page: Page, github: FakeGitHub) -> Account:
    """Have Bob sign in in the same browser, to the page that has no widget."""
    bob = github.signed_in = github.new_user(f"bob-{len(github.accounts)}")
    other = page.context.new_page()
    other.goto("/api/auth/login/?next=/account.html")
    other.get_by_role("button", name="Authorize").click()
    expect(other.get_by_text(f"Signed in as {bob.login}")).to_be_visible()
    return bob


def press_try_again(page: Page) -> None:
    page.get_by_role("button", name="Try again").click()


def have_a_network_again(page: Page) -> None:
    page.context.set_offline(True)
    page.context.set_offline(False)


def wait(page: Page) -> None:
    page.clock.fast_forward("10:00")


@pytest.mark.parametrize("do", [press_try_again, have_a_network_again, wait])
def test_a_page_that_does_not_hear_who_is_there_asks_again(
    ann_page: Page, ann: Account, complaints: Complaints, do: Callable[[Page], None]
) -> None:
    complaints.provoke("status of 503 .*/api/auth/me/$")
    asked = []

    def answer(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            route.fulfill(status=503, headers={"Retry-After": "600"}, body="")
        else:
            route.continue_()

    # The widget of a page that is shown may ask, too.
    ann_page.goto("about:blank")
    ann_page.route("**/api/auth/me/", answer)
    ann_page.clock.install()
    ann_page.goto("/")
    expect(ann_page.locator("#status")).to_have_text("The server answered 503.")
    expect(ann_page.get_by_text("It goes on trying by itself.")).to_be_visible()
    ann_page.clock.fast_forward("09:30")
    assert len(asked) == 1
    do(ann_page)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible(timeout=10_000)
    expect(ann_page.locator("#status")).to_be_empty()
    expect(ann_page.get_by_role("button", name="Try again")).to_have_count(0)


def test_a_page_asks_more_and_more_rarely_who_is_there(
    ann_page: Page, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    asked = []

    def answer(route: Route) -> None:
        asked.append(route)
        route.abort()

    ann_page.goto("about:blank")
    ann_page.route("**/api/auth/me/", answer)
    ann_page.clock.install()
    ann_page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))
    ann_page.goto("/")
    status, failed = ann_page.locator("#status"), "There is no connection to the server."
    for count, seconds in enumerate([2, 4, 8, 16, 32, 60, 60], start=1):
        expect(status).to_have_text(failed)
        assert len(asked) == count
        # A quarter more or less.
        ann_page.clock.run_for(seconds * 740)
        assert len(asked) == count
        # Once it says so again, it waits again.
        status.evaluate("(status) => { status.textContent = '' }")
        ann_page.clock.run_for(seconds * 520)
    expect(status).to_have_text(failed)
    ann_page.unroute("**/api/auth/me/")
    press_try_again(ann_page)
    expect(ann_page.get_by_text(f"Signed in as {ann.login}")).to_be_visible()


def test_who_turns_out_not_to_be_signed_in_may_do_so(
    open_page: OpenPage, sign_in: SignIn, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
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
    ann_page: Page, open_page: OpenPage, sign_in: SignIn, site: Site, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 401 .*/api/auth/tokens/$")
    other = sign_in(open_page(), ann)
    for page in (ann_page, other):
        # What the page asks for by itself is answered before the session ends.
        page.goto("/account.html", wait_until="networkidle")
    ann_page.get_by_role("button", name="Sign out everywhere").click()
    expect(ann_page.get_by_role("status")).to_have_text("You are signed out on all devices.")
    # One that runs may know the other session for another minute.
    site.restart("AuthFunction")
    other.get_by_label("Name").fill("backup")
    other.get_by_role("button", name="Make token").click()
    expect(other.get_by_role("status")).to_have_text("The session is over: sign in again.")
    expect(other.get_by_role("link", name="Sign in with GitHub")).to_be_focused()
    other.reload()
    expect(other.get_by_role("link", name="Sign in with GitHub")).to_be_visible()


def test_the_form_of_another_site_acts_for_nobody(
    ann_page: Page, other_sites: OtherSites, site: Site, ann: Account, complaints: Complaints
) -> None:
    # It becomes the page that is shown, for which Chromium wants an icon.
    complaints.provoke(r"status of 401 .*/api/auth/logout/$|/favicon.ico$")
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
def test_everything_can_be_read_on_a_narrow_screen(
    open_page: OpenPage, sign_in: SignIn, ann: Account, complaints: Complaints, scheme: str
) -> None:
    complaints.provoke(r"status of 403 .*/api/auth/login/")
    page = open_page(color_scheme=scheme, viewport={"width": 320, "height": 640})

    def assert_nothing_is_cut_off() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") == 320

    assert_nothing_is_cut_off()
    sign_in(page, ann)
    page.goto("/account.html")
    page.get_by_label("Name").fill("a-token-with-a-long-name-and-no-place-to-break-" * 2)
    page.get_by_role("button", name="Make token").click()
    expect(page.get_by_role("button", name="Revoke")).to_be_visible()
    assert_nothing_is_cut_off()
    page.goto("/api/auth/login/?origin=https://a-web-site-with-a-long-name.example.com")
    expect(page.get_by_role("heading")).to_have_text("Web site not allowed")
    assert_nothing_is_cut_off()
