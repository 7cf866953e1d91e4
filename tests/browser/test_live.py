"""Pages follow the server's hints of changes over one live connection for all tabs of a browser."""

from __future__ import annotations

import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import add_session
from tests.browser.present import Present
from tests.browser.seed import days_ago, finished_timer, put_timers
from tests.browser.timesheet import IN_BERLIN, Timesheet
from tests.browser.widget import OFFLINE, REPO, Widget, install_clock, noon_zone
from tests.e2e.conftest import eventually, payload
from tests.support.live_server import LiveServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from playwright.sync_api import BrowserContext, Page, Request, Route

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, NewContext, OtherSites
    from tests.e2e.conftest import Site

ISSUE = {"github_repo": REPO, "github_issue_number": 7}
LIST = "end_time__isnull=true&page_size=100"


@pytest.fixture
def live() -> Iterator[LiveServer]:
    with LiveServer() as server:
        yield server


@pytest.fixture
def new_browser(
    new_context: NewContext, live: LiveServer, site: Site, github: FakeGitHub, ann: Account
) -> NewContext:
    """Create browsers of Ann that connect to the server of `live`, on another origin than the stack."""

    def new_browser(**options: Any) -> BrowserContext:
        context = new_context(bypass_csp=True, **IN_BERLIN | options)
        live.issue_tickets(context)
        add_session(context, site, github, ann)
        return context

    return new_browser


@pytest.fixture
def ann_browser(new_browser: NewContext) -> BrowserContext:
    return new_browser()


class Requests:
    """The API requests of a page since it was created."""

    def __init__(self, page: Page) -> None:
        self.sent: list[str] = []
        page.on("request", self._record)

    def _record(self, request: Request) -> None:
        if "/api/" in request.url:
            self.sent.append(f"{request.method} {request.url.partition('/api/')[2]}")


def open_widget(context: BrowserContext) -> Widget:
    widget = Widget(context.new_page())
    widget.open()
    widget.expect_ready()
    return widget


def is_live(page: Page) -> bool:
    live: bool = page.evaluate("document.querySelector('issue-timer').manager.isLive")
    return live


def expect_live(*widgets: Widget) -> None:
    for widget in widgets:
        assert eventually(lambda page=widget.page: is_live(page))  # type: ignore[misc]


def expect_polling(page: Page, ann_elsewhere: Callable[..., Any]) -> None:
    """Open the widget in a page that cannot connect, and expect a change elsewhere with the next poll."""
    page.clock.install()
    widget = Widget(page)
    with page.expect_response("**/api/live/ticket/"):
        widget.open()
    widget.expect_ready()
    ann_elsewhere("start/", ISSUE)
    page.clock.fast_forward(15_000)
    widget.expect_state("Counting")


def test_two_tabs_share_a_connection(
    ann_browser: BrowserContext, live: LiveServer, ann_elsewhere: Callable[..., Any]
) -> None:
    one, other = open_widget(ann_browser), open_widget(ann_browser)
    expect_live(one, other)
    other.page.wait_for_load_state("networkidle")
    requests = Requests(other.page)
    ann_elsewhere("start/", ISSUE)
    live.hint()
    for widget in (one, other):
        widget.expect_state("Counting")
        expect(widget.notice).to_have_text(f"{REPO}#7 was started.")
    # The list comes from the tab with the connection.
    assert requests.sent == []
    assert (live.accepted, live.connections, len(live.tickets)) == (1, 1, 1)


def test_another_tab_connects_when_the_tab_with_the_connection_is_closed(
    ann_browser: BrowserContext, live: LiveServer, ann_elsewhere: Callable[..., Any]
) -> None:
    one, other = open_widget(ann_browser), open_widget(ann_browser)
    expect_live(one, other)
    ann_elsewhere("start/", ISSUE)
    one.page.close()
    other.expect_state("Counting")
    live.expect_connections(other.page, 1)
    assert live.accepted == 2
    expect_live(other)


def test_a_connection_that_the_server_closes_is_opened_again(
    ann_browser: BrowserContext, live: LiveServer, ann_elsewhere: Callable[..., Any]
) -> None:
    widget = open_widget(ann_browser)
    expect_live(widget)
    ann_elsewhere("start/", ISSUE)
    live.close_all()
    widget.expect_state("Counting")
    live.expect_connections(widget.page, 1)
    assert live.accepted == 2


