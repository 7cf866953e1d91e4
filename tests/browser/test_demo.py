"""The demo GitHub of `make run` in a browser, beside the widget that shows what follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from demo_github import team
from tests.browser.present import Present
from tests.browser.widget import wait_for_ticket
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo_github.github import DemoGitHub
    from local_stack import LocalStack

ADA = team.PEOPLE[2]
WIDTHS = [1280, 360]
TIMEOUT_MS = 120_000


@pytest.fixture(scope="module")
def github(demo_stack: LocalStack) -> DemoGitHub:
    assert demo_stack.demo_github
    return demo_stack.demo_github.github


@pytest.fixture(scope="module")
def signed_in(demo_stack: LocalStack, browser: Browser) -> Iterator[BrowserContext]:
    """A browser of Ada, who signs in to the widget with one press."""
    context = browser.new_context(base_url=demo_stack.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto("/demo/")
    page.get_by_role("button", name=ADA.name).click()
    page.get_by_role("button", name=f"Show {ADA.name}’s timers").click()
    expect(page.locator("issue-timer")).to_be_visible()
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(signed_in: BrowserContext) -> Iterator[Page]:
    page = signed_in.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(described(message)) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/demo/")
    yield page
    page.close()
    assert errors == []


def described(message: ConsoleMessage) -> str:
    return f"{message.text} {message.location['url']}"


def card(page: Page, issue: str) -> Locator:
    return page.locator(f"#card-{issue.replace('#', '-')}")


def clock(page: Page, title: str) -> Locator:
    """Return the clock of the timer with this title in the widget."""
    return page.locator("issue-timer").locator("[part~=timer]", has_text=title).locator("[part~=clock]")


def timers(page: Page) -> Locator:
    """Return the timers on the issue of the page."""
    return page.locator(".timers tbody tr")


def test_an_assignment_starts_the_clock_and_closing_stops_it(page: Page) -> None:
    page.get_by_role("button", name="Assign me storefront #11").click()
    running = clock(page, "Cookie banner hides the footer")
    expect(running).to_have_text(re.compile(r"00:00:\d\d"))
    before = running.inner_text()
    expect(running).not_to_have_text(before)
    expect(page.locator("[data-live=deliveries] li").first).to_contain_text(
        re.compile(r"issues\.assigned\s+storefront#11.*octo-ada\s+202 \d+ ms", re.DOTALL)
    )
    page.goto("/demo/octo-demo/storefront/issues/11")
    page.get_by_role("button", name="Close issue").click()
    expect(timers(page)).to_contain_text(["stopped by closed"])
    expect(running).to_have_count(0)
    notice = page.locator("issue-timer").get_by_role("status")
    expect(notice).to_have_text("octo-demo/storefront#11 was stopped (issue closed).")


def opened_by(link: Locator) -> Page:
    """Press a link that opens a tab, and return the tab's page."""
    with link.page.context.expect_page() as opened:
        link.click()
    return opened.value


def test_a_link_of_the_widget_opens_the_issue_of_the_demo(page: Page, demo_stack: LocalStack) -> None:
    page.get_by_role("button", name="Assign me storefront #13").click()
    link = page.locator("issue-timer").get_by_role("link", name="Remember the chosen store")
    issue = opened_by(link)
    assert issue.url == f"{demo_stack.url}/demo/octo-demo/storefront/issues/13"
    issue.get_by_role("button", name="Close issue").click()
    expect(link).to_have_count(0)
    issue.close()


def test_a_link_of_the_time_page_opens_the_issue_of_the_demo(page: Page, demo_stack: LocalStack) -> None:
    """The address of the issue is pasted, as from the demo's page."""
    address = f"{demo_stack.url}/demo/octo-demo/payments/issues/9"
    page.goto("/")
    present = Present(page)
    present.start(address)
    timer = present.timers.filter(has_text="octo-demo/payments#9")
    timer.get_by_role("link").click()
    page.wait_for_url(address)
    page.get_by_role("button", name="Close issue").click()
    expect(timers(page)).to_contain_text(["stopped by closed"])


