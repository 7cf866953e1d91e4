"""The Time page is updated as time passes, by actions in the widget, and by changes made elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.present import Present
from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.timesheet import IN_BERLIN, Timesheet, open_timesheet
from tests.browser.widget import OFFLINE, Widget, install_clock, noon_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs, OpenPage, SignIn
    from tests.e2e.conftest import Site


@pytest.mark.parametrize(
    "ahead", [timedelta(days=-1), timedelta(days=1), timedelta(days=400), timedelta(minutes=3)]
)
def test_the_page_uses_the_servers_clock(
    open_page: OpenPage,
    sign_in: SignIn,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    ahead: timedelta,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    page = open_page(**IN_BERLIN | {"timezone_id": noon_zone()})
    ann_elsewhere(
        "", {"start_time": (now - timedelta(minutes=50)).isoformat(), "duration": 600, "description": "Now"}
    )
    page.clock.install(time=now + ahead)
    sheet = Timesheet(sign_in(page, ann))
    entry = sheet.entry("Now")
    expect(entry).to_contain_text("10m")
    expect(sheet.total).to_have_text("10m")
    expect(sheet.page.locator("#total-of")).to_contain_text(f"{now.day} {now:%b}")
    expect(sheet.days).to_have_text(re.compile(f"^{now:%A} {now.day} {now:%B}10m$"))
    entry.get_by_role("button", name="Edit").click()
    later = (now - timedelta(minutes=10)).astimezone(timezone(timedelta(hours=12 - now.hour)))
    sheet.fill(End=f"{later:%Y-%m-%dT%H:%M:%S}")
    sheet.save()
    expect(entry).to_contain_text("40m")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Description="Added")
    sheet.save()
    # The proposed hour until now overlaps the other entry.
    sheet.dialog.get_by_role("button", name="Save anyway").click()
    expect(sheet.entry("Added")).to_contain_text("1h")


@pytest.fixture
def running(
    open_page: OpenPage,
    sign_in: SignIn,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    browser_errors: BrowserErrors,
    without_hints: None,  # noqa: ARG001
) -> Timesheet:
    """Open Ann's Time page at noon, with a running timer, a settable clock, and no live connection."""
    ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7})
    page = open_page(**IN_BERLIN | {"timezone_id": noon_zone()})
    browser_errors.allow(OFFLINE)
    install_clock(page)
    sheet = Timesheet(sign_in(page, ann))
    expect(sheet.entry("counting")).to_be_visible()
    Present(page).expect_counting()
    sheet.expect_ready()
    return sheet


def test_running_time_is_updated_live(running: Timesheet) -> None:
    running.page.route("**/api/**", lambda route: route.abort())
    running.page.clock.fast_forward("03:00:00")
    expect(Present(running.page).clock()).to_contain_text("03:00:")
    for shown in (running.entry("counting"), running.days, running.total):
        expect(shown).to_contain_text("3h")
    Present(running.page).button("Pause").click()
    running.page.clock.fast_forward("01:00:00")
    running.page.wait_for_timeout(300)
    expect(running.total).to_have_text("3h")


def test_totals_include_a_running_timer_whose_entry_is_not_loaded(
    open_page: OpenPage,
    sign_in: SignIn,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    site: Site,
    browser_errors: BrowserErrors,
) -> None:
    now = datetime.now(ZONE)
    started = now - timedelta(minutes=10)
    ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7, "at": started.isoformat()})
    later = now - timedelta(minutes=5)
    ago = (days_ago(0) - later.date()).days
    put_timers(site, [finished_timer(ann, ago, f"{later:%H:%M:%S}", 0, 8) for _ in range(101)])
    page = open_page(**IN_BERLIN | {"timezone_id": noon_zone()})
    install_clock(page)
    sheet = Timesheet(sign_in(page, ann))
    Present(page).expect_counting()
    sheet.expect_ready()
    expect(sheet.entries).to_have_count(100)
    expect(sheet.entry("counting")).to_have_count(0)
    browser_errors.allow(OFFLINE)
    page.route("**/api/**", lambda route: route.abort())
    page.clock.fast_forward("03:00:00")
    for shown in (sheet.total, page.locator("#days"), page.locator("#issues tr").first):
        expect(shown).to_contain_text(re.compile(r"3h\s1\dm"))


def test_running_time_is_not_added_to_past_days(running: Timesheet) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    running.choose("Custom period", From=yesterday, To=yesterday)
    expect(running.entries).to_have_count(0)
    running.page.clock.fast_forward("00:02:00")
    running.page.wait_for_timeout(300)
    expect(running.total).to_have_text("0m")


