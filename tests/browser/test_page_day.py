"""The Time page shows what counts, the day and the week, and lets people correct the day."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from playwright.sync_api import Page, expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.present import Present
from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.timesheet import IN_BERLIN, Timesheet, open_timesheet
from tests.browser.widget import noon_zone
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Route

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site


class Day:
    """The card of a day."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.card = page.locator("#day")
        self.title = page.locator("#day-title")
        self.sum = page.locator("#day-sum")
        self.blocks = self.card.locator(".block")
        self.gaps = self.card.locator(".gap")
        self.selection = page.locator("#selection")
        self.undo_button = page.locator("#undo")

    def show(self, ago: int) -> None:
        """Show the day that was `ago` days ago."""
        self.card.get_by_label("Day", exact=True).fill(days_ago(ago).isoformat())
        expect(self.title).to_contain_text(f"{days_ago(ago):%A} {days_ago(ago).day} ")

    def block(self, name: str) -> Locator:
        """Return the blocks whose names match a pattern, such as `#7, 09:00.10:30`."""
        return self.card.get_by_role("button", name=re.compile(name)).and_(self.blocks)

    def select(self, name: str) -> None:
        """Select a block by its name."""
        self.block(name).click()
        expect(self.selection).to_be_visible()

    def correct(self, action: str) -> None:
        """Press a button of the selected block."""
        self.selection.get_by_role("button", name=action).click()

    def names(self) -> list[str]:
        """Return the issues and the times of all blocks."""
        labels = self.blocks.evaluate_all("blocks => blocks.map((block) => block.ariaLabel)")
        labels = [re.sub("[\u2068\u2069]", "", label) for label in labels]
        return [
            re.sub(r"^(?:.*/)?([^/]+), (\d\d:\d\d).(\d\d:\d\d), .*$", r"\1 \2-\3", label) for label in labels
        ]

    def expect_blocks(self, *names: str) -> None:
        """Wait until the day has exactly these blocks, such as `hello-world#7 09:00-10:30`."""
        for _ in range(600):
            if self.names() == list(names):
                return
            self.page.wait_for_timeout(100)
        assert self.names() == list(names)

    def undo(self) -> None:
        """Undo the last correction."""
        self.undo_button.click()
        expect(self.page.locator("#status")).to_contain_text("Undone")


@pytest.fixture
def day(open_as: OpenAs, ann: Account, site: Site) -> Day:
    """Ann's yesterday, with two entries from 9:00 to 10:30 and from 14:00 to 14:20."""
    put_timers(
        site,
        [
            finished_timer(ann, 1, "09:00", 90, 7, description="Say hello"),
            finished_timer(ann, 1, "14:00", 20, 8),
        ],
    )
    sheet = open_timesheet(open_as, ann)
    shown = Day(sheet.page)
    shown.show(1)
    return shown


FIRST = "hello-world#7 09:00-10:30"
SECOND = "hello-world#8 14:00-14:20"


def test_a_day_shows_its_time_in_place(day: Day) -> None:
    day.expect_blocks(FIRST, SECOND)
    expect(day.sum).to_have_text(re.compile("^1h\\s50m worked"))
    legend = day.card.get_by_role("list", name="Time per issue").get_by_role("listitem")
    expect(legend).to_have_count(2)
    expect(legend.first).to_contain_text(re.compile("#7.*1h\\s30m"))
    left, right = (day.blocks.nth(index).bounding_box() for index in (0, 1))
    assert left
    assert right
    assert left["x"] + left["width"] < right["x"]
    assert abs(left["width"] / right["width"] - 90 / 20) < 0.3
    day.card.get_by_text("Day as a table").click()
    rows = day.card.get_by_role("table").locator("tbody").get_by_role("row")
    expect(rows.first).to_have_text(re.compile("#7.*09:0010:301h\\s30m"))


