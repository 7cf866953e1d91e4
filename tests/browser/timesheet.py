"""A page object for the Time page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

from tests.browser.seed import ZONE

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from fake_github.model import Account
    from tests.browser.conftest import OpenAs

# The browser uses the time zone in which `seed` creates timers.
IN_BERLIN = {"timezone_id": ZONE.key, "locale": "en-GB"}


class Timesheet:
    """The Time page of the signed-in user."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.status = page.locator("#status")
        self.entries = page.get_by_role("region", name="Entries").get_by_role("listitem")
        self.days = page.get_by_role("region", name="Entries").get_by_role("heading", level=3)
        self.total = page.locator("#total")
        self.filter = page.get_by_role("search", name="Filter")
        self.dialog = page.get_by_role("dialog")
        self.no_entries = page.get_by_text("No entries.")

    def entry(self, text: str) -> Locator:
        """Return the entries whose text contains `text`."""
        return self.entries.filter(has_text=text)

    def choose(self, period: str, **fields: str) -> None:
        """Apply a filter with a period and other fields. The names in `fields` are the fields' labels."""
        self.filter.get_by_label("Period").select_option(period)
        for label, value in fields.items():
            self.filter.get_by_label(label.replace("_", " "), exact=True).fill(value)
        self.filter.get_by_role("button", name="Apply").click()
        self.expect_ready()

    def expect_ready(self) -> None:
        """Wait until entries and totals are loaded."""
        expect(self.page.locator("#results")).to_have_attribute("aria-busy", "false")

    def issues(self) -> list[str]:
        """Return the issues of the entries, in the order of the entries."""
        return self.entries.locator(".issue").all_text_contents()

    def stored_timers(self, query: str = "") -> list[dict[str, Any]]:
        """Return the timers that the API lists, newest first."""
        timers: list[dict[str, Any]] = self.page.evaluate(
            "(query) => fetch(`/api/timelogs/${query}`).then((response) => response.json())", query
        )["results"]
        return timers

    def fill(self, **fields: str) -> None:
        """Fill in fields of the entry form. The names in `fields` are the fields' labels."""
        for label, value in fields.items():
            self.dialog.get_by_label(label, exact=True).fill(value)

    def save(self) -> None:
        """Press the form's Save button."""
        self.dialog.get_by_role("button", name="Save", exact=True).click()

    def error(self, label: str) -> Locator:
        """Return the element with the error of a form field, which screen readers announce with the field."""
        field = self.dialog.get_by_label(label, exact=True)
        described_by = field.get_attribute("aria-describedby") or ""
        return self.page.locator(f"#{described_by.split()[-1]}")

    @property
    def result(self) -> Locator:
        """The form's live text about the resulting duration."""
        return self.dialog.get_by_role("status")


def open_timesheet(open_as: OpenAs, person: Account, address: str = "/", **options: object) -> Timesheet:
    """Open the Time page as a signed-in user."""
    sheet = Timesheet(open_as(person, address, **IN_BERLIN | options))
    sheet.expect_ready()
    return sheet
