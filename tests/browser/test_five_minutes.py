"""The first five minutes of somebody new, on the local stack: from its page to the totals of today.

With ``PICTURES=folder`` in the environment, the test keeps a picture of each step.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from demo_github import team
from tests.browser.present import Present
from tests.browser.timesheet import Timesheet
from tests.browser.widget import noon_zone, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

    from local_stack import LocalStack
    from tests.browser.conftest import BrowserErrors

CODY = team.PEOPLE[0]
ISSUE, TITLE = "octo-demo/storefront#12", "Recommend accessories in the cart"
FORGOTTEN = timedelta(minutes=25)


@pytest.fixture
def zone() -> ZoneInfo:
    return ZoneInfo(noon_zone())


@pytest.fixture
def visitor(
    browser: Browser, demo_stack: LocalStack, browser_errors: BrowserErrors, zone: ZoneInfo
) -> Iterator[BrowserContext]:
    """Start a browser that has not been here before."""
    with browser.new_context(
        base_url=demo_stack.url,
        viewport={"width": 1280, "height": 900},
        timezone_id=zone.key,
        locale="en-GB",
    ) as context:
        context.set_default_timeout(60_000)
        browser_errors.record(context)
        yield context
    assert browser_errors.unexpected == []


def clock(page: Page) -> Locator:
    """Return the clock of the issue's timer, in the widget or on the page."""
    return page.get_by_role("timer", name=ISSUE, exact=True)


def expect_to_count(page: Page) -> None:
    shown = clock(page).inner_text()
    expect(clock(page)).not_to_have_text(shown)
    assert seconds_of(clock(page).inner_text()) > seconds_of(shown)


def test_the_first_five_minutes(visitor: BrowserContext, zone: ZoneInfo) -> None:
    page = visitor.new_page()

    def picture(name: str, shown: Page = page) -> None:
        if folder := os.environ.get("PICTURES"):
            shown.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")

    page.goto("/")
    expect(page.get_by_role("heading", name="Time on GitHub issues that tracks itself")).to_be_visible()
    expect(page.locator("#scene .stage")).to_be_visible()
    picture("1-visitor")

    page.get_by_role("link", name="Sign in with GitHub").click()
    expect(page.get_by_role("link", name="board of the demo GitHub")).to_be_visible()
    picture("2-sign-in")
    page.get_by_role("button", name=f"Continue as {CODY.name}").click()
    expect(page.get_by_text(f"Signed in as {CODY.name}")).to_be_visible()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    picture("3-signed-in")

    # The page stays open, to see that it follows.
    board = visitor.new_page()
    board.goto(page.get_by_role("link", name="Open GitHub").get_attribute("href") or "")
    expect(board.locator("issue-timer")).to_be_visible()
    board.get_by_role("button", name="Assign me storefront #12").click()
    expect(clock(board)).to_have_text(re.compile(r"00:00:\d\d"))
    expect_to_count(board)
    picture("4-assigned", board)

    # The page has not been loaded again.
    present, sheet = Present(page), Timesheet(page)
    expect(present.counting.filter(has_text=TITLE)).to_be_visible()
    expect_to_count(page)
    picture("5-counting")

    present.button("Pause").click()
    expect(present.card.get_by_text("You are on a break.")).to_be_visible()
    expect(board.locator("issue-timer").get_by_role("listitem")).to_contain_text("Paused")
    picture("6-paused", board)

    board.get_by_role("link", name=TITLE).first.click()
    board.get_by_role("button", name="Close issue").click()
    expect(board.locator(".timers tbody tr")).to_contain_text(["stopped by closed"])
    picture("7-closed", board)
    expect(present.timers).to_have_count(0)
    expect(page.locator("#status")).to_have_text(f"{ISSUE} was stopped (issue closed).")
    expect(sheet.entry(TITLE)).not_to_contain_text("paused")

    sheet.entry(TITLE).get_by_role("button", name="Edit").click()
    began = datetime.now(zone) - FORGOTTEN
    sheet.fill(Start=f"{began:%Y-%m-%dT%H:%M:%S}")
    picture("8-correction")
    sheet.save()

    # The pause does not count.
    worked = re.compile("^2[0-5]m")
    expect(sheet.entry(TITLE)).to_contain_text(re.compile("2[0-5]m"))
    expect(present.today).to_have_text(re.compile(r"00:2[0-5]:\d\d"))
    expect(sheet.total).to_have_text(worked)
    report = page.get_by_role("table", name="Time per issue").locator("tbody tr")
    expect(report).to_have_count(1)
    expect(report.locator("td").last).to_have_text(worked)
    page.locator("#results").scroll_into_view_if_needed()
    picture("9-report")