def test_the_number_of_an_issue_is_shown_in_full_or_not_at_all(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    lengths = range(5, 60, 4)
    starts = [8 * 60 + sum(lengths[:index]) for index in range(len(lengths))]
    entries = [
        finished_timer(ann, 1, f"{start // 60:02}:{start % 60:02}", length, 21)
        for start, length in zip(starts, lengths, strict=True)
    ]
    put_timers(site, entries)
    day = Day(open_timesheet(open_as, ann).page)
    day.show(1)
    expect(day.blocks).to_have_count(len(lengths))
    numbers = day.blocks.evaluate_all(
        """blocks => blocks.map((block) => {
            const range = document.createRange();
            range.selectNodeContents(block.querySelector(".number"));
            const number = range.getBoundingClientRect();
            const { left, right, bottom } = block.getBoundingClientRect();
            if (number.top >= bottom - 1) return "hidden";
            // A handle covers 3 pixels at each border.
            return number.left - left > 3.5 && right - number.right > 3.5 ? "full" : "cut";
        })"""
    )
    assert numbers == sorted(numbers, key=["hidden", "full"].index)
    assert {"hidden", "full"} == set(numbers)


def test_the_day_that_was_chosen_last_is_shown(day: Day) -> None:
    blocked = BlockedRequests(day.page, "**/api/timeline/?*")
    day.card.get_by_role("button", name="Previous day").click()
    day.card.get_by_role("button", name="Previous day").click()
    blocked.first()
    # The start of a timer refreshes the page while the day is loading.
    with day.page.expect_request(re.compile("/api/timeline/")):
        Present(day.page).start(f"{REPO}#9")
    blocked.release()
    expect(day.title).to_contain_text(f"{days_ago(3):%A} {days_ago(3).day} ")
    expect(day.card.get_by_label("Day", exact=True)).to_have_value(days_ago(3).isoformat())


@pytest.mark.parametrize("pressed", ["block", "row of the table", "day of the week"])
def test_a_press_counts_if_the_day_is_shown_anew_before_the_release(
    day: Day, ann_elsewhere: Callable[..., Any], pressed: str
) -> None:
    page = day.page
    if pressed == "row of the table":
        day.card.get_by_text("Day as a table").click()
    name = f"{days_ago(1):%a}"
    button = {
        "block": day.block("#7"),
        "row of the table": day.card.get_by_role("table").get_by_role("button", name="#7"),
        "day of the week": page.locator("#week-rows").get_by_role("button", name=re.compile(name)).first,
    }[pressed]
    blocked = BlockedRequests(page, "**/api/timeline/?*")
    # Another entry of the last issue moves nothing before it. The week is below the table.
    began = datetime.combine(days_ago(1), time(15), ZONE)
    fields = {"github_repo": REPO, "github_issue_number": 8, "duration": 3600}
    ann_elsewhere("", fields | {"start_time": began.isoformat()})
    present = Present(page)
    present.start(f"{REPO}#10")
    blocked.first()
    # The card of the present is above the day: until the server has confirmed the timer, its height changes.
    present.expect_counting(10)
    page.wait_for_timeout(1_000)
    button.scroll_into_view_if_needed()
    button.hover()
    element = button.evaluate_handle("button => button")
    page.mouse.down()
    # The timer's start has requested the day again.
    blocked.release()
    expect(day.blocks).to_have_count(3)
    assert element.evaluate("button => button.isConnected && button.matches(':active:hover:focus')")
    if pressed == "day of the week":
        with page.expect_request(re.compile("/api/timeline/")):
            page.mouse.up()
    else:
        page.mouse.up()
        expect(day.selection).to_contain_text("#7")


def test_entries_that_overlap_are_marked(day: Day, ann_elsewhere: Callable[..., Any]) -> None:
    expect(day.card.locator(".overlap")).to_have_count(0)
    began = datetime.combine(days_ago(1), time(10), ZONE)
    fields = {"github_repo": REPO, "github_issue_number": 9, "duration": 3600}
    ann_elsewhere("", fields | {"start_time": began.isoformat()})
    day.page.reload()
    day.show(1)
    first = day.block("#9.?, 10:00.11:00.*, overlaps with .*#7.?: both count in full$")
    expect(first).to_be_visible()
    expect(day.block("#7.?, 09:00.10:30.*, overlaps with .*#9.?: both count in full$")).to_be_visible()
    expect(day.block("#8.*20m$")).to_be_visible()
    mark, block = day.card.locator(".overlap").bounding_box(), first.bounding_box()
    assert mark
    assert block
    assert abs(mark["width"] / block["width"] - 30 / 60) < 0.02
    assert abs(mark["x"] - block["x"]) < 2
    day.card.get_by_text("Day as a table").click()
    expect(day.card.get_by_role("row").filter(has_text="overlaps with")).to_have_count(2)
    assert violations(day.page) == []


def test_a_border_moves_by_keys_and_back_by_undo(day: Day) -> None:
    day.select("#7")
    start = day.card.get_by_role("slider", name="Start of")
    start.focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowLeft", "Enter"):
        day.page.keyboard.press(key)
    day.expect_blocks("hello-world#7 08:49-10:30", SECOND)
    expect(day.card.get_by_role("slider", name="Start of")).to_have_attribute("aria-valuetext", "08:49")
    day.undo()
    day.expect_blocks(FIRST, SECOND)
    end = day.card.get_by_role("slider", name="End of")
    end.focus()
    day.page.keyboard.press("ArrowRight")
    day.page.keyboard.press("Escape")
    expect(end).to_have_attribute("aria-valuetext", "10:30")
    day.page.keyboard.press("ArrowLeft")
    # The border is saved when it loses the focus.
    day.title.focus()
    day.expect_blocks("hello-world#7 09:00-10:25", SECOND)


def drag_end_to_three(day: Day) -> None:
    """Drag the end of the second entry from 14:20 to 15:00."""
    day.select("#8")
    handle = day.card.get_by_role("slider", name="End of")
    box = handle.bounding_box()
    block = day.block("#8").bounding_box()
    assert box
    assert block
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    day.page.mouse.move(x, y)
    day.page.mouse.down()
    # The width of the block is 20 minutes.
    day.page.mouse.move(x + 2 * block["width"], y, steps=4)
    expect(handle).to_have_attribute("aria-valuetext", "15:00")
    day.page.mouse.up()


def test_the_effect_of_a_correction_is_told_if_the_day_is_loaded_again_meanwhile(day: Day) -> None:
    timelines = BlockedRequests(day.page, "**/api/timeline/?*")
    with day.page.expect_response(lambda response: response.request.method == "PATCH"):
        drag_end_to_three(day)
    url = timelines.first().request.url
    with day.page.expect_request(url):
        day.card.get_by_label("Day", exact=True).dispatch_event("change")
    with day.page.expect_response(url):
        timelines.release_first()
    timelines.release()
    expect(day.page.locator("#status")).to_have_text(re.compile("^Changed to 14:00.15:00\\.$"))


def test_a_border_is_dragged(day: Day) -> None:
    drag_end_to_three(day)
    day.expect_blocks(FIRST, "hello-world#8 14:00-15:00")
    expect(day.page.locator("#status")).to_have_text(re.compile("^Changed to 14:00.15:00\\.$"))
    day.undo()
    expect(day.page.locator("#status")).to_have_text(re.compile("^Undone: 14:00.14:20 changed\\.$"))
    day.expect_blocks(FIRST, SECOND)


def test_a_block_is_split_and_a_part_moves_to_another_issue(day: Day) -> None:
    dialog = day.page.get_by_role("dialog")
    day.select("#7")
    day.correct("Split")
    yesterday = days_ago(1).isoformat()
    dialog.get_by_label("Time", exact=True).fill(f"{yesterday}T12:00")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Must be within")
    dialog.get_by_label("Time", exact=True).fill(f"{yesterday}T10:00")
    dialog.get_by_role("button", name="Save").click()
    # Adjacent blocks of two timers stay apart.
    day.expect_blocks("hello-world#7 09:00-10:00", "hello-world#7 10:00-10:30", SECOND)
    day.block("10:00.10:30").click()
    day.correct("Move to another issue")
    # The text of the field is selected.
    day.page.keyboard.type(f"{REPO}#12")
    dialog.get_by_role("button", name="Save").click()
    day.expect_blocks("hello-world#7 09:00-10:00", "hello-world#12 10:00-10:30", SECOND)
    expect(day.page.locator("body")).not_to_be_focused()
    day.undo()
    day.expect_blocks("hello-world#7 09:00-10:00", "hello-world#7 10:00-10:30", SECOND)
    day.undo()
    day.expect_blocks(FIRST, SECOND)


def test_a_correction_that_fails_halfway_has_no_effect(day: Day, browser_errors: BrowserErrors) -> None:
    """To move a part of a timer to another issue, the page splits the timer first."""
    browser_errors.allow(r"status of (503|404) .*/timelogs/")
    dialog = day.page.get_by_role("dialog")
    day.select("#7")
    day.correct("Insert a pause")
    dialog.get_by_role("button", name="Save").click()
    expect(day.block("#7")).to_have_count(2)
    stored = Timesheet(day.page).stored_timers()

    def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=503)
        else:
            route.continue_()

    day.page.route("**/api/timelogs/*/", refuse)
    day.block("#7").last.click()
    day.correct("Move to another issue")
    day.page.keyboard.type(f"{REPO}#12")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("503")
    assert Timesheet(day.page).stored_timers() == stored