def test_a_visible_page_is_refreshed_when_it_is_stale(running: Timesheet) -> None:
    totals = "**/api/timelogs/totals/?*until=*"
    with running.page.expect_request(totals):
        running.page.clock.fast_forward("03:05")
    running.expect_ready()
    widget = Widget(running.page)
    widget.hide()
    requested: list[str] = []
    running.page.on("request", lambda request: requested.append(request.url))
    running.page.clock.fast_forward("10:00")
    running.page.wait_for_timeout(300)
    assert requested == []
    with running.page.expect_request(totals):
        widget.hide(hidden=False)


def test_entries_that_could_not_be_loaded_are_requested_again(
    ann_page: Page, ann_elsewhere: Callable[..., Any], browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    ann_elsewhere("", {"start_time": datetime.now(UTC).isoformat(), "duration": 0, "description": "Now"})
    history = "**/api/timelogs/?*since=*"
    ann_page.route(history, lambda route: route.abort())
    ann_page.clock.install()
    ann_page.reload()
    sheet = Timesheet(ann_page)
    expect(sheet.status).to_have_text("No connection to the server.")
    ann_page.unroute(history)
    ann_page.clock.fast_forward("00:31")
    expect(sheet.entry("Now")).to_be_visible()
    expect(sheet.status).to_be_empty()


def test_times_follow_a_change_of_the_time_zone(open_as: OpenAs, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 1, "09:00", 90)])
    sheet = Timesheet(open_as(ann, locale="en-GB"))
    page = sheet.page
    devtools = page.context.new_cdp_session(page)
    for zone, times in (("Europe/Berlin", "09:00.*10:30"), ("Etc/GMT-5", "1[23]:00.*1[34]:30")):
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        with page.expect_request(f"**/api/timelogs/totals/?*until=*time_zone={zone.replace('/', '%2F')}"):
            Present(page).poll()
        expect(sheet.entries).to_contain_text(re.compile(times))
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_entries_are_loaded_again_at_midnight(
    open_page: OpenPage, sign_in: SignIn, ann: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(OFFLINE)
    page = open_page(timezone_id="UTC")
    page.clock.install()
    days = []
    history = re.compile(r"/api/timelogs/\?since=(....-..-..)T00(?=.*time_zone)")
    page.on("request", lambda request: days.extend(history.findall(request.url)))
    Timesheet(sign_in(page, ann)).expect_ready()
    # The server does not respond while a day passes.
    page.route("**/api/**", lambda route: route.abort())
    with page.expect_request(history):
        page.clock.fast_forward("24:00:00")
    assert days == [(datetime.now(UTC) - timedelta(days=ago)).date().isoformat() for ago in (29, 28)]


def test_the_time_of_today_includes_added_and_deleted_entries(open_as: OpenAs, ann: Account) -> None:
    sheet = open_timesheet(open_as, ann, timezone_id=noon_zone())
    today = Present(sheet.page).today
    expect(today).to_have_text("00:00:00")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.save()
    expect(today).to_have_text("01:00:00")
    sheet.page.get_by_role("button", name="Delete \u2068No issue").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(today).to_have_text("00:00:00")


def test_the_present_and_the_entries_agree(sheet: Timesheet) -> None:
    present = Present(sheet.page)
    present.start("octocat/spoon-knife#4")
    entry = sheet.entry("octocat/spoon-knife#4")
    expect(entry).to_contain_text("counting")
    present.button("Pause").click()
    expect(entry).to_contain_text("paused")
    entry.get_by_role("button", name="Edit").click()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_be_hidden()
    sheet.fill(Description="Cutlery")
    sheet.save()
    expect(sheet.entry("Cutlery")).to_contain_text("paused")
    entry.get_by_role("button", name="Delete").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)
    expect(present.timers).to_have_count(0)
    expect(sheet.status).to_contain_text("deleted")


def test_a_timer_started_elsewhere_appears_without_moving_the_focus(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_as, ann)
    sheet.page.get_by_role("button", name="Load more").click()
    expect(sheet.entries).to_have_count(150)
    last = sheet.entries.last.get_by_role("button", name="Delete")
    last.focus()
    sheet.page.evaluate("""async () => {
        await fetch("/api/timelogs/start/", { method: "POST" });
        dispatchEvent(new Event("online"));
    }""")
    expect(sheet.entry("counting")).to_be_visible()
    expect(sheet.entries).to_have_count(151)
    expect(last).to_be_focused()
