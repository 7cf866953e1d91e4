"""The Account page: tokens, the export of all data, and the deletion of the account."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from fake_github.model import Account
from tests.browser.conftest import BrowserErrors, SignIn
from tests.browser.cookies import session_cookies
from tests.e2e.conftest import Site


@pytest.fixture
def sign_in(sign_in_with_buttons: SignIn) -> SignIn:
    return sign_in_with_buttons


@pytest.fixture
def account_page(ann_page: Page) -> Page:
    """Return Ann's Account page."""
    ann_page.get_by_role("link", name="Account").click()
    expect(ann_page.get_by_role("region", name="Account")).to_be_visible()
    return ann_page


def create_token(page: Page, name: str, scope: str = "read only", valid_until: str = "") -> str:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Access").select_option(scope)
    page.get_by_label("Valid until").fill(valid_until)
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("status")).to_have_text(f"Token {name} created.")
    return page.get_by_label("Your new token").input_value()


def test_a_token_created_on_the_page_authenticates_requests(
    account_page: Page, site: Site, ann: Account
) -> None:
    token = create_token(account_page, "editor", "read and write")
    assert site.send("POST", "/api/timelogs/start/", token=token).status == 201
    (timer,) = site.get("/api/timelogs/", token)["results"]
    assert timer["user"] == ann.id


def test_a_read_only_token_cannot_write(account_page: Page, site: Site) -> None:
    token = create_token(account_page, "report")
    assert site.get("/api/timelogs/", token)["results"] == []
    assert site.send("POST", "/api/timelogs/start/", token=token).status == 403


def test_a_token_is_shown_only_once(account_page: Page) -> None:
    token = create_token(account_page, "report", valid_until="2099-12-31")
    item = account_page.get_by_role("region", name="API tokens").get_by_role("listitem")
    expect(item).to_contain_text("report")
    expect(item).to_contain_text("read only · ")
    expect(item).to_contain_text("expires Dec 31, 2099 · never used")
    account_page.reload()
    expect(item).to_contain_text("report")
    assert token not in account_page.content()
    expect(account_page.get_by_label("Your new token")).to_have_value("")


def test_a_token_can_be_copied(account_page: Page) -> None:
    account_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    token = create_token(account_page, "report")
    account_page.get_by_role("button", name="Copy").click()
    expect(account_page.get_by_role("status")).to_have_text("Copied.")
    assert account_page.evaluate("navigator.clipboard.readText()") == token


def test_an_invalid_expiry_of_a_token_is_explained(account_page: Page, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(r"status of 400 .*/api/auth/tokens/$")
    account_page.get_by_label("Name").fill("report")
    account_page.get_by_label("Valid until").fill("2001-01-01")
    account_page.get_by_role("button", name="Create token").click()
    expect(account_page.get_by_role("status")).to_have_text("Must be in the future.")


def test_a_revoked_token_stops_working(account_page: Page, site: Site) -> None:
    token = create_token(account_page, "report")
    assert site.send("GET", "/api/timelogs/", token=token).status == 200
    account_page.get_by_role("button", name="Revoke \u2068report").click()
    account_page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(account_page.get_by_role("status")).to_have_text("Token report revoked.")
    expect(account_page.get_by_role("button", name="Revoke \u2068report")).to_have_count(0)
    # Restart the function, because a running function may cache the token for another minute.
    site.restart("TimelogsFunction")
    assert site.send("GET", "/api/timelogs/", token=token).status == 401


def download(page: Page, folder: Path) -> Any:
    with page.expect_download() as started:
        page.get_by_role("button", name="Export my data").click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return json.loads(file.read_text())


def test_the_export_contains_all_stored_data_but_no_token(
    account_page: Page, site: Site, ann: Account, tmp_path: Path
) -> None:
    token = create_token(account_page, "editor", "read and write")
    timer = json.loads(site.send("POST", "/api/timelogs/start/", token=token).body)
    exported = download(account_page, tmp_path)
    assert exported.keys() >= {"profile", "tokens", "timers", "slots", "changes"}
    assert exported["profile"]["login"] == ann.login
    assert [item["name"] for item in exported["tokens"]] == ["editor"]
    assert [item["id"] for item in exported["timers"]] == [timer["id"]]
    assert token not in json.dumps(exported)


def test_the_export_combines_all_pages(account_page: Page, site: Site, tmp_path: Path) -> None:
    def respond(route: Route) -> None:
        cursor = int(route.request.url.partition("cursor=")[2] or 0)
        following = f"{site.url}/api/auth/me/export/?cursor={cursor + 1}" if cursor < 2 else None
        page = {"profile": {"login": "ann"}, "tokens": [], "timers": [{"id": cursor}], "next": following}
        route.fulfill(json=page)

    account_page.route("**/api/auth/me/export/*", respond)
    assert download(account_page, tmp_path)["timers"] == [{"id": 0}, {"id": 1}, {"id": 2}]


def test_an_account_is_deleted_after_confirmation(
    account_page: Page, sign_in: SignIn, site: Site, ann: Account
) -> None:
    token = create_token(account_page, "editor", "read and write")
    assert site.send("POST", "/api/timelogs/start/", token=token).status == 201
    account_page.get_by_role("button", name="Delete account").click()
    expect(account_page.get_by_role("button", name="Cancel")).to_be_focused()
    account_page.keyboard.press("Escape")
    expect(account_page.get_by_role("dialog")).to_be_hidden()
    account_page.reload()
    expect(account_page.get_by_role("button", name="Revoke \u2068editor")).to_be_visible()

    account_page.get_by_role("button", name="Delete account").click()
    account_page.get_by_role("button", name="Delete everything").click()
    expect(account_page.get_by_role("status")).to_have_text(
        "Your account and all its data have been deleted."
    )
    assert session_cookies(account_page.context) == []
    # Only the record of the account's deletion remains.
    assert [item.keys() for item in site.items(f"user#{ann.id}")] == [
        {"pk", "sk", "deletion_requested_ms", "events_ignored_until_ms", "expires_at"}
    ]
    site.restart("TimelogsFunction")
    assert site.send("GET", "/api/timelogs/", token=token).status == 401
    sign_in(account_page, ann)
    expect(account_page.get_by_role("region", name="Account")).to_be_visible()
    expect(account_page.get_by_role("button", name="Revoke \u2068editor")).to_have_count(0)


def test_the_account_page_is_usable_by_keyboard(account_page: Page) -> None:
    def tab_to(role: Any, name: str) -> None:
        target = account_page.get_by_role(role, name=name, exact=True)
        for _ in range(60):
            account_page.keyboard.press("Tab")
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{name} cannot be reached")

    tab_to("textbox", "Name")
    account_page.keyboard.type("report")
    account_page.keyboard.press("Enter")
    expect(account_page.get_by_role("button", name="Copy")).to_be_focused()
    account_page.keyboard.press("Shift+Tab")
    expect(account_page.get_by_label("Your new token")).to_be_focused()
    account_page.get_by_role("heading", name="API tokens").click()
    tab_to("button", "Revoke \u2068report\u2069")
    account_page.keyboard.press("Enter")
    tab_to("button", "Revoke")
    account_page.keyboard.press("Enter")
    expect(account_page.get_by_role("status")).to_have_text("Token report revoked.")
    expect(account_page.get_by_label("Name")).to_be_focused()
    tab_to("button", "Sign out everywhere")
    account_page.keyboard.press("Space")
    expect(account_page.get_by_role("link", name="Sign in with GitHub")).to_be_focused()
    account_page.keyboard.press("Enter")
    expect(account_page.get_by_role("button", name="Authorize")).to_be_visible()