@pytest.mark.parametrize("action", ["Split", "Insert a pause", "Move to another issue"])
def test_a_dialog_names_the_block_that_it_corrects(day: Day, action: str) -> None:
    day.select("#8")
    day.correct(action)
    dialog = day.page.get_by_role("dialog")
    expect(dialog).to_have_accessible_description(re.compile(r"hello-world#8\W*, 14:00.14:20, 20m$"))
    expect(dialog.get_by_text(re.compile("14:00.14:20"))).to_be_visible()


def test_a_pause_is_inserted_and_its_border_moved(day: Day) -> None:
    dialog = day.page.get_by_role("dialog")
    day.select("#7")
    day.correct("Insert a pause")
    yesterday = days_ago(1).isoformat()
    expect(dialog.get_by_label("Start", exact=True)).to_have_value(f"{yesterday}T09:40")
    expect(dialog.get_by_label("End", exact=True)).to_have_value(f"{yesterday}T09:55")
    dialog.get_by_label("Start", exact=True).fill(f"{yesterday}T09:30")
    dialog.get_by_label("End", exact=True).fill(f"{yesterday}T09:45")
    dialog.get_by_role("button", name="Save").click()
    day.expect_blocks("hello-world#7 09:00-09:30", "hello-world#7 09:45-10:30", SECOND)
    day.block("09:45.10:30").click()
    day.card.get_by_role("slider", name="Start of").focus()
    day.page.keyboard.press("ArrowLeft")
    day.page.keyboard.press("Enter")
    day.expect_blocks("hello-world#7 09:00-09:30", "hello-world#7 09:40-10:30", SECOND)
    day.undo()
    day.undo()
    day.expect_blocks(FIRST, SECOND)


