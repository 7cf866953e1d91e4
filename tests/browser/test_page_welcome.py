"""The page for visitors who are not signed in, and the explanation of an empty history."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.seed import finished_timer, put_timers
from tests.support.axe import violations

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from fake_github.model import Account
    from tests.browser.conftest import OpenAs, OpenPage
    from tests.e2e.conftest import Site

_MINUTE = "#scene .event strong"


def scene(page: Page) -> Locator:
    found = page.locator("#scene")
    expect(found.locator(".stage")).to_be_visible()
    return found


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_visitors_see_what_the_product_does_on_one_screen(open_page: OpenPage, locale: str) -> None:
    page = open_page(locale=locale, viewport={"width": 1280, "height": 800})
    shown = scene(page)
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [1280, 800]
    expect(page.locator(".points li")).to_have_count(3)
    sign_in, headline = (
        ("Sign in with GitHub", "Time on GitHub issues that tracks itself")
        if locale == "en-GB"
        else ("Mit GitHub anmelden", "Zeit für GitHub-Issues, die sich selbst erfasst")
    )
    expect(page.get_by_role("heading", level=1)).to_have_text(headline)
    expect(page.get_by_role("link", name=sign_in)).to_be_in_viewport()
    expect(shown.locator("issue-timer, [part='widget']").first).to_have_attribute("lang", locale)


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_welcome_fits_and_is_accessible(open_page: OpenPage, width: int, scheme: str) -> None:
    page = open_page(viewport={"width": width, "height": 740}, color_scheme=scheme)
    scene(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []


def test_the_scene_tells_of_two_days(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    page.clock.install()
    page.reload()
    shown = scene(page)
    timers = shown.get_by_role("listitem", include_hidden=True)
    caption = shown.locator(".event")
    expect(caption).to_contain_text("An issue is assigned to you")
    expect(timers).to_have_count(1)
    page.clock.run_for(6_000)
    expect(caption).to_contain_text("it waits")
    expect(timers).to_have_count(2)
    expect(timers.first).to_contain_text("Waiting")
    expect(timers.last).to_contain_text("Counting")
    page.clock.run_for(5_500)
    expect(caption).to_contain_text("nothing counts")
    expect(timers.locator(".state")).to_have_text(["Continues Tuesday 9:00 AM"] * 2)
    page.clock.run_for(4_500)
    expect(caption).to_contain_text("the clock continues")
    page.clock.run_for(4_000)
    expect(caption).to_contain_text("You close the first issue")
    expect(timers).to_have_count(1)
    expect(timers).to_contain_text("The build fails")
    expect(timers).to_contain_text("Counting")
    page.clock.run_for(5_500)
    expect(caption).to_contain_text("An issue is assigned to you")


def test_the_scene_can_be_paused(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    shown = scene(page)
    minute = page.locator(_MINUTE)
    before = minute.inner_text()
    expect(minute).not_to_have_text(before)
    shown.get_by_role("button", name="Pause", exact=True).click()
    before = minute.inner_text()
    page.wait_for_timeout(500)
    assert minute.inner_text() == before
    shown.get_by_role("button", name="Play").click()
    expect(minute).not_to_have_text(before)


def test_visitors_who_prefer_reduced_motion_see_a_still(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="reduce")
    shown = scene(page)
    expect(shown.get_by_role("listitem", include_hidden=True)).to_have_count(2)
    before = page.locator(_MINUTE).inner_text()
    page.wait_for_timeout(500)
    assert page.locator(_MINUTE).inner_text() == before
    expect(shown.get_by_role("button", name="Play")).to_be_visible()


def test_the_scene_takes_no_focus_and_is_not_announced(open_page: OpenPage) -> None:
    page = open_page()
    shown = scene(page)
    focused = []
    page.get_by_role("link", name="How it works").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
        focused.append(page.evaluate("document.activeElement.textContent"))
    assert focused == ["Pause", "Documentation", "API"]
    assert shown.locator("[aria-live=polite], [aria-live=assertive], [role=status]").count() <= 1
    expect(shown.locator(".stage")).to_have_attribute("inert", "")


def test_signed_in_people_load_no_scene(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann)
    expect(page.locator("#no-entries")).to_be_visible()
    names = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    assert not [name for name in names if name.endswith("/scene.js")]


class TestAnEmptyHistory:
    def test_it_explains_how_the_first_timer_begins(self, open_as: OpenAs, ann: Account) -> None:
        page = open_as(ann)
        steps = page.locator("#first-steps")
        expect(steps.get_by_role("heading")).to_have_text("Nothing here yet")
        expect(steps.get_by_role("listitem")).to_have_count(3)
        expect(page.get_by_text("No entries.")).to_be_hidden()
        assert violations(page) == []

    def test_it_is_in_german_too(self, open_as: OpenAs, ann: Account) -> None:
        page = open_as(ann, locale="de-DE")
        expect(page.locator("#first-steps").get_by_role("heading")).to_have_text("Noch nichts hier")

    def test_it_leads_an_admin_to_the_connection(self, open_as: OpenAs, admin: Account, site: Site) -> None:
        page = open_as(admin)
        steps = page.locator("#first-steps")
        expect(steps).to_contain_text(re.compile("since yesterday"))
        if json_rate(site) is None:
            steps.get_by_role("link", name="Connect GitHub").click()
            expect(page).to_have_title("GitHub · Issue Timer")

    def test_somebody_with_older_entries_is_told_to_choose_another_period(
        self, open_as: OpenAs, ann: Account, site: Site
    ) -> None:
        put_timers(site, [finished_timer(ann, 60)])
        page = open_as(ann)
        expect(page.get_by_text("No entries.")).to_be_visible()
        expect(page.locator("#first-steps")).to_be_hidden()


def json_rate(site: Site) -> float | None:
    """Return the success rate of deliveries, which is None before the first one."""
    rate: float | None = json.loads(site.send("GET", "/api/health/").body)["webhook_success_rate"]
    return rate
