"""The accessibility of the pages: checks by axe-core, narrow screens, languages and text directions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.seed import finished_timer, put_timers
from tests.browser.timesheet import open_timesheet
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from fake_github.model import Account
    from tests.browser.conftest import NewContext, OpenAs, OpenPage
    from tests.browser.timesheet import Timesheet
    from tests.e2e.conftest import Site

PAGES = ["/", "/team.html", "/account.html", "/embed.html", "/github.html", "/hooks.html"]


@pytest.fixture
def open_sheet(open_as: OpenAs, ann: Account, site: Site) -> Callable[..., Timesheet]:
    """Return a function that opens the Time page of a user with entries, in a browser with given options."""
    long = "a-description-that-does-not-end-and-has-no-place-to-break-it " * 2
    put_timers(site, [finished_timer(ann, 1 + i, number=7 + i, description=long) for i in range(8)])
    put_timers(
        site, [finished_timer(ann, 1, "12:00", repo=f"an-owner-with-a-long-name/{'and-a-repository-' * 5}")]
    )

    def open_sheet(**options: Any) -> Timesheet:
        return open_timesheet(open_as, ann, **options)

    return open_sheet


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violations(open_sheet: Callable[..., Timesheet], scheme: str) -> None:
    sheet = open_sheet(color_scheme=scheme)
    page = sheet.page
    page.get_by_text("Days as a table").click()
    sheet.filter.get_by_label("Period").select_option("Custom period")
    assert violations(page) == []
    page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="seven", Start="2026-03-29T02:30")
    sheet.save()
    assert violations(page) == []
    sheet.fill(Issue="", Start="2026-10-25T02:30", End="2026-10-25T02:30")
    sheet.save()
    expect(sheet.dialog.get_by_role("button", name="Save anyway")).to_be_visible()
    assert violations(page) == []
    sheet.dialog.get_by_role("radio", name="Start and duration").check()
    sheet.fill(Duration="90")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete").first.click()
    assert violations(page) == []
    page.goto("/account.html")
    page.get_by_label("Name").fill("editor")
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("button", name="Revoke \u2068editor")).to_be_visible()
    assert violations(page) == []
    page.goto("/embed.html")
    expect(page.get_by_role("region", name="Preview").get_by_role("button", name="Start")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", PAGES)
def test_axe_finds_no_violations_on_signed_out_pages(open_page: OpenPage, address: str, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    page.goto(address)
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_pages_fit_a_narrow_screen(open_sheet: Callable[..., Timesheet], direction: str) -> None:
    sheet = open_sheet(viewport={"width": 320, "height": 640})
    page = sheet.page
    page.evaluate("direction => document.documentElement.dir = direction", direction)

    def assert_it_fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") == 320

    sheet.choose("Custom period", From="2026-01-01")
    page.get_by_text("Days as a table").click()
    assert_it_fits()
    page.get_by_role("button", name="Edit").first.click()
    box = sheet.dialog.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    for address in PAGES[1:]:
        page.goto(address)
        page.evaluate("direction => document.documentElement.dir = direction", direction)
        expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
        assert_it_fits()


def test_the_chart_follows_the_text_direction(open_sheet: Callable[..., Timesheet]) -> None:
    sheet = open_sheet()
    left = "[...document.querySelectorAll('.plot .column')].map((bar) => bar.getBoundingClientRect().left)"
    places = sheet.page.evaluate(left)
    assert places == sorted(places)
    sheet.page.evaluate("document.documentElement.dir = 'rtl'")
    sheet.choose("Last week")
    places = sheet.page.evaluate(left)
    assert places == sorted(places, reverse=True)


def test_pages_are_in_german_for_a_german_browser(
    open_sheet: Callable[..., Timesheet], new_context: NewContext
) -> None:
    signed_in = open_sheet().page.context.storage_state()
    page = new_context(locale="de-AT", storage_state=signed_in).new_page()
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "de-AT")
    expect(page).to_have_title("Issue Timer")
    expect(page.get_by_role("heading", name="Einträge")).to_be_visible()
    expect(page.get_by_role("region", name="Einträge").get_by_role("heading", level=3).first).to_have_text(
        re.compile("(Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag), .*(?:min|h)$")
    )
    expect(page.get_by_role("region", name="Jetzt").get_by_role("button", name="Starten")).to_be_visible()
    page.get_by_role("link", name="Konto").click()
    expect(page.get_by_role("button", name="Token erstellen")).to_be_visible()
    expect(page).to_have_title("Konto · Issue Timer")
