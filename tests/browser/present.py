"""A page object for the card about the present of the Time page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Page, expect

from tests.browser.widget import REPO, seconds_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator


class Present:
    """The timers that count, wait and are paused, and the form that starts a timer."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.card = page.get_by_role("region", name="Now")
        self.counting = page.locator("#counting-timers").get_by_role("listitem")
        self.waiting = page.locator("#waiting-timers").get_by_role("listitem")
        self.paused = page.locator("#paused-timers").get_by_role("listitem")
        self.timers = self.card.get_by_role("listitem")
        self.today = self.card.get_by_role("timer", name="Today")
        self.nothing_counts = page.locator("#nothing-counts")

    def start(self, issue: str = "", description: str = "") -> None:
        """Start a timer with the form."""
        self.card.get_by_label("Issue", exact=True).fill(issue)
        self.card.get_by_label("Description").fill(description)
        self.card.get_by_role("button", name="Start", exact=True).click()

    def button(self, name: str) -> Locator:
        """Return the buttons whose name begins with `name`."""
        return self.card.get_by_role("button", name=re.compile(f"^{name}"))

    def clock(self, number: int = 7) -> Locator:
        """Return the clock of an issue's timer."""
        return self.card.get_by_role("timer", name=f"{REPO}#{number}", exact=True)

    def seconds(self, number: int = 7) -> int:
        """Return the seconds on the clock of the timer that counts."""
        return seconds_of(self.clock(number).inner_text())

    def expect_counting(self, number: int = 7) -> None:
        """Wait until the timer of an issue counts."""
        clock = self.page.get_by_role("timer", name=f"{REPO}#{number}", exact=True)
        expect(self.counting.filter(has=clock)).to_be_visible()

    def poll(self) -> None:
        """Let the page ask the server now, as it does when the network is available again."""
        self.page.evaluate("dispatchEvent(new Event('online'))")
