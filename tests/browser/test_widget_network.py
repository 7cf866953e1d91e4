"""The widget offline, with expired sessions, and on other sites."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from fake_github import FakeGitHub
from fake_github.model import Account
from tests.browser.conftest import BrowserErrors, NewContext, OtherSites
from tests.browser.cookies import session_cookies
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site, eventually


def only_timer(site: Site, ann: Account) -> dict[str, Any]:
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    return timer


def seconds_since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def test_an_offline_action_counts_from_its_time(
    ann_widget: Widget, site: Site, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_widget.page.wait_for_timeout(1000)
    ann_widget.page.context.set_offline(True)
    ann_widget.button("Pause").click()
    ann_widget.expect_state("Paused")
    expect(ann_widget.banner).to_contain_text("No connection. Changes waiting to be sent: 1.")
    expect(ann_widget.timers).to_contain_text("not sent yet")
    shown = ann_widget.seconds()
    ann_widget.page.wait_for_timeout(6000)
    ann_widget.page.context.set_offline(False)
    ann_widget.expect_sent()
    timer = only_timer(site, ann)
    assert timer["status"] == "paused"
    assert abs(timer["active_duration"] - shown) <= 1
    assert seconds_since(timer["last_pause_time"]) >= 6
    expect(ann_widget.element.locator("[part=banner]")).to_be_hidden()


def test_offline_actions_are_sent_in_order_even_after_the_page_was_closed(
    ann_widget: Widget, site: Site, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    context = ann_widget.page.context
    context.set_offline(True)
    began = monotonic()
    ann_widget.start(f"{REPO}#7")
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Pause").click()
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Resume").click()
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Stop").click()
    expect(ann_widget.timers).to_have_count(0)
    seconds = monotonic() - began
    ann_widget.page.close()
    context.set_offline(False)
    again = Widget(context.new_page())
    again.open()
    again.expect_ready()
    again.expect_sent()
    timer = only_timer(site, ann)
    assert timer["status"] == "stopped"
    assert 2.5 <= timer["duration"] <= seconds
    assert 1 <= timer["paused_duration"] <= seconds - timer["duration"]


def test_the_page_keeps_values_that_a_full_storage_rejects(ann_widget: Widget) -> None:
    kept = ann_widget.page.evaluate("""async () => {
        const { storage } = await import("/widget/storage.js");
        const tooLong = "x".repeat(6_000_000);
        storage.set("test", "before");
        storage.set("test", tooLong);
        const isKept = storage.get("test") === tooLong;
        storage.remove("test");
        return [isKept, storage.get("test")];
    }""")
    assert kept == [True, None]


def test_signing_out_needs_a_connection(ann_widget: Widget, browser_errors: BrowserErrors) -> None:
    browser_errors.allow(OFFLINE)
    ann_widget.page.context.set_offline(True)
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.signOut()")
    expect(ann_widget.notice).to_have_text("That did not work: No connection.")


# A hint of the start would let the widget find the session expired before the action.
@pytest.mark.usefixtures("without_hints")
def test_an_action_in_an_expired_session_is_sent_after_signing_in(
    ann_widget: Widget, site: Site, github: FakeGitHub, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 401 .*/(pause|totals)/")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_widget.page.context.clear_cookies()
    ann_widget.button("Pause").click()
    message = "Your session has expired. Sign in to continue. Your changes are kept until then."
    expect(ann_widget.element.locator("[part=sign-in]")).to_contain_text(message)
    expect(ann_widget.element.locator("[aria-live=polite]")).to_have_text(message)
    expect(ann_widget.sign_in_button).to_be_focused()
    ann_widget.sign_in(github, ann)
    ann_widget.expect_state("Paused")
    ann_widget.expect_sent()
    assert only_timer(site, ann)["status"] == "paused"


def test_a_users_actions_are_not_sent_as_another_user(
    ann_widget: Widget, site: Site, github: FakeGitHub, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 401 .*/(start|totals)/")
    ann_widget.page.context.clear_cookies()
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.sign_in_button).to_be_visible()
    ann_widget.sign_in(github, github.new_user(f"bob-{len(github.accounts)}"))
    ann_widget.page.wait_for_timeout(1000)
    expect(ann_widget.timers).to_have_count(0)
    ann_widget.page.context.clear_cookies()
    ann_widget.page.reload()
    ann_widget.sign_in(github, ann)
    ann_widget.expect_state("Counting")
    ann_widget.expect_sent()
    assert only_timer(site, ann)["user"] == ann.id


def test_an_unreachable_server_is_retried(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any], browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7})
    ann_widget.page.route("**/api/**", lambda route: route.abort())
    ann_widget.page.reload()
    expect(ann_widget.banner).to_contain_text("No connection. Trying again…")
    expect(ann_widget.element.locator("[aria-live=polite]")).to_have_text("No connection. Trying again…")
    ann_widget.page.unroute("**/api/**")
    ann_widget.element.get_by_role("button", name="Try now").click()
    ann_widget.expect_state("Counting")
    expect(ann_widget.element.locator("[part=banner]")).to_be_hidden()


# ------------------------------------------------------------------ on another site


def embedded(page: Page, site: Site, other_sites: OtherSites) -> Widget:
    page.goto(f"{other_sites.wiki}/widget?{urlencode({'stack': site.url})}")
    return Widget(page)


def sign_in_by_popup(widget: Widget, github: FakeGitHub, account: Account) -> None:
    github.signed_in = account
    with widget.page.expect_popup() as opened:
        widget.sign_in_button.click()
    button = opened.value.get_by_role("button", name="Authorize")
    with opened.value.expect_event("close"):
        button.click(no_wait_after=True)
    widget.expect_ready()


def test_the_widget_works_on_another_site(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    context = new_context()
    widget = embedded(context.new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    assert session_cookies(context) == []
    widget.start(f"{REPO}#7")
    widget.expect_state("Counting")
    widget.expect_sent()
    assert only_timer(site, ann)["status"] == "running"
    # The browser stores the session for this site, so other tabs and reloaded pages also use the session.
    other = embedded(context.new_page(), site, other_sites)
    other.expect_state("Counting")
    widget.page.reload()
    widget.button("Stop").click()
    expect(other.timers).to_have_count(0)
    widget.expect_sent()

    widget.element.get_by_role("button", name="Sign out").click()
    expect(widget.sign_in_button).to_be_visible()
    expect(other.sign_in_button).to_be_visible()
    widget.page.reload()
    expect(widget.sign_in_button).to_be_visible()


def test_a_poll_on_another_site_is_one_request(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    widget.start(f"{REPO}#7")
    widget.expect_sent()
    widget.page.wait_for_load_state("networkidle")
    # Record the requests by the DevTools protocol, because Playwright does not report preflights.
    sent: list[str] = []
    cdp = widget.page.context.new_cdp_session(widget.page)
    cdp.on("Network.requestWillBeSent", lambda event: sent.append(event["request"]["method"]))

    def refresh() -> int:
        with widget.page.expect_response("**/api/timelogs/?*") as response:
            widget.page.evaluate("document.querySelector('issue-timer').manager.refresh()")
        return response.value.status

    # The widget has the list with its new timer.
    refresh()
    cdp.send("Network.enable")
    assert [refresh() for _ in range(3)] == [304, 304, 304]
    assert sent == ["GET", "GET", "GET"]


def test_a_session_on_another_site_is_renewed_before_it_expires(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    session = f"issue-timer:session:{site.url}"
    before = widget.page.evaluate(
        """(key) => {
            const session = JSON.parse(localStorage[key]);
            localStorage[key] = JSON.stringify({ ...session, expires: session.expires - 16 * 60_000 });
            return session;
        }""",
        session,
    )
    with widget.page.expect_response("**/api/auth/session/") as renewed:
        widget.page.reload()
    assert renewed.value.status == 200
    widget.start(f"{REPO}#7")
    widget.expect_sent()
    after = widget.page.evaluate("(key) => JSON.parse(localStorage[key])", session)
    assert after["expires"] >= before["expires"]


def session_has_expired_by_poll(tab: Widget) -> bool:
    """Poll the server, and return whether the tab asks to sign in again.

    A poll that has begun with the former session counts as this one.
    """
    tab.poll()
    tab.page.wait_for_timeout(500)
    shown = tab.element.locator("[part=sign-in]").text_content()
    return "Your session has expired." in (shown or "")


def test_an_expired_session_ends_in_all_tabs_of_another_site(
    new_context: NewContext,
    site: Site,
    github: FakeGitHub,
    other_sites: OtherSites,
    ann: Account,
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow("status of 401 ")
    context = new_context()
    widget = embedded(context.new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    other = embedded(context.new_page(), site, other_sites)
    other.expect_ready()
    widget.page.evaluate(
        "(key) => { localStorage[key] = JSON.stringify({ token: 'expired' }) }",
        f"issue-timer:session:{site.url}",
    )
    # The first tab deletes the session when the server rejects the session. The second tab then finds no
    # session.
    for tab in (widget, other):
        assert eventually(partial(session_has_expired_by_poll, tab))


def test_a_blocked_popup_is_reported(new_context: NewContext, site: Site, other_sites: OtherSites) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    widget.record_events()
    expect(widget.sign_in_button).to_be_visible()
    widget.page.evaluate("window.open = () => null")
    widget.sign_in_button.click()
    expect(widget.notice).to_contain_text("The browser blocked the sign-in window.")
    (event,) = widget.events()
    assert (event["type"], event["code"]) == ("issue-timer:problem", "popup")


def test_a_removed_widget_ignores_its_popup(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    github.signed_in = ann
    with widget.page.expect_popup() as opened:
        widget.sign_in_button.click()
    opened.value.wait_for_load_state()
    widget.page.evaluate("document.querySelector('issue-timer').remove()")
    with opened.value.expect_event("close"):
        opened.value.get_by_role("button", name="Authorize").click(no_wait_after=True)
    # Post a message from the page itself. A message from the popup would have arrived earlier.
    widget.page.evaluate(
        "new Promise((resolve) => { addEventListener('message', resolve); postMessage('own') })"
    )
    assert widget.page.evaluate("Object.keys(localStorage)") == []


def test_stopping_the_last_timer_moves_the_focus_to_the_field_not_to_sign_out(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    widget.start(f"{REPO}#7")
    widget.button("Stop").press("Enter")
    expect(widget.issue).to_be_focused()
    widget.expect_sent()


def test_a_site_that_is_not_allowed_gets_no_session(
    new_context: NewContext, site: Site, other_sites: OtherSites, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 403 .*/api/auth/login/")
    page = new_context().new_page()
    page.goto(f"{other_sites.stranger}/widget?{urlencode({'stack': site.url})}")
    widget = Widget(page)
    with page.expect_popup() as opened:
        widget.sign_in_button.click()
    expect(opened.value.get_by_role("heading")).to_have_text("Web site not allowed")
    expect(widget.sign_in_button).to_be_visible()
