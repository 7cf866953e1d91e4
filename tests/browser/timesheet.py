"""The page of somebody's time, as they see and use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.browser.past import ZONE

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import OpenPage, SignIn
    from tests.support.fake_github.model import Account

# Where the times of `past` are said.
IN_BERLIN = {"timezone_id": ZONE.key, "locale": "en-GB"}


class Timesheet:
    """The history and the totals of who is signed in."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.locator("#status")
        self.entries = page.get_by_role("region", name="Entries").get_by_role("listitem")
        self.days = page.get_by_role("region", name="Entries").get_by_role("heading", level=3)
        self.total = page.locator("#total")
        self.filter = page.get_by_role("search", name="Filter")
        self.dialog = page.get_by_role("dialog")
        self.no_entries = page.get_by_text("Nothing was timed here.")

    def entry(self, text: str) -> Locator:
        """Return the entry that a text is in."""
        return self.entries.filter(has_text=text)

    def choose(self, period: str, **fields: str) -> None:
        """Have the history be of a period and, by the fields' labels, less."""
        self.filter.get_by_label("Period").select_option(period)
        for label, value in fields.items():
            self.filter.get_by_label(label.replace("_", " "), exact=True).fill(value)
        self.filter.get_by_role("button", name="Apply").click()
        self.expect_ready()

    def expect_ready(self) -> None:
        """Wait until what was asked for is shown."""
        expect(self.page.locator("#results")).to_have_attribute("aria-busy", "false")

    def issues(self) -> list[str]:
        """Return what the entries are about, in order."""
        return self.entries.locator(".issue").all_text_contents()

    def fill(self, **fields: str) -> None:
        """Fill fields of the form for an entry, by their labels."""
        for label, value in fields.items():
            self.dialog.get_by_label(label, exact=True).fill(value)

    def save(self) -> None:
        """Press the form's button."""
        self.dialog.get_by_role("button", name="Save").click()

    def mistake(self, label: str) -> Locator:
        """Return what a screen reader says beside a field of the form."""
        field = self.dialog.get_by_label(label, exact=True)
        described_by = field.get_attribute("aria-describedby")
        return self.page.locator(f"#{described_by}")


def open_timesheet(
    open_page: OpenPage, sign_in: SignIn, person: Account, address: str = "/", **options: object
) -> Timesheet:
    """Open the page in a browser of its own, as somebody."""
    page = sign_in(open_page(**IN_BERLIN | options), person)
    if address != "/":
        page.goto(address)
    sheet = Timesheet(page)
    sheet.expect_ready()
    return sheet
