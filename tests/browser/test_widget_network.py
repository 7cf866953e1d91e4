"""The widget on bad networks, with sessions that end, and on other people's web sites."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Complaints, NewContext, NewWidget, OtherSites
from tests.browser.held import Held
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


def test_an_error_of_the_server_after_a_bad_network_is_tried_again(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    complaints.provoke(r"status of 500 .*/start/$")
    tries: list[Route] = []

    def fail_at_first(route: Route) -> None:
        tries.append(route)
        if len(tries) <= 7:
            route.abort()
        elif len(tries) == 8:
            route.fulfill(status=500, json={"detail": "Internal Server Error"})
        else:
            route.continue_()

    ann_widget.page.route("**/start/", fail_at_first)
    ann_widget.start(f"{REPO}#7")
    for _ in range(20):
        if len(tries) >= 9:
            break
        ann_widget.ask()
        ann_widget.page.wait_for_timeout(200)
    ann_widget.expect_sent()
    ann_widget.expect_state("Running")


def test_an_error_of_the_server_about_one_action_takes_it_back_at_the_sixth_time(
    ann_widget: Widget, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 500 .*/start/$")
    tries: list[Route] = []

    def fail(route: Route) -> None:
        tries.append(route)
        route.fulfill(status=500, json={"detail": "Out of luck."})

    ann_widget.page.route("**/start/", fail)
    # The next one is tried as often.
    for number in (7, 8):
        ann_widget.start(f"{REPO}#{number}")
        ann_widget.expect_state("Running", number)
        for _ in range(20):
            if len(tries) >= 6:
                break
            ann_widget.page.wait_for_timeout(200)
            ann_widget.ask()
        expect(ann_widget.notice).to_have_text("Handled back: Out of luck.")
        expect(ann_widget.timers).to_have_count(0)
        assert len(tries) == 6
        tries.clear()


def test_somebody_else_need_not_wait_for_what_the_server_told_the_one_before(
    ann_widget: Widget, new_widget: NewWidget, github: FakeGitHub, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 429")
    bob_widget = new_widget()
    bob_widget.open()
    bob_widget.sign_in(github, github.new_user(f"bob-{len(github.accounts)}"))
    headers = {"Retry-After": "300"}
    ann_widget.page.route("**/start/", lambda route: route.fulfill(status=429, headers=headers))
    ann_widget.start(f"{REPO}#7")
    expect(ann_widget.banner).to_contain_text("The server is busy.")
    ann_widget.page.unroute("**/start/")
    ann_widget.become(bob_widget)
    ann_widget.ask()
    expect(ann_widget.banner).to_be_hidden()
    ann_widget.start(f"{REPO}#8")
    ann_widget.expect_state("Running", 8)
    ann_widget.expect_sent()


def test_nothing_is_sent_once_the_widget_is_taken_off_its_page(
    ann_widget_with_clock: Widget, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_widget = ann_widget_with_clock
    page = ann_widget.page
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    for answers in (False, True):
        held = Held(page, "**/start/")
        ann_widget.start(f"{REPO}#{7 + answers}")
        ann_widget.button("Stop").click()
        held.first()
        page.evaluate("window.taken = document.querySelector('issue-timer'); taken.remove()")
        sent.clear()
        with page.expect_event("requestfinished" if answers else "requestfailed"):
            if answers:
                held.first().continue_()
            else:
                held.first().abort()
        # It hears of it, and would try again after two and a half seconds at most.
        page.wait_for_timeout(300)
        page.clock.run_for(3500)
        page.wait_for_timeout(300)
        assert sent == []
        page.unroute("**/start/")
        # It goes on where it was when it is back.
        page.evaluate("document.querySelector('main').append(taken)")
        ann_widget.expect_sent()
        expect(ann_widget.timers).to_have_count(0)


def test_what_a_full_browser_cannot_keep_the_page_does(ann_widget: Widget) -> None:
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


def test_an_expired_session_is_over_in_all_tabs_of_another_web_site(
    new_context: NewContext,
    site: Site,
    github: FakeGitHub,
    other_sites: OtherSites,
    ann: Account,
    complaints: Complaints,
) -> None:
    complaints.provoke("status of 401 ")
    context = new_context()
    widget = embedded(context.new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    other = embedded(context.new_page(), site, other_sites)
    other.expect_ready()
    widget.page.evaluate(
        "(key) => { localStorage[key] = JSON.stringify({ token: 'expired' }) }",
        f"issue-timer:session:{site.url}",
    )
    # The first one that is told so forgets the session.
    for one in (widget, other):
        one.ask()
        expect(one.element.locator("[part=sign-in]")).to_contain_text("Your session is over.")


def test_a_browser_that_opens_no_popup_is_told_of(
    new_context: NewContext, site: Site, other_sites: OtherSites
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    widget.listen()
    expect(widget.sign_in_button).to_be_visible()
    widget.page.evaluate("window.open = () => null")
    widget.sign_in_button.click()
    expect(widget.notice).to_contain_text("The browser did not open the window for signing in.")
    (told,) = widget.heard()
    assert (told["type"], told["code"]) == ("issue-timer:problem", "popup")


def test_a_popup_is_not_waited_for_once_the_widget_is_taken_off_its_page(
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
    # A message that was sent before would have come before.
    widget.page.evaluate(
        "new Promise((resolve) => { addEventListener('message', resolve); postMessage('own') })"
    )
    assert widget.page.evaluate("Object.keys(localStorage)") == []


def test_the_button_that_has_gone_does_not_leave_its_place_to_signing_out(
    new_context: NewContext, site: Site, github: FakeGitHub, other_sites: OtherSites, ann: Account
) -> None:
    widget = embedded(new_context().new_page(), site, other_sites)
    sign_in_by_popup(widget, github, ann)
    widget.start(f"{REPO}#7")
    widget.button("Stop").press("Enter")
    expect(widget.issue).to_be_focused()
    widget.expect_sent()


def test_a_web_site_that_is_not_trusted_gets_no_session(
    new_context: NewContext, site: Site, other_sites: OtherSites, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 403 .*/api/auth/login/")
    page = new_context().new_page()
    page.goto(f"{other_sites.stranger}/widget?{urlencode({'stack': site.url})}")
    widget = Widget(page)
    with page.expect_popup() as opened:
        widget.sign_in_button.click()
    expect(opened.value.get_by_role("heading")).to_have_text("Web site not allowed")
    expect(widget.sign_in_button).to_be_visible()
