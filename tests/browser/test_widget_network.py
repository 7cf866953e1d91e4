"""The widget on bad networks, with sessions that end, and on other people's web sites."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Complaints, NewContext, OtherSites
from tests.browser.widget import OFFLINE, REPO, Widget
from tests.e2e.conftest import Site
from tests.support.fake_github import FakeGitHub
from tests.support.fake_github.model import Account


def the_timer(site: Site, ann: Account) -> dict[str, Any]:
    (timer,) = site.timers(REPO, 7, site.stack.mint_token(ann.id, login=ann.login))
    return timer


def since(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def test_what_is_done_offline_counts_from_when_it_was_done(
    ann_widget: Widget, site: Site, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_widget.page.wait_for_timeout(1000)
    ann_widget.page.context.set_offline(True)
    ann_widget.button("Pause").click()
    ann_widget.expect_state("Paused")
    expect(ann_widget.banner).to_contain_text("No connection. One change waits to be sent.")
    expect(ann_widget.timers).to_contain_text("not sent yet")
    shown = ann_widget.seconds()
    ann_widget.page.wait_for_timeout(6000)
    ann_widget.page.context.set_offline(False)
    ann_widget.expect_sent()
    timer = the_timer(site, ann)
    assert timer["status"] == "paused"
    assert abs(timer["active_duration"] - shown) <= 1
    assert since(timer["last_pause_time"]) >= 6
    expect(ann_widget.element.locator("[part=banner]")).to_be_hidden()


def test_what_is_done_offline_is_sent_in_order_also_after_the_page_was_closed(
    ann_widget: Widget, site: Site, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    context = ann_widget.page.context
    context.set_offline(True)
    ann_widget.start(f"{REPO}#7")
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Pause").click()
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Resume").click()
    ann_widget.page.wait_for_timeout(1500)
    ann_widget.button("Stop").click()
    expect(ann_widget.timers).to_have_count(0)
    ann_widget.page.close()
    context.set_offline(False)
    again = Widget(context.new_page())
    again.open()
    again.expect_ready()
    again.expect_sent()
    timer = the_timer(site, ann)
    assert timer["status"] == "stopped"
    assert 2.5 <= timer["duration"] < 5
    assert 1 <= timer["paused_duration"] < 3


def test_a_lost_answer_is_asked_for_again_with_the_same_key(
    ann_widget: Widget, site: Site, ann: Account
) -> None:
    sent: list[tuple[str, str | None]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/start/"):
            sent.append((request.headers["idempotency-key"], request.post_data))

    ann_widget.page.on("request", note)
    # The server does it, and its answer gets lost, twice.
    ann_widget.page.evaluate("""() => {
        const real = window.fetch;
        let lost = 0;
        window.fetch = async (url, options) => {
            const answer = await real(url, options);
            if (url.pathname.endsWith("/start/") && ++lost <= 2) throw new TypeError("Failed to fetch");
            return answer;
        };
    }""")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_state("Running")
    expect(ann_widget.notice).to_have_text("No connection. It is kept, and sent as soon as possible.")
    ann_widget.expect_sent()
    assert len(sent) == 3
    assert len(set(sent)) == 1
    assert the_timer(site, ann)["status"] == "running"


def test_a_busy_server_is_left_alone_for_as_long_as_it_says(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 429")
    times: list[float] = []

    def refuse_first(route: Route) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            problem = {"detail": "Too many changes.", "status": 429}
            route.fulfill(status=429, headers={"Retry-After": "4"}, body=json.dumps(problem))
        else:
            route.continue_()

    ann_widget.page.route("**/start/", refuse_first)
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_widget.expect_state("Running")
    assert len(times) == 2
    assert times[1] - times[0] >= 4


def test_a_busy_server_is_left_alone_also_when_the_widget_asks_for_its_timers(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 429")
    sent: list[str] = []

    def refuse(route: Route) -> None:
        sent.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "60"}, body=json.dumps({"status": 429}))

    ann_widget.page.route("**/start/", refuse)
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.notice).to_have_text("The server is busy. It is kept, and sent as soon as possible.")
    for _ in range(2):
        ann_widget.ask()
    expect(ann_widget.banner).to_contain_text("The server is busy. One change waits to be sent.")
    assert len(sent) == 1


def test_a_server_may_say_by_a_date_how_long_it_is_busy(ann_widget: Widget, complaints: Complaints) -> None:
    complaints.provoke(r"status of 503")
    now = datetime.now(UTC)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(minutes=1), usegmt=True),
    }
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, headers=headers)

    ann_widget.page.route("**/api/timelogs/?*", refuse)
    ann_widget.ask()
    ann_widget.page.wait_for_timeout(2000)
    assert len(asked) == 1


def test_what_is_lost_with_the_browsers_data_is_neither_shown_nor_sent(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.page.route("**/start/", lambda route: route.abort())
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_be_visible()
    ann_widget.page.evaluate("localStorage.clear()")
    ann_widget.ask()
    expect(ann_widget.timers).to_have_count(0)
    asked: list[str] = []
    ann_widget.page.on("request", lambda request: asked.append(request.url))
    ann_widget.page.wait_for_timeout(2000)
    assert len(asked) <= 1


def test_an_answer_that_comes_after_signing_out_changes_nothing(ann_widget: Widget) -> None:
    ann_widget.page.evaluate("""() => {
        const real = window.fetch;
        window.fetch = async (url, options) => {
            const answer = await real(url, options);
            if (!url.pathname.endsWith("/start/")) return answer;
            return new Promise((resolve) => { window.release = () => resolve(answer); });
        };
    }""")
    with ann_widget.page.expect_response("**/start/"):
        ann_widget.start(f"{REPO}#7")
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.signOut()")
    expect(ann_widget.sign_in_button).to_be_visible()
    ann_widget.page.evaluate("release()")
    ann_widget.page.wait_for_timeout(1000)
    expect(ann_widget.element.get_by_text("Sign in to see and steer your timers.")).to_be_visible()


def test_signing_out_needs_a_connection(ann_widget: Widget, complaints: Complaints) -> None:
    complaints.provoke(OFFLINE)
    ann_widget.page.context.set_offline(True)
    ann_widget.page.evaluate("document.querySelector('issue-timer').manager.signOut()")
    expect(ann_widget.notice).to_have_text("That did not work: No connection.")


def test_a_manager_alone_knows_the_time_and_refuses_a_start_on_nothing(ann_widget: Widget) -> None:
    early, refused, late = ann_widget.page.evaluate("""async () => {
        const { TimerManager } = await import("/timer-manager.js");
        const manager = new TimerManager();
        const early = manager.now;
        manager.connect();
        await manager.refresh();
        let refused;
        try { manager.start(); } catch (error) { refused = String(error); }
        return [early, refused, manager.now];
    }""")
    now = datetime.now(UTC).timestamp() * 1000
    assert abs(now - early) < 10_000
    assert abs(now - late) < 10_000
    assert "TypeError" in refused
    assert ann_widget.page.evaluate("Object.keys(localStorage)") == []


def test_an_action_in_an_expired_session_is_sent_after_signing_in(
    ann_widget: Widget, site: Site, github: FakeGitHub, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 401 .*/(pause|totals)/")
    ann_widget.start(f"{REPO}#7")
    ann_widget.expect_sent()
    ann_widget.page.context.clear_cookies()
    ann_widget.button("Pause").click()
    over = "Your session is over. Sign in to go on. What you did is kept until then."
    expect(ann_widget.element.locator("[part=sign-in]")).to_contain_text(over)
    expect(ann_widget.element.locator("[aria-live=polite]")).to_have_text(over)
    expect(ann_widget.sign_in_button).to_be_focused()
    ann_widget.sign_in(github, ann)
    ann_widget.expect_state("Paused")
    ann_widget.expect_sent()
    assert the_timer(site, ann)["status"] == "paused"


def test_what_one_person_did_is_not_sent_for_another(
    ann_widget: Widget, site: Site, github: FakeGitHub, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 401 .*/(start|totals)/")
    ann_widget.page.context.clear_cookies()
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.sign_in_button).to_be_visible()
    ann_widget.sign_in(github, github.new_user(f"bob-{len(github.accounts)}"))
    ann_widget.page.wait_for_timeout(1000)
    expect(ann_widget.timers).to_have_count(0)
    ann_widget.page.context.clear_cookies()
    ann_widget.page.reload()
    ann_widget.sign_in(github, ann)
    ann_widget.expect_state("Running")
    ann_widget.expect_sent()
    assert the_timer(site, ann)["user"] == ann.id


def test_a_server_that_cannot_be_reached_is_tried_again(
    ann_widget: Widget, ann_elsewhere: Callable[..., Any], complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7})
    ann_widget.page.route("**/api/**", lambda route: route.abort())
    ann_widget.page.reload()
    expect(ann_widget.banner).to_contain_text("No connection. Trying again…")
    expect(ann_widget.element.locator("[aria-live=polite]")).to_have_text("No connection. Trying again…")
    ann_widget.page.unroute("**/api/**")
    ann_widget.element.get_by_role("button", name="Try now").click()
    ann_widget.expect_state("Running")
    expect(ann_widget.element.locator("[part=banner]")).to_be_hidden()


# ------------------------------------------------------------------ on another web site


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


def test_the_widget_works_on_another_web_site(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    context = new_context()
    widget = embedded(context.new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    assert context.cookies() == []
    widget.start(f"{REPO}#7")
    widget.expect_state("Running")
    widget.expect_sent()
    assert the_timer(site, ann)["status"] == "running"
    # The session is this site's, also in another tab and after coming back.
    other = embedded(context.new_page(), site, other_sites)
    other.expect_state("Running")
    widget.page.reload()
    widget.button("Stop").click()
    expect(other.timers).to_have_count(0)
    widget.expect_sent()

    widget.element.get_by_role("button", name="Sign out").click()
    expect(widget.sign_in_button).to_be_visible()
    expect(other.sign_in_button).to_be_visible()
    widget.page.reload()
    expect(widget.sign_in_button).to_be_visible()


def test_asking_again_on_another_web_site_is_one_request(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    widget.start(f"{REPO}#7")
    widget.expect_sent()
    widget.page.wait_for_load_state("networkidle")
    # Playwright does not tell of preflights.
    sent: list[str] = []
    cdp = widget.page.context.new_cdp_session(widget.page)
    cdp.on("Network.requestWillBeSent", lambda event: sent.append(event["request"]["method"]))
    cdp.send("Network.enable")
    for _ in range(3):
        with widget.page.expect_response("**/api/timelogs/?*") as asked:
            widget.page.evaluate("document.querySelector('issue-timer').manager.refresh()")
        assert asked.value.status == 304
    assert sent == ["GET", "GET", "GET"]


def test_a_session_on_another_web_site_is_renewed_before_it_ends(
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


def test_a_web_site_that_is_not_trusted_gets_no_session(
    new_context: NewContext, site: Site, other_sites: OtherSites, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 403 .*/api/auth/login/")
    page = new_context().new_page()
    page.goto(f"{other_sites.stranger}/widget?{urlencode({'stack': site.url})}")
    widget = Widget(page)
    with page.expect_popup() as opened:
        widget.sign_in_button.click()
    expect(opened.value.get_by_role("heading")).to_have_text("Not from this web site")
    expect(widget.sign_in_button).to_be_visible()
