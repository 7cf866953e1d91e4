"""Signing in with GitHub and out again, as people do it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, OpenPage, OtherSites, SignIn
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


def test_signing_out_everywhere_ends_the_session_of_another_browser(
    ann_page: Page, open_page: OpenPage, sign_in: SignIn, site: Site, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 401 .*/api/auth/tokens/$")
    other = sign_in(open_page(), ann)
    for page in (ann_page, other):
        page.goto("/account.html")
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
    expect(page.get_by_role("heading")).to_have_text("Not from this web site")
    assert_nothing_is_cut_off()