def test_a_page_is_live_again_after_it_was_offline(
    ann_browser: BrowserContext,
    live: LiveServer,
    ann_elsewhere: Callable[..., Any],
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow(OFFLINE)
    widget = open_widget(ann_browser)
    expect_live(widget)
    ann_browser.set_offline(True)
    live.close_all()
    ann_elsewhere("start/", ISSUE)
    widget.page.wait_for_timeout(6_000)
    ann_browser.set_offline(False)
    widget.expect_state("Counting")
    expect_live(widget)
    live.expect_connections(widget.page, 1)


def test_a_page_checks_its_connection_after_the_clock_was_set_back(
    ann_browser: BrowserContext, live: LiveServer
) -> None:
    page = ann_browser.new_page()
    page.clock.install()
    widget = Widget(page)
    widget.open()
    widget.expect_ready()
    live.expect_connections(page, 1)
    widget.hide()
    page.clock.fast_forward("02:00")
    # This changes `Date`, and leaves `performance.now()` as it is.
    page.clock.set_system_time(datetime.now(UTC) - timedelta(days=3))
    widget.hide(hidden=False)
    page.wait_for_timeout(500)
    assert live.pings == 1


def test_a_page_that_the_browser_has_frozen_shows_the_present_when_it_runs_again(
    live_sheet: Timesheet, live: LiveServer, ann_elsewhere: Callable[..., Any], ann_browser: BrowserContext
) -> None:
    page = live_sheet.page
    devtools = ann_browser.new_cdp_session(page)
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    ann_elsewhere("start/", ISSUE)
    live.close_all()
    devtools.send("Page.setWebLifecycleState", {"state": "active"})
    Present(page).expect_counting(7)
    expect(live_sheet.entry("counting")).to_be_visible()
    live.expect_connections(page, 1)


def test_without_tickets_a_page_polls(
    ann_browser: BrowserContext,
    live: LiveServer,
    ann_elsewhere: Callable[..., Any],
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow("status of 404 .*/api/live/ticket/")
    live.status = 404
    expect_polling(ann_browser.new_page(), ann_elsewhere)
    assert live.accepted == 0


def test_a_page_whose_policy_forbids_the_connection_polls(
    new_context: NewContext,
    live: LiveServer,
    site: Site,
    github: FakeGitHub,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    browser_errors: BrowserErrors,
) -> None:
    browser_errors.allow("Content Security Policy|WebSocket")
    context = new_context()
    live.issue_tickets(context)
    add_session(context, site, github, ann)
    page = context.new_page()
    expect_polling(page, ann_elsewhere)
    assert (live.accepted, is_live(page)) == (0, False)


def test_a_page_that_is_left_and_visited_again_connects_again(
    ann_browser: BrowserContext, live: LiveServer
) -> None:
    widget = open_widget(ann_browser)
    expect_live(widget)
    widget.page.goto("about:blank")
    live.expect_connections(widget.page, 0)
    widget.page.go_back()
    widget.expect_ready()
    expect_live(widget)
    live.expect_connections(widget.page, 1)


def test_a_widget_on_another_site_connects_with_its_session(
    new_context: NewContext, live: LiveServer, site: Site, other_sites: OtherSites, ann: Account
) -> None:
    token = site.stack.mint_token(ann.id, login=ann.login)
    session = json.dumps({"token": token, "expires": (time.time() + 86_400) * 1000})
    kept = {"name": f"issue-timer:session:{site.url}", "value": session}
    context = new_context(
        storage_state={"cookies": [], "origins": [{"origin": other_sites.wiki, "localStorage": [kept]}]}
    )
    live.issue_tickets(context)
    page = context.new_page()
    page.goto(f"{other_sites.wiki}/widget?{urlencode({'stack': site.url})}")
    widget = Widget(page)
    widget.expect_ready()
    expect_live(widget)
    assert live.tickets[0]["authorization"] == f"Bearer {token}"
    live.expect_connections(widget.page, 1)
    site.send("POST", "/api/timelogs/start/", ISSUE, token=token)
    live.hint()
    widget.expect_state("Counting")


def test_signing_out_closes_the_connection(ann_browser: BrowserContext, live: LiveServer) -> None:
    widget = open_widget(ann_browser)
    expect_live(widget)
    widget.page.evaluate("document.querySelector('issue-timer').manager.signOut()")
    expect(widget.sign_in_button).to_be_visible()
    live.expect_connections(widget.page, 0)


# ------------------------------------------------------------------ the Time page


@pytest.fixture
def live_sheet(ann_browser: BrowserContext, ann: Account, site: Site, live: LiveServer) -> Timesheet:
    """Ann's Time page with a connection, and an entry of yesterday."""
    put_timers(site, [finished_timer(ann, 1, "09:00", 90, 7, description="Say hello")])
    sheet = Timesheet(ann_browser.new_page())
    sheet.page.goto(f"/?day={days_ago(1)}")
    sheet.expect_ready()
    live.expect_connections(sheet.page, 1)
    sheet.page.wait_for_load_state("networkidle")
    return sheet


@pytest.fixture
def noon_sheet(new_browser: NewContext, live: LiveServer) -> Timesheet:
    """Ann's Time page with a connection, and with a clock that tests can advance by hours."""
    sheet = Timesheet(new_browser(timezone_id=noon_zone()).new_page())
    install_clock(sheet.page)
    sheet.page.goto("/")
    sheet.expect_ready()
    live.expect_connections(sheet.page, 1)
    sheet.page.wait_for_load_state("networkidle")
    return sheet


def test_a_correction_on_another_device_shows_in_the_entries_the_day_and_the_week(
    live_sheet: Timesheet, live: LiveServer, site: Site, ann: Account
) -> None:
    sheet, page = live_sheet, live_sheet.page
    expect(sheet.entry("Say hello")).to_contain_text("1h 30m")
    token = site.stack.mint_token(ann.id, login=ann.login)
    (timer,) = site.timers(REPO, 7, token)
    body = {"end_time": f"{days_ago(1)}T12:00:00+01:00", "description": "Say goodbye"}
    assert site.send("PATCH", f"/api/timelogs/{timer['id']}/", body, token=token).status == 200
    live.hint()
    expect(sheet.entry("Say goodbye")).to_contain_text("3h")
    expect(page.locator("#day-sum")).to_contain_text("3h")
    expect(page.locator("#week")).to_contain_text("3h")


def test_a_correction_before_the_page_is_connected_shows_at_once(
    ann_browser: BrowserContext, ann: Account, site: Site, live: LiveServer
) -> None:
    put_timers(site, [finished_timer(ann, 1, "09:00", 90, 7, description="Say hello")])
    token = site.stack.mint_token(ann.id, login=ann.login)
    (timer,) = site.timers(REPO, 7, token)
    page = ann_browser.new_page()

    def correct(route: Route) -> None:
        """Change the timer after the page was loaded, and before the page is connected."""
        expect(sheet.entry("Say hello")).to_contain_text("1h 30m")
        body = {"end_time": f"{days_ago(1)}T12:00:00+01:00"}
        assert site.send("PATCH", f"/api/timelogs/{timer['id']}/", body, token=token).status == 200
        route.fallback()

    page.route("**/api/live/ticket/", correct)
    sheet = Timesheet(page)
    page.goto(f"/?day={days_ago(1)}")
    live.expect_connections(page, 1)
    expect(sheet.entry("Say hello")).to_contain_text("3h", timeout=3_000)
    expect(page.locator("#day-sum")).to_contain_text("3h")
    expect(page.locator("#week")).to_contain_text("3h")


def show_over_day(sheet: Timesheet) -> date:
    """Show a day that is over in each time zone, and return its date."""
    shown = days_ago(2)
    sheet.page.goto(f"/?day={shown}")
    sheet.expect_ready()
    return shown


def confirm_elsewhere(site: Site, person: Account, day: date) -> None:
    token = site.stack.mint_token(person.id, login=person.login)
    (sheet,) = site.get(f"/api/timesheets/?from={day}&to={day}", token)["days"]
    path = f"/api/timesheets/{day}/confirm/"
    assert site.send("POST", path, token=token, If_Match=sheet["etag"]).status == 200


def test_a_day_that_is_confirmed_on_another_device_shows_as_confirmed(
    live_sheet: Timesheet, live: LiveServer, site: Site, ann: Account
) -> None:
    shown = show_over_day(live_sheet)
    live.expect_connections(live_sheet.page, 1)
    confirm_elsewhere(site, ann, shown)
    live.hint()
    expect(live_sheet.page.locator("#day-state-badge")).to_have_text("Confirmed")


def test_a_hidden_page_is_refreshed_once_when_it_is_visible_again(
    live_sheet: Timesheet, live: LiveServer, site: Site, ann: Account
) -> None:
    page = live_sheet.page
    Widget(page).hide()
    requests = Requests(page)
    # This is not yesterday in any time zone, whose time the list's tag covers.
    put_timers(site, [finished_timer(ann, 3, "09:00", 30, 7, description="Added")])
    for _ in range(3):
        live.hint()
        page.wait_for_timeout(1_100)
    # The page keeps the list of open timers and the time of today for the other tabs.
    assert [sent for sent in requests.sent if "totals" not in sent and LIST not in sent] == []
    requests.sent.clear()
    Widget(page).hide(hidden=False)
    expect(live_sheet.entry("Added")).to_be_visible()
    page.wait_for_timeout(1_500)
    assert sum("timesheets" in sent for sent in requests.sent) == 1


def test_an_own_action_takes_one_refresh(live_sheet: Timesheet, live: LiveServer) -> None:
    page = live_sheet.page
    requests = Requests(page)
    Present(page).start(f"{REPO}#8")
    page.wait_for_timeout(500)
    live.hint()
    Present(page).expect_counting(8)
    expect(live_sheet.entry("#8")).to_contain_text("counting")
    page.wait_for_timeout(4_000)
    assert sum("timeline" in sent for sent in requests.sent) == 1
    assert sum(LIST in sent for sent in requests.sent) == 1


def test_a_hidden_tab_without_a_connection_shows_what_it_missed_after_another_tab_has_connected(
    noon_sheet: Timesheet, live: LiveServer, site: Site, ann: Account
) -> None:
    page = noon_sheet.page
    put_timers(site, [finished_timer(ann, 1, description="Say hello")])
    page.reload()
    expect(noon_sheet.entry("Say hello")).to_be_visible()
    live.expect_connections(page, 1)
    page.wait_for_load_state("networkidle")
    Widget(page).hide()
    # A hidden page closes its connection after five minutes.
    page.clock.fast_forward("05:01")
    live.expect_connections(page, 0)
    token = site.stack.mint_token(ann.id, login=ann.login)
    (timer,) = site.timers(REPO, 7, token)
    body = {"description": "Say goodbye"}
    assert site.send("PATCH", f"/api/timelogs/{timer['id']}/", body, token=token).status == 200
    other = open_widget(page.context)
    expect_live(other)
    Widget(page).hide(hidden=False)
    expect(noon_sheet.entry("Say goodbye")).to_be_visible()
    assert live.connections == 1


def test_a_page_whose_hint_was_lost_is_refreshed_after_forty_minutes(
    noon_sheet: Timesheet, live: LiveServer, site: Site, ann: Account
) -> None:
    page = noon_sheet.page
    put_timers(site, [finished_timer(ann, 2, description="Added")])
    requests = Requests(page)
    for _ in range(38):
        page.clock.fast_forward("01:00")
        page.wait_for_timeout(50)
    assert requests.sent == []
    for _ in range(3):
        page.clock.fast_forward("01:00")
        page.wait_for_timeout(50)
    expect(noon_sheet.entry("Added")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert sum("timeline" in sent for sent in requests.sent) == 1
    assert live.connections == 1


def test_an_own_action_whose_hint_is_lost_shows_although_another_hint_came_before(
    live_sheet: Timesheet, live: LiveServer
) -> None:
    page = live_sheet.page
    with page.expect_response("**/api/timelogs/totals/**"):
        live.hint()
    page.wait_for_load_state("networkidle")
    Present(page).start(f"{REPO}#8")
    Present(page).expect_counting(8)
    expect(live_sheet.entry("#8")).to_contain_text("counting")


def test_an_idle_page_makes_no_request_for_half_an_hour(
    noon_sheet: Timesheet, live: LiveServer, ann_elsewhere: Callable[..., Any]
) -> None:
    page = noon_sheet.page
    ann_elsewhere("start/", ISSUE)
    page.reload()
    Present(page).expect_counting()
    live.expect_connections(page, 1)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2_000)
    requests = Requests(page)
    for _ in range(30):
        page.clock.fast_forward("01:00")
        page.wait_for_timeout(50)
    assert requests.sent == []
    assert Present(page).seconds() >= 30 * 60
    assert live.connections == 1


# ------------------------------------------------------------------ the stack's own connections


def test_a_change_on_github_shows_without_a_poll(ann_widget: Widget, site: Site, ann: Account) -> None:
    expect_live(ann_widget)
    site.backdate_registration(ann.id)
    seconds = []
    for number in range(101, 108):
        at = datetime.now(UTC)
        event = payload("issues.assigned", REPO, number)
        event["issue"]["updated_at"] = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        for person in (event["assignee"], event["issue"]["assignee"], *event["issue"]["assignees"]):
            person |= {"id": ann.id, "login": ann.login}
        began = time.monotonic()
        site.deliver("issues", event)
        expect(ann_widget.clock(number)).to_be_visible()
        seconds.append(time.monotonic() - began)
    # A second on an idle machine; a poll would take up to fifteen.
    assert statistics.median(seconds) < 3, seconds


def test_a_schedule_that_is_changed_on_another_device_shows_in_the_day(
    sheet: Timesheet, site: Site, ann: Account
) -> None:
    token = site.stack.mint_token(ann.id, login=ann.login)
    sheet.page.wait_for_load_state("networkidle")
    body = {"intervals": [], "reason": "Holiday"}
    path = f"/api/schedule/exceptions/{days_ago(0)}/"
    assert site.send("PUT", path, body, token=token).status == 200
    expect(sheet.page.locator("#day-exception")).not_to_be_empty(timeout=10_000)


def test_a_confirmation_on_another_device_shows(sheet: Timesheet, site: Site, ann: Account) -> None:
    shown = show_over_day(sheet)
    sheet.page.wait_for_load_state("networkidle")
    confirm_elsewhere(site, ann, shown)
    expect(sheet.page.locator("#day-state-badge")).to_have_text("Confirmed", timeout=10_000)