def drag(page: Page, issue: str, column: str) -> None:
    """Drag a card to a column."""
    target = page.locator(f".column[data-status='{column}']")
    begin, end = card(page, issue).bounding_box(), target.bounding_box()
    assert begin
    assert end
    page.mouse.move(begin["x"] + begin["width"] - 8, begin["y"] + 8)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, begin["y"] + 8, steps=5)
    expect(target).to_have_class(re.compile("target"))
    page.mouse.up()
    expect(page.locator("#status")).to_have_text(f"Moved {issue} to {column}.")
    expect(target.locator(card(page, issue))).to_be_visible()


def test_a_dragged_card_starts_and_stops_the_timer(page: Page) -> None:
    """The issue was assigned before Ada signed in, so only its card starts a timer."""
    page.goto("/demo/?repository=handbook")
    drag(page, "handbook#5", "Todo")
    expect(clock(page, "Checklist for accessible pages")).to_have_count(0)
    drag(page, "handbook#5", "In progress")
    expect(clock(page, "Checklist for accessible pages")).to_be_visible()
    drag(page, "handbook#5", "Done")
    expect(clock(page, "Checklist for accessible pages")).to_have_count(0)
    card(page, "handbook#5").get_by_role("link").click()
    expect(timers(page)).to_contain_text(["stopped by project"])


def test_a_card_is_moved_with_the_keyboard(page: Page, github: DemoGitHub) -> None:
    menu = page.get_by_label("Move mobile-app #11")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("In progress")
    page.keyboard.press("Enter")
    expect(
        page.locator(".column[data-status='In progress']").locator(card(page, "mobile-app#11"))
    ).to_be_visible()
    expect(page.locator("#status")).to_have_text("Moved mobile-app#11 to In progress.")
    assert [one.action for one in github.outbox[-1:]] == ["edited"]
    # The focus stays on the card.
    expect(card(page, "mobile-app#11").locator(":focus")).to_have_count(1)


def test_a_command_is_answered(page: Page) -> None:
    page.goto("/demo/octo-demo/payments/issues/12")
    page.get_by_label("Text; commands").fill("Done by phone.\n/timer log 1h")
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".comment").first).to_contain_text("issue-timer[bot]")
    expect(page.locator(".comment").nth(1)).to_have_text(
        re.compile(r"issue-timer\[bot\].*Logged 1h on this issue, up to your comment\.\s*$", re.DOTALL)
    )
    expect(timers(page)).to_contain_text(["01:00:00"])


def test_merging_a_pull_request_stops_the_timer(page: Page) -> None:
    page.goto("/demo/octo-demo/infrastructure/issues/10")
    page.get_by_role("button", name=f"Assign {ADA.name}", exact=True).click()
    expect(timers(page)).to_contain_text(["running"])
    page.get_by_role("button", name="Open pull request").click()
    page.get_by_role("link", name="Fix: Deploy without a maintenance page").click()
    page.get_by_role("button", name="Merge pull request").click()
    expect(page.locator(".state.merged")).to_be_visible()
    expect(page.locator(".timeline li")).to_contain_text(["octo-ada opened this", "octo-ada merged this"])
    page.locator("#main").get_by_role("link", name="Deploy without a maintenance page").click()
    expect(timers(page)).to_contain_text(["stopped by closed"])


