"""Take the screenshots of the pages for docs/screenshots.

pytest does not collect this file by default. Run ``pytest tests/browser/take_screenshots_of_pages.py``.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from playwright.sync_api import expect

from tests.browser.present import Present
from tests.browser.seed import REPO, put_timers
from tests.browser.timesheet import open_timesheet
from timer_core.clock import now_ms
from timer_core.domain.ids import new_ulid
from timer_core.domain.issues import Issue
from timer_core.domain.timers import Timer, finished

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
TITLES = {
    7: "Say hello to those who come back",
    12: "The build fails on the second run",
    31: "Describe how to rotate the secrets",
    44: "Dark mode: the chart is hard to read",
    52: "Pin the versions of all actions",
    58: "Search finds nothing in archived repositories",
}
# The logins of the users, by the color scheme and the width of the screenshot. Logins must be unique.
NAMES = {("light", 360): "ann", ("dark", 360): "bea", ("light", 1280): "cleo", ("dark", 1280): "dora"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = [["09:00", "12:30"], ["13:00", "18:00"]]


def afternoon_zone() -> ZoneInfo:
    """Return a time zone of a place in which it is between 15:00 and 16:00."""
    places = ("Africa/", "America/", "Asia/", "Australia/", "Europe/", "Pacific/")
    names = sorted(name for name in available_timezones() if name.startswith(places))
    return next(zone for zone in map(ZoneInfo, names) if datetime.now(zone).hour == 15)


class Worker:
    """A person with a month of work."""

    def __init__(self, site: Site, account: Account, zone: ZoneInfo) -> None:
        self.account = account
        self.zone = zone
        self._site = site
        self.token = site.stack.mint_token(account.id, login=account.login)
        self.today = datetime.now(zone).date()
        self.monday = self.today - timedelta(days=self.today.weekday())

    def at(self, day: date, clock: str) -> datetime:
        return datetime.combine(day, time.fromisoformat(clock), self.zone)

    def entry(self, day: date, clock: str, minutes: int, number: int | None, description: str = "") -> Timer:
        """Return a stopped timer."""
        start = round(self.at(day, clock).timestamp() * 1000)
        return finished(
            user_id=self.account.id,
            ulid=new_ulid(start),
            start_ms=start,
            end_ms=start + minutes * 60_000,
            now_ms=now_ms(),
            issue=None if number is None else titled(number),
            description=description,
        )

    def running(self, clock: str, number: int, by: str) -> Timer:
        """Return a timer that runs since a time of today."""
        start = round(self.at(self.today, clock).timestamp() * 1000)
        return Timer.start(
            user_id=self.account.id,
            ulid=new_ulid(start),
            at_ms=start,
            now_ms=start,
            by=by,
            issue=titled(number),
        )

    def month(self) -> list[Timer]:
        """Return the entries of the last four weeks."""
        chance = random.Random(4)
        entries = [self.entry(self.monday - timedelta(days=3), "19:30", 70, 31)]
        for ago in range(1, 29):
            day = self.monday - timedelta(days=ago)
            if day.weekday() < 5 and ago != 4:
                entries += [
                    self.entry(day, start, minutes - chance.choice([0, 0, 5, 25]), chance.choice([*TITLES]))
                    for start, minutes in (("09:00", 95), ("10:35", 115), ("13:00", 140), ("15:20", 160))
                ]
        return entries

    def put(self, path: str, body: dict[str, Any]) -> None:
        response = self._site.send("PUT", path, body, token=self.token)
        assert response.status == 200, response

    def choose_hours(self) -> None:
        """Set working hours that hold since a month ago, today too, and a day off last week."""
        worked = {*WEEKDAYS[:5], WEEKDAYS[self.today.weekday()]}
        week = {day: HOURS if day in worked else [] for day in WEEKDAYS}
        since = self.monday - timedelta(days=35)
        body = {"time_zone": self.zone.key, "week": week, "valid_from": since.isoformat()}
        self.put("/api/schedule/", body)
        off = self.monday - timedelta(days=4)
        self.put(f"/api/schedule/exceptions/{off.isoformat()}/", {"intervals": [], "reason": "Vacation"})


def titled(number: int) -> Issue:
    return replace(Issue.of(REPO, number), title=TITLES[number])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages(open_as: OpenAs, github: FakeGitHub, site: Site, scheme: str, width: int) -> None:
    worker = Worker(site, github.new_user(NAMES[scheme, width]), afternoon_zone())
    today = worker.today
    put_timers(
        site,
        [
            *worker.month(),
            worker.entry(today, "09:00", 100, 44),
            worker.entry(today, "10:40", 95, 7, "Review of the texts"),
            worker.entry(today, "13:00", 45, 31),
            worker.entry(today, "13:45", 15, None, "Stand-up"),
            worker.running("09:30", 58, "assigned"),
            worker.running("11:00", 52, "assigned"),
            worker.running("11:30", 31, "assigned"),
            worker.running("14:10", 12, "manual"),
        ],
    )
    size = {"width": width, "height": 1000 if width > 1000 else 780}
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": size, "timezone_id": worker.zone.key}
    sheet = open_timesheet(open_as, worker.account, **options)
    page = sheet.page

    def take(name: str, shown: Page = page) -> None:
        shown.screenshot(path=FOLDER / f"page-{name}-{width}-{scheme}.png", animations="disabled")

    def scroll_to(selector: str) -> None:
        page.locator(selector).evaluate("element => element.scrollIntoView()")

    expect(page.get_by_role("region", name="When do you work?")).to_be_visible()
    take("first-visit")
    worker.choose_hours()
    page.reload()
    Present(page).expect_counting(12)
    expect(sheet.entry("counting")).to_contain_text("1h")
    sheet.expect_ready()
    expect(page.locator("#day-legend")).to_be_visible()
    page.wait_for_load_state("networkidle")
    take("present")
    scroll_to("#day")
    page.locator(".block").nth(1).click()
    page.evaluate("document.activeElement.blur()")
    take("day")
    page.locator("#week-previous").click()
    week = page.locator("#week")
    for count in (1, 2):
        week.get_by_role("button", name="Confirm").first.click()
        expect(week.get_by_role("button", name="Reopen")).to_have_count(count)
    page.evaluate("document.activeElement.blur()")
    dismiss_status(page)
    scroll_to("#week")
    take("week")
    scroll_to("#results")
    take("chart")
    scroll_to("section:has(> #entries)")
    take("history")
    page.get_by_role("button", name="Edit").nth(1).click()
    take("edit")
    create_tokens(page)
    scroll_to("section:has(> #tokens)")
    take("tokens")
    scroll_to("body")
    dismiss_status(page)
    page.get_by_role("button", name="Change working hours").click()
    take("hours")
    page.goto("/embed.html")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("button", name="Stop").first).to_be_visible()
    expect(preview.get_by_role("timer", name="Today")).not_to_have_text("–")
    take("embed")
    away = Worker(site, github.new_user(f"{worker.account.login}-away"), worker.zone)
    put_timers(site, [away.entry(today, "09:00", 60, 44), away.running("10:00", 7, "manual")])
    away.choose_hours()
    asked = open_timesheet(open_as, away.account, **options)
    expect(asked.page.get_by_role("region", name="Is this time right?")).to_be_visible()
    take("question", asked.page)


def dismiss_status(page: Page) -> None:
    """Remove the message about the last action, which would hide a part of the page."""
    page.locator("#status").evaluate("status => status.replaceChildren()")


def create_tokens(page: Page) -> None:
    page.goto("/account.html")
    for name, scope in (("Editor plugin", "read and write"), ("Weekly report", "read only")):
        page.get_by_label("Name").fill(name)
        page.get_by_label("Access").select_option(scope)
        page.get_by_role("button", name="Create token").click()
        expect(page.get_by_text(f"Token {name} created.")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