def test_a_block_is_deleted_and_restored(day: Day) -> None:
    day.select("#8")
    day.correct("Delete")
    day.expect_blocks(FIRST)
    expect(Timesheet(day.page).entry("#8")).to_have_count(0)
    day.title.focus()
    day.page.keyboard.press("Control+z")
    day.expect_blocks(FIRST, SECOND)


def test_corrections_before_a_deletion_are_undone_after_it(day: Day) -> None:
    day.select("#8")
    day.card.get_by_role("slider", name="End of").focus()
    day.page.keyboard.press("ArrowRight")
    day.page.keyboard.press("Enter")
    day.expect_blocks(FIRST, "hello-world#8 14:00-14:25")
    day.correct("Delete")
    day.expect_blocks(FIRST)
    day.undo()
    day.expect_blocks(FIRST, "hello-world#8 14:00-14:25")
    day.undo()
    day.expect_blocks(FIRST, SECOND)
    expect(day.undo_button).to_be_hidden()
    expect(day.title).to_be_focused()
    day.card.get_by_role("button", name="Today").click()
    expect(day.card.get_by_role("button", name="Today")).to_be_hidden()
    expect(day.title).to_be_focused()


def test_the_week_adds_up_its_days(day: Day) -> None:
    week = day.page.get_by_role("table", name=re.compile(r"\d{4}$"))
    row = week.get_by_role("row").filter(has=day.page.locator("[aria-current=date]"))
    expect(row).to_contain_text(re.compile("1h\\s50m"))
    other = (
        week.locator("tbody").get_by_role("button").filter(has_not=day.page.locator("[aria-current]")).first
    )
    name = other.inner_text()
    other.click()
    expect(day.title).to_be_focused()
    expect(day.title).to_contain_text(name.split()[1].strip(","))


def test_an_entry_is_continued(day: Day) -> None:
    day.page.get_by_role("button", name="Continue").first.click()
    present = Present(day.page)
    expect(present.counting).to_contain_text(re.compile("#[78]"))
    expect(day.page).to_have_title(re.compile(r"^00:00 octo-org/hello-world#[78] · Issue Timer$"))


def test_a_timer_starts_without_an_issue_and_with_a_description(ann_page: Page) -> None:
    present = Present(ann_page)
    present.start(description="Planning")
    expect(present.counting).to_contain_text("Planning")
    expect(present.counting).to_contain_text("Counts because")
    expect(ann_page).to_have_title("00:00 \u2068Planning\u2069 · Issue Timer")
    present.button("Stop").click()
    expect(present.nothing_counts).to_contain_text("No timer is running")
    expect(ann_page).to_have_title("Issue Timer")


def test_one_switches_to_a_timer_that_waits_and_back(
    ann_page: Page, ann_elsewhere: Callable[..., Any]
) -> None:
    present = Present(ann_page)
    for number in (7, 8):
        ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": number})
    present.poll()
    present.expect_counting(8)
    expect(ann_page.locator("#waiting-title")).to_have_text("Waiting: 1")
    expect(present.waiting).to_contain_text(f"Waits while you work on {REPO}#8")
    expect(present.waiting).not_to_contain_text("continues")
    present.button("Switch to this").click()
    present.expect_counting(7)
    expect(present.counting).to_contain_text("Counts because you switched to it at")
    expect(present.waiting).to_contain_text(f"{REPO}#8")
    present.button("Switch back").click()
    present.expect_counting(8)
    present.button("Pause").click()
    expect(present.waiting).to_contain_text("You are on a break")
    expect(present.nothing_counts).to_have_text("You are on a break.")
    resume = ann_page.get_by_role("list", name="You are on a break.").get_by_role("button", name="Resume")
    expect(resume).to_have_count(1)
    resume.click()
    present.expect_counting(8)