def test_held_deliveries_are_reordered_and_repeated_and_the_timers_converge(page: Page) -> None:
    page.goto("/demo/octo-demo/mobile-app/issues/11")
    page.get_by_role("button", name="Hold back").click()
    for action, state in (
        ("Assign", "is assigned"),
        ("Unassign", "is no longer assigned"),
        ("Assign", "is assigned"),
    ):
        page.get_by_role("button", name=f"{action} {ADA.name}", exact=True).click()
        expect(page.locator("#status")).to_have_text(f"mobile-app#11 {state} to {ADA.login}.")
        # Events of GitHub have times in whole seconds.
        page.wait_for_timeout(1100)
    page.get_by_role("button", name="Close issue").click()
    waiting = page.locator(".held li")
    expect(waiting).to_have_count(5)
    waiting.nth(3).get_by_role("button", name="Move up").click()
    expect(waiting.nth(2)).to_contain_text("issues.closed")
    waiting.nth(2).get_by_role("button", name="Send twice").click()
    expect(waiting).to_have_count(4)
    page.get_by_role("button", name="In reverse").click()
    expect(waiting).to_have_count(0)
    expect(timers(page)).to_have_count(1)
    expect(timers(page)).to_contain_text(["stopped by closed"])
    page.get_by_role("button", name="Hold no more").click()
    expect(page.get_by_role("button", name="Hold back")).to_be_visible()


def test_the_same_history_in_three_orders_makes_the_same_timers(page: Page) -> None:
    page.goto("/demo/deliveries")
    page.wait_for_timeout(12_000)
    page.get_by_role("button", name="Deliver in three orders").click()
    expect(page.get_by_text("The timers are the same in each order.")).to_be_visible()
    expect(timers(page)).to_have_count(3)
    assert len(set(timers(page).all_text_contents())) == 1


@pytest.fixture
def hold_back(page: Page, github: DemoGitHub) -> Iterator[Locator]:
    """Return a button of a part of the page that changes with every delivery."""
    wait_for_ticket(page)
    yield page.get_by_role("button", name="Hold back")
    github.hold(on=False)
    github.changed()


def change_elsewhere(page: Page, github: DemoGitHub) -> None:
    """Let somebody else do something that the page learns of."""
    issue = github.find("handbook", 7)
    assert issue
    with page.expect_response(page.url):
        github.label(issue, "bug") if not issue.labels[1:] else github.unlabel(issue, "bug")
        github.changed()
    # The page would show the change now.
    page.wait_for_timeout(300)


def begin_to_press(page: Page, button: Locator) -> None:
    button.hover()
    page.mouse.down()
    expect(button.and_(page.locator(":active"))).to_be_visible()


def expect_held_back(page: Page) -> None:
    expect(page.get_by_role("button", name="Hold no more")).to_be_visible()


def test_a_press_counts_if_its_element_moves_away(page: Page, hold_back: Locator) -> None:
    begin_to_press(page, hold_back)
    # The widget above it has got another timer.
    page.locator("#widget").evaluate("widget => widget.style.paddingBlockEnd = '6rem'")
    page.mouse.up()
    expect_held_back(page)


def test_a_press_that_ends_elsewhere_does_not_count(page: Page, hold_back: Locator) -> None:
    begin_to_press(page, hold_back)
    page.mouse.move(5, 5)
    page.mouse.up()
    page.wait_for_timeout(500)
    expect(hold_back).to_be_visible()


def test_a_press_counts_if_its_element_changes(page: Page, github: DemoGitHub, hold_back: Locator) -> None:
    begin_to_press(page, hold_back)
    change_elsewhere(page, github)
    page.mouse.up()
    expect_held_back(page)


def test_a_press_of_the_space_bar_counts_if_its_element_changes(
    page: Page, github: DemoGitHub, hold_back: Locator
) -> None:
    hold_back.focus()
    page.keyboard.down(" ")
    change_elsewhere(page, github)
    page.keyboard.up(" ")
    expect_held_back(page)


def test_a_press_counts_if_the_machine_has_not_ended_the_one_before(
    page: Page, github: DemoGitHub, hold_back: Locator
) -> None:
    page.add_init_script(
        "const later = setTimeout; window.setTimeout = (act, ms = 0) => later(act, ms + 1_000);"
    )
    page.reload()
    wait_for_ticket(page)
    page.locator("h1").click()
    begin_to_press(page, hold_back)
    page.wait_for_timeout(1_200)
    change_elsewhere(page, github)
    page.mouse.up()
    expect_held_back(page)


