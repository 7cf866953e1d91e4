"""A page object for the widget."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page, expect

from tests.e2e.conftest import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from fake_github import FakeGitHub
    from fake_github.model import Account

REPO = "octo-org/hello-world"
# The errors that Chromium reports if there is no connection, or if a test aborts a request.
OFFLINE = r"net::ERR_(INTERNET_DISCONNECTED|FAILED)"


def noon_zone() -> str:
    """Return a time zone in which the time is between 12:00 and 13:00, so that no day ends during a test."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"


def install_clock(page: Page) -> None:
    """Install a clock that the test can advance by hours, in a page that was opened in `noon_zone`."""
    hour = page.evaluate("new Date().getHours()")
    assert hour in range(12, 15), f"A day could end during the test: it is {hour} o'clock in the page."
    page.clock.install()


def hide(page: Page, *, hidden: bool = True) -> None:
    """Simulate that a page is hidden, or that it is visible again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def wait_for_ticket(page: Page) -> None:
    """Wait until a page has requested its live connection, its last request before it follows changes."""
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/live/ticket/'))"
    )


class Widget:
    """The widget of a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.element = page.locator("issue-timer")
        self.timers = self.element.get_by_role("list").get_by_role("listitem")
        self.notice = self.element.get_by_role("status")
        self.banner = self.element.locator("[part=banner]")
        self.issue = self.element.get_by_label("Issue", exact=True)
        self.sign_in_button = self.element.get_by_role("button", name="Sign in with GitHub")

    def open(self, query: str = "") -> None:
        """Open the page with the widget."""
        self.page.goto(f"/widget.html{query}")

    def another_tab(self) -> Widget:
        """Open the page in another tab of the same browser."""
        other = Widget(self.page.context.new_page())
        other.open()
        other.expect_ready()
        return other

    def button(self, name: str) -> Locator:
        """Return the button whose name begins with `name`."""
        return self.element.get_by_role("button", name=re.compile(f"^{name}"))

    def clock(self, number: int = 7) -> Locator:
        """Return the clock of an issue's timer."""
        return self.element.get_by_role("timer", name=f"{REPO}#{number}", exact=True)

    def seconds(self, number: int = 7) -> int:
        """Return the seconds on the clock of an issue's timer."""
        return seconds_of(self.clock(number).inner_text())

    def today(self) -> int:
        """Return the seconds shown for today."""
        return seconds_of(self.element.get_by_role("timer", name="Today").inner_text())

    def start(self, issue: str) -> None:
        """Start a timer with the form."""
        self.issue.fill(issue)
        self.issue.press("Enter")

    def expect_state(self, state: str, number: int = 7) -> None:
        """Wait until the timer of an issue is in a state."""
        expect(
            self.timers.filter(has=self.page.get_by_role("timer", name=f"{REPO}#{number}", exact=True))
        ).to_contain_text(state)

    def expect_sent(self) -> None:
        """Wait until the server has responded to all actions."""
        manager = "document.querySelector('issue-timer').manager"
        assert eventually(lambda: self.page.evaluate(f"{manager}.state.waiting === 0"), seconds=120)

    def poll(self) -> None:
        """Poll the server now."""
        self.page.evaluate("document.querySelector('issue-timer').manager.refresh()")

    def pending(self) -> Any:
        """Return the pending actions of all users from this browser's storage."""
        return self.page.evaluate(
            """() => Object.keys(localStorage)
                .filter((key) => key.startsWith("issue-timer:outbox:"))
                .map((key) => JSON.parse(localStorage[key]))"""
        )

    def sign_in(self, github: FakeGitHub, account: Account) -> None:
        """Press the widget's sign-in button, and authorize the sign-in on GitHub's page."""
        github.signed_in = account
        self.sign_in_button.click()
        self.page.get_by_role("button", name="Authorize").click()
        self.expect_ready()

    def expect_ready(self) -> None:
        """Wait until the timers are loaded."""
        expect(self.issue).to_be_visible()

    def hide(self, *, hidden: bool = True) -> None:
        """Simulate that the page is hidden, or that the page is visible again."""
        hide(self.page, hidden=hidden)

    def stop_clock(self) -> None:
        """Stop the clock that a test has installed."""
        now: float = self.page.evaluate("Date.now()")
        self.page.clock.pause_at(datetime.fromtimestamp(now / 1000 + 1, UTC))

    def record_events(self) -> None:
        """Start recording the widget's events. `events` returns the recorded events."""
        self.page.evaluate("""() => {
            window.recorded = [];
            for (const name of ["start", "pause", "resume", "stop", "focus", "counting", "problem"]) {
                const record = ({ type, detail }) => recorded.push({ type, ...detail });
                addEventListener(`issue-timer:${name}`, record);
            }
        }""")

    def events(self) -> Any:
        """Return the recorded events, in the order in which they occurred."""
        return self.page.evaluate("recorded")


def seconds_of(clock: str) -> int:
    """Convert a clock's text (HH:MM:SS) to seconds."""
    match = re.fullmatch(r"(\d\d+):([0-5]\d):([0-5]\d)", clock)
    assert match, clock
    hours, minutes, seconds = map(int, match.groups())
    return hours * 3600 + minutes * 60 + seconds
