"""The totals of the Time page: the sum, the time per day, and the time per issue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.seed import REPO, days_ago, finished_timer, put_timers
from tests.browser.timesheet import Timesheet, open_timesheet

if TYPE_CHECKING:
    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site


@pytest.fixture
def sheet(open_as: OpenAs, ann: Account, site: Site) -> Timesheet:
    """Open Ann's Time page. One of her timers ran over midnight."""
    put_timers(
        site,
        [
            finished_timer(ann, 2, "22:30", 150, 7),
            finished_timer(ann, 3, "09:00", 240, 8),
            finished_timer(ann, 3, "14:00", 30, 7),
            finished_timer(ann, 200, "14:00", 60, 9),
        ],
    )
    return open_timesheet(open_as, ann)


def rows(sheet: Timesheet, table: str) -> list[list[str]]:
    """Return the texts of a table's cells, row by row."""
    cells = (
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.innerText.replaceAll('\\u00a0', ' ')))"
    )
    found: list[list[str]] = (
        sheet.page.get_by_role("table", name=table).locator("tbody tr").evaluate_all(cells)
    )
    return found


def test_totals_by_day_split_timers_at_midnight(sheet: Timesheet) -> None:
    expect(sheet.total).to_have_text("7h")
    sheet.page.get_by_text("Days as a table").click()
    assert [time for _, time in rows(sheet, "Time per day")] == ["1h", "1h 30m", "4h 30m"]


def test_totals_by_issue_are_sorted_by_time(sheet: Timesheet) -> None:
    assert rows(sheet, "Time per issue") == [[f"{REPO}#8", "1", "4h"], [f"{REPO}#7", "2", "3h"]]


def test_the_chart_has_a_description(sheet: Timesheet) -> None:
    date = days_ago(3)
    chart = sheet.page.get_by_role("img", name=f"{date:%a} {date.day} {date:%b}, 4h\u00a030m")
    expect(chart).to_be_visible()
    expect(chart).to_have_accessible_name(re.compile("2h.20m a day on average, on 3 days"))
    # The bar of a day without time has no height.
    bars = chart.locator(".bar")
    heights = bars.evaluate_all("bars => bars.map((bar) => bar.height.baseVal.value)")
    assert len(heights) == 30
    assert [height > 0 for height in heights[-4:]] == [True, True, True, False]
    assert heights[-4] == pytest.approx(3 * heights[-3]) == pytest.approx(4.5 * heights[-2])


def test_pointing_at_a_day_shows_its_time(sheet: Timesheet) -> None:
    sheet.page.locator(".plot g").nth(-4).hover()
    expect(sheet.page.locator(".reading")).to_have_text(re.compile("4h.30m$"))


def test_a_day_in_the_table_links_to_its_entries(sheet: Timesheet) -> None:
    sheet.page.get_by_text("Days as a table").click()
    sheet.page.get_by_role("table", name="Time per day").get_by_role("link").last.click()
    expect(sheet.entries).to_have_count(2)
    expect(sheet.total).to_have_text("4h\u00a030m")
    assert sheet.page.url.endswith(f"/?from={days_ago(3)}&to={days_ago(3)}")
    expect(sheet.page.get_by_role("heading", name="Entries")).to_be_focused()


def test_the_filter_applies_to_the_totals(sheet: Timesheet) -> None:
    sheet.choose("Last 30 days", Repository=REPO, Issue_number="7")
    expect(sheet.total).to_have_text("3h")
    assert rows(sheet, "Time per issue") == [[f"{REPO}#7", "2", "3h"]]


def test_a_long_period_is_charted_by_week(sheet: Timesheet) -> None:
    sheet.choose("All time")
    expect(sheet.total).to_have_text("8h")
    expect(sheet.page.get_by_role("img", name="a week on average")).to_be_visible()
    assert 28 <= sheet.page.locator(".plot .bar").count() <= 31


def test_a_period_of_many_years_is_added_up_and_charted_by_year(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, ago, "09:00", 60, 7) for ago in (1, 366, 8 * 366)])
    sheet = open_timesheet(open_as, ann, "/?period=all")
    expect(sheet.total).to_have_text("3h")
    expect(sheet.entries).to_have_count(3)
    expect(sheet.page.get_by_role("img", name="a year on average")).to_be_visible()
    assert rows(sheet, "Time per issue") == [[f"{REPO}#7", "3", "3h"]]


def minutes(texts: list[str]) -> list[int]:
    """Return the minutes of durations such as "1h 30m"; "<1m" is 0."""
    found = []
    for text in texts:
        match = re.fullmatch(r"(?:(\d+)h)?\s?(?:(\d+)m)?|<1m", text)
        assert match, text
        found.append(60 * int(match[1] or 0) + int(match[2] or 0))
    return found


def test_rounded_figures_add_up_to_the_sums_that_are_shown(open_as: OpenAs, ann: Account, site: Site) -> None:
    """Ten timers of 90 seconds, and timers over midnight with odd seconds."""
    put_timers(
        site,
        [
            *(finished_timer(ann, 1, f"09:{10 + 2 * i}", 1.5, i + 1) for i in range(10)),
            finished_timer(ann, 4, "23:50", 20.3, 3),
            finished_timer(ann, 5, "22:00", 3 * 24 * 60 + 7.77, 11),
            finished_timer(ann, 3, "10:00", 0.4, 2),
        ],
    )
    sheet = open_timesheet(open_as, ann)
    sheet.page.get_by_text("Days as a table").click()
    (total,) = minutes([sheet.total.inner_text().replace("\u00a0", " ")])
    by_day, by_issue = rows(sheet, "Time per day"), rows(sheet, "Time per issue")
    sheet.page.get_by_role("button", name="Show all 11 issues").click()
    by_issue = rows(sheet, "Time per issue")
    assert len(by_issue) == 11
    assert sum(minutes([row[-1] for row in by_day])) == total
    assert sum(minutes([row[-1] for row in by_issue])) == total

    sections = sheet.page.locator("#entries section")
    for section in sections.all():
        (day,) = minutes([section.locator("h3 span").inner_text().replace("\u00a0", " ")])
        parts = section.locator(".duration, .earlier:not([hidden]) span:last-child").all_inner_texts()
        assert sum(minutes([part.replace("\u00a0", " ") for part in parts])) == day
    assert sections.first.locator("h3 span").inner_text() == "15m"
    assert sections.first.locator(".duration").all_inner_texts() == ["2m"] * 5 + ["1m"] * 5


def test_future_days_have_no_time(sheet: Timesheet) -> None:
    sheet.choose("Custom period", From=days_ago(-10).isoformat(), To=days_ago(-12).isoformat())
    expect(sheet.total).to_have_text("0m")
    expect(sheet.no_entries).to_be_visible()


def test_more_than_six_issues_are_shown_on_request(open_as: OpenAs, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 1, f"{8 + i:02}:00", 50 - i, i + 1) for i in range(9)])
    sheet = open_timesheet(open_as, ann)
    issues = sheet.page.get_by_role("table", name="Time per issue").locator("tbody").get_by_role("row")
    expect(issues).to_have_count(6)
    sheet.page.get_by_role("button", name="Show all 9 issues").click()
    expect(issues).to_have_count(9)
    expect(issues.nth(6).get_by_role("link")).to_be_focused()
    # A refresh does not hide the issues again.
    sheet.page.evaluate("""async () => {
        await fetch("/api/timelogs/start/", { method: "POST" });
        dispatchEvent(new Event("online"));
    }""")
    expect(issues).to_have_count(10)
    expect(issues.nth(6).get_by_role("link")).to_be_focused()