def test_another_tab_follows(page: Page, signed_in: BrowserContext) -> None:
    other = signed_in.new_page()
    other.goto("/demo/?repository=payments")
    page.get_by_role("button", name="Assign me payments #11").click()
    expect(other.get_by_role("button", name="Unassign me from payments #11")).to_be_visible()
    other.close()


def test_the_widget_of_another_person_is_offered(page: Page) -> None:
    page.locator(".people summary").click()
    page.get_by_role("button", name="Mei Tanaka").click()
    expect(page.get_by_text(f"These are the timers of {ADA.login}.")).to_be_visible()
    expect(page.get_by_role("button", name="Show Mei Tanaka’s timers")).to_be_visible()
    page.locator(".people summary").click()
    page.get_by_role("button", name=ADA.name).click()
    expect(page.locator("#connect")).to_be_hidden()


def test_the_pages_work_without_scripts(demo_stack: LocalStack, browser: Browser) -> None:
    context = browser.new_context(base_url=demo_stack.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/demo/")
    page.get_by_role("button", name="Tom Becker").click()
    page.get_by_role("button", name="Assign me storefront #14").click()
    expect(card(page, "storefront#14").get_by_alt_text("Tom Becker")).to_be_visible()
    context.close()


@pytest.mark.parametrize("path", ["", "octo-demo/mobile-app/issues/10"])
def test_a_narrow_screen_begins_with_the_board_and_has_the_clock_in_view(
    page: Page, github: DemoGitHub, path: str
) -> None:
    issue = github.find("mobile-app", 10)
    assert issue
    # GitHub's times have whole seconds, so an assignment precedes a stop in the same second.
    page.wait_for_timeout(1_000)
    # An act of her own makes the timer the one that counts, which is the first one.
    ada = github.accounts[ADA.login]
    github.assign(issue, ada, by=ada)
    github.changed()
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/demo/{path}")
    running = clock(page, issue.title)
    expect(running).to_be_in_viewport()
    expect(page.locator("h1")).to_be_in_viewport()
    assert top(page.locator("h1")) < top(page.locator("#widget"))
    page.locator("#deliveries-title").scroll_into_view_if_needed()
    expect(page.locator("#deliveries-title")).to_be_in_viewport()
    github.unassign(issue, ada, by=ada)
    github.changed()
    timer = page.locator("issue-timer").get_by_role("listitem").filter(has_text=issue.title)
    expect(timer).to_contain_text("Paused")
    timer.get_by_role("button", name="Stop").click()
    expect(running).to_have_count(0)


def top(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"]


def test_the_buttons_of_a_timer_are_beside_its_clock(page: Page, github: DemoGitHub) -> None:
    """The widest buttons are those of a timer that waits."""
    issues = [github.find("storefront", 13), github.find("infrastructure", 11)]
    ada = github.accounts[ADA.login]
    for issue in filter(None, issues):
        github.assign(issue, ada, by=ada)
    github.changed()
    timers = page.locator("issue-timer").get_by_role("listitem")
    waiting = timers.filter(has_text="Waiting").first
    expect(waiting).to_be_visible()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        tops = {top(button) for button in waiting.get_by_role("button").all()}
        assert len(tops) == 1
    for issue in filter(None, issues):
        github.close(issue)
    github.changed()
    expect(timers.filter(has_text=re.compile("Remember the chosen store|Delete unused"))).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_violations(
    browser: Browser, demo_stack: LocalStack, signed_in: BrowserContext, scheme: str, width: int
) -> None:
    context = browser.new_context(
        base_url=demo_stack.url,
        viewport={"width": width, "height": 800},
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=signed_in.storage_state(),
    )
    page = context.new_page()
    for path in ("", "octo-demo/storefront/issues/11", "deliveries"):
        page.goto(f"/demo/{path}")
        expect(page.locator("#connect")).to_be_hidden()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    context.clear_cookies()
    page.goto("/demo/")
    assert violations(page) == []
    context.close()
