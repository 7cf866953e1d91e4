"""Take the screenshots of the pages for docs/screenshots.

pytest does not collect this file by default. Run ``pytest tests/browser/take_screenshots_of_pages.py``.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.present import Present
from tests.browser.seed import REPO, finished_timer, put_timers
from tests.browser.timesheet import open_timesheet

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site
    from tests.support.fake_github import FakeGitHub
    from timer_core.domain.timers import Timer

FOLDER = Path(__file__).parents[2] / "docs/screenshots"
TITLES = {
    7: "Say hello to those who come back",
    12: "The build fails on the second run",
    31: "Describe how to rotate the secrets",
    44: "Dark mode: the chart is hard to read",
}
# The logins of the users, by the color scheme and the width of the screenshot. Logins must be unique.
NAMES = {("light", 360): "ann", ("dark", 360): "bea", ("light", 1280): "cleo", ("dark", 1280): "dora"}


def titled(timer: Timer) -> Timer:
    assert timer.issue
    return replace(timer, issue=replace(timer.issue, title=TITLES[timer.issue.number]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_pages(open_as: OpenAs, github: FakeGitHub, site: Site, scheme: str, width: int) -> None:
    ann = github.new_user(NAMES[scheme, width])
    chance = random.Random(width)
    starts = ("08:30", "10:15", "13:00", "15:45")
    put_timers(
        site,
        [
            titled(finished_timer(ann, ago, start, chance.randint(20, 100), chance.choice([*TITLES])))
            for ago in range(1, 30)
            if ago % 7 < 5
            for start in chance.sample(starts, chance.randint(2, 4))
        ],
    )
    put_timers(site, [finished_timer(ann, 1, "17:40", 25, None, description="Planning the next week")])
    size = {"width": width, "height": 1000 if width > 1000 else 780}
    sheet = open_timesheet(open_as, ann, color_scheme=scheme, viewport=size)
    page = sheet.page
    page.get_by_role("button", name="Use Mon").click()
    expect(page.get_by_role("region", name="When do you work?")).to_have_count(0)

    def take(name: str) -> None:
        page.screenshot(path=FOLDER / f"page-{name}-{width}-{scheme}.png", animations="disabled")

    def scroll_to(selector: str) -> None:
        page.locator(selector).evaluate("element => element.scrollIntoView()")

    begin = datetime.now(UTC) - timedelta(minutes=84)
    token = site.stack.mint_token(ann.id, login=ann.login)
    started = {"github_repo": REPO, "github_issue_number": 12, "at": begin.isoformat()}
    assert site.send("POST", "/api/timelogs/start/", started, token=token).status == 201
    page.reload()
    Present(page).expect_counting(12)
    expect(sheet.entry("counting")).to_contain_text("1h")
    sheet.expect_ready()
    take("present")
    scroll_to("#day")
    take("day")
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
    page.get_by_role("button", name="Change working hours").click()
    take("hours")
    page.goto("/embed.html")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("button", name="Stop")).to_be_visible()
    expect(preview.get_by_role("timer", name="Today")).not_to_have_text("–")
    take("embed")


def create_tokens(page: Page) -> None:
    page.goto("/account.html")
    for name, scope in (("Editor plugin", "read and write"), ("Weekly report", "read only")):
        page.get_by_label("Name").fill(name)
        page.get_by_label("Access").select_option(scope)
        page.get_by_role("button", name="Create token").click()
        expect(page.get_by_text(f"Token {name} created.")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
