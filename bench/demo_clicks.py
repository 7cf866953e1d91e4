"""Time from a click on the demo's board to the widget's clock beside it, in Chromium on the local stack."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from demo_github import team
from local_stack import LocalStack, free_port
from tests.support.install_chromium import FLAGS, chromium

_PERSON = team.PEOPLE[2]
_REPOSITORY, _NUMBER = "storefront", 11
_CLICKS = 20
_TIMEOUT_MS = 60_000
# The time in which the effects of a click end, such as the deliveries' list that is shown again.
_SETTLE_MS = 1_500
# Begins to measure the milliseconds from the next click until the widget shows the timer in a state.
_BEGIN = """([issue, state]) => {
    const isShown = () => {
        const { shadowRoot } = document.querySelector("issue-timer");
        const clock = shadowRoot.querySelector(`[part=clock][aria-label="${issue}"]`);
        return clock?.textContent && clock.closest("li").querySelector("[part=state]").textContent === state;
    };
    window.measured = new Promise((resolve) => {
        const begin = ({ timeStamp }) => {
            const look = (now) => (isShown() ? resolve(now - timeStamp) : requestAnimationFrame(look));
            requestAnimationFrame(look);
        };
        document.addEventListener("click", begin, { capture: true, once: true });
    });
}"""


def measure() -> str:
    """Return the table of the times from click to clock."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalStack(free_port(), Path(folder), with_demo_github=True) as stack,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium(), args=FLAGS) as browser,
    ):
        return table(sample(_board(browser.new_page(base_url=stack.url))))


def _board(page: Page) -> Page:
    """Return the board, beside a widget with a live connection."""
    page.set_default_timeout(_TIMEOUT_MS)
    page.goto("/demo/")
    page.get_by_role("button", name=_PERSON.name).click()
    page.get_by_role("button", name=f"Show {_PERSON.name}’s timers").click()
    expect(page.locator("issue-timer")).to_be_visible(timeout=_TIMEOUT_MS)
    while not page.evaluate("document.querySelector('issue-timer').manager.isLive"):
        page.wait_for_timeout(100)
    return page


def sample(page: Page) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each assignment and of each removal of an assignee."""
    assigned: list[float] = []
    unassigned: list[float] = []
    # The functions' processes start with the first two clicks, which are not counted.
    for count in range(_CLICKS + 2):
        is_assigned = count % 2 == 0
        name, state = ("Assign me", "Counting") if is_assigned else ("Unassign me from", "Paused")
        page.evaluate(_BEGIN, [f"{team.ORGANIZATION}/{_REPOSITORY}#{_NUMBER}", state])
        page.get_by_role("button", name=f"{name} {_REPOSITORY} #{_NUMBER}", exact=True).click()
        taken: float = page.evaluate("window.measured")
        (assigned if is_assigned else unassigned).append(taken)
        page.wait_for_timeout(_SETTLE_MS)
    return assigned[1:], unassigned[1:]


def table(samples: tuple[Sequence[float], Sequence[float]]) -> str:
    """Return the table of the samples."""
    assigned, unassigned = samples
    rows = []
    for name, taken in (
        ("Assign me", assigned),
        ("Unassign", unassigned),
        ("both", [*assigned, *unassigned]),
    ):
        p95 = statistics.quantiles(taken, n=20, method="inclusive")[-1]
        rows.append(
            f"| {name} | {len(taken)} | {statistics.median(taken):.0f} | {p95:.0f} | {min(taken):.0f} |"
        )
    return "\n".join(
        [
            "| click | clicks | median ms | 95th percentile ms | least ms |",
            "| --- | ---: | ---: | ---: | ---: |",
            *rows,
        ]
    )