def test_one_switches_back_after_a_switch_elsewhere(
    ann_page: Page, ann_elsewhere: Callable[..., Any]
) -> None:
    present = Present(ann_page)
    ids = [
        ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": number})["id"]
        for number in (7, 8)
    ]
    present.poll()
    present.expect_counting(8)
    ann_elsewhere(f"{ids[0]}/focus/")
    present.poll()
    present.expect_counting(7)
    present.button("Switch back").click()
    present.expect_counting(8)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_day_is_accessible_and_fits(
    open_as: OpenAs, ann: Account, site: Site, scheme: str, width: int
) -> None:
    put_timers(site, [finished_timer(ann, 1, "09:00", 90, 7), finished_timer(ann, 1, "11:00", 45, 8)])
    sheet = open_timesheet(open_as, ann, color_scheme=scheme, viewport={"width": width, "height": 900})
    page = sheet.page
    for number in (7, 8):
        Present(page).start(f"{REPO}#{number}")
    expect(Present(page).waiting).to_be_visible()
    day = Day(page)
    day.show(1)
    day.select("#7")
    day.card.get_by_text("Day as a table").click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    day.correct("Insert a pause")
    assert violations(page) == []


class SetHours(Protocol):
    def __call__(self, *hours: tuple[str, str], zone: str, from_ago: int) -> None: ...


@pytest.fixture
def set_hours(site: Site, ann: Account) -> SetHours:
    """Set Ann's working hours of every day."""
    token = site.stack.mint_token(ann.id, login=ann.login)

    def set_hours(*hours: tuple[str, str], zone: str, from_ago: int) -> None:
        week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), hours)
        body = {"valid_from": days_ago(from_ago).isoformat(), "time_zone": zone, "week": week}
        response = site.send("PUT", "/api/schedule/", body, token=token)
        assert response.status == 200, response

    return set_hours


def test_a_gap_in_the_working_hours_is_filled(day: Day, set_hours: SetHours) -> None:
    set_hours(("09:00", "12:00"), ("13:00", "16:00"), zone=ZONE.key, from_ago=7)
    day.show(2)
    day.show(1)
    expect(day.card.locator(".working")).to_have_count(2)
    # From 10:30 to 12:00, from 13:00 to 14:00 and from 14:20 to 16:00.
    expect(day.gaps).to_have_count(3)
    expect(day.sum).to_contain_text(re.compile("4h\\s10m of working hours not recorded"))
    day.gaps.first.click()
    dialog = day.page.get_by_role("dialog")
    expect(dialog.get_by_label("Start", exact=True)).to_have_value(f"{days_ago(1).isoformat()}T10:30")
    dialog.get_by_label("Description").fill("Meeting")
    dialog.get_by_role("button", name="Save").click()
    day.expect_blocks(FIRST, "Meeting 10:30-12:00", SECOND)
    expect(day.gaps).to_have_count(2)
    day.undo()
    day.expect_blocks(FIRST, SECOND)
    expect(day.gaps).to_have_count(3)


def test_a_timer_continues_outside_of_working_hours_on_request(
    open_as: OpenAs, ann: Account, ann_elsewhere: Callable[..., Any], set_hours: SetHours
) -> None:
    # It is noon in this zone. The timer was started during the working hours of today.
    begin = datetime.now(UTC).replace(minute=30) - timedelta(hours=12)
    ann_elsewhere(
        "start/", {"github_repo": REPO, "github_issue_number": 7, "at": begin.isoformat(timespec="seconds")}
    )
    set_hours(("00:00", "01:00"), zone=noon_zone(), from_ago=2)
    page = open_as(ann, **IN_BERLIN | {"timezone_id": noon_zone()})
    present = Present(page)
    expect(present.waiting).to_contain_text(re.compile("Outside of working hours · continues on .* at 00:00"))
    expect(present.nothing_counts).to_contain_text(f"{REPO}#7 continues on")
    present.button("Keep counting").click()
    present.expect_counting(7)
    expect(present.counting).to_contain_text("Counts as overtime because you asked for it at")
