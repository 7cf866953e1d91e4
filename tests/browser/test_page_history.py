"""Finding entries on the Time page: the list, the filter and its address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Route, expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.seed import REPO, days_ago, finished_timer, put_timers
from tests.browser.timesheet import IN_BERLIN, Timesheet, open_timesheet

if TYPE_CHECKING:
    from fake_github import FakeGitHub
    from fake_github.model import Account
    from tests.browser.conftest import OpenAs, OpenPage, SignIn
    from tests.e2e.conftest import Site


def long_day(ago: int) -> str:
    date = days_ago(ago)
    return f"{date:%A} {date.day} {date:%B}"


def test_entries_are_listed_by_day_newest_first(sheet: Timesheet, github: FakeGitHub) -> None:
    assert sheet.issues() == [f"{REPO}#8", f"{REPO}#7", "No issue"]
    expect(sheet.days).to_have_text(
        [re.compile(f"^{long_day(1)}.*1h.50m$"), re.compile(f"^{long_day(2)}.*45m$")]
    )
    first = sheet.entry("Say hello")
    expect(first).to_contain_text(re.compile("09:00.*10:30"))
    expect(first).to_contain_text("1h\u00a030m")
    expect(first.get_by_role("link")).to_have_attribute("href", f"{github.url}/{REPO}/issues/7")


def test_an_entry_over_midnight_is_in_both_periods_with_its_part(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    put_timers(
        site, [finished_timer(ann, 3, "23:50", 10 + 9 * 60 + 3), finished_timer(ann, 2, "12:00", 30, 8)]
    )
    first, second = days_ago(3), days_ago(2)
    sheet = open_timesheet(open_as, ann, f"/?from={first}&to={first}")
    expect(sheet.total).to_have_text("10m")
    expect(sheet.entries.locator(".duration")).to_have_text("10m")
    expect(sheet.entries.locator(".elsewhere")).to_have_text(f"continues on {second:%A}, 9h\u00a03m")
    sheet.choose("Custom period", From=second.isoformat(), To=second.isoformat())
    expect(sheet.total).to_have_text("9h\u00a033m")
    expect(sheet.entries.locator(".duration")).to_have_text(["30m", "9h\u00a03m"])
    expect(sheet.entries.nth(1).locator(".elsewhere")).to_have_text(f"began on {first:%A}, 10m")
    # The entry is once in a period that contains both days, with what it adds to the second day.
    sheet.choose("Last 30 days")
    expect(sheet.entries).to_have_count(2)
    expect(sheet.days).to_have_text([re.compile("9h.33m$"), re.compile("10m$")])
    expect(sheet.page.locator(".earlier:visible")).to_have_text("Continued from earlier days9h\u00a03m")


def test_users_see_only_their_own_time(
    sheet: Timesheet, open_as: OpenAs, github: FakeGitHub, site: Site
) -> None:
    bob = github.new_user(f"bob-{len(github.accounts)}")
    put_timers(site, [finished_timer(bob, 1, "09:00", 15, 99)])
    of_bob = open_timesheet(open_as, bob)
    assert of_bob.issues() == [f"{REPO}#99"]
    expect(of_bob.total).to_have_text("15m")
    sheet.page.reload()
    expect(sheet.entries).to_have_count(3)
    expect(sheet.entry("#99")).to_have_count(0)


def test_the_filter_selects_entries_and_is_in_the_address(sheet: Timesheet) -> None:
    sheet.choose("All time")
    expect(sheet.entries).to_have_count(4)
    sheet.choose("All time", Repository="Octo-Org/Hello-World", Issue_number="7")
    assert sheet.issues() == [f"{REPO}#7"]
    expect(sheet.total).to_have_text("1h\u00a030m")
    assert sheet.page.url.endswith("/?repo=Octo-Org/Hello-World&issue=7&period=all")


def test_the_filter_can_be_a_range_of_days(sheet: Timesheet) -> None:
    sheet.choose("Custom period", From=days_ago(45).isoformat(), To=days_ago(2).isoformat())
    assert sheet.issues() == ["No issue", "octocat/spoon-knife#7"]
    assert sheet.page.url.endswith(f"/?from={days_ago(45)}&to={days_ago(2)}")


def test_back_and_forward_restore_filters(sheet: Timesheet) -> None:
    sheet.choose("All time")
    sheet.choose("All time", Issue_number="8")
    expect(sheet.entries).to_have_count(1)
    sheet.page.go_back()
    expect(sheet.entries).to_have_count(4)
    expect(sheet.filter.get_by_label("Issue number")).to_have_value("")
    sheet.page.go_back()
    expect(sheet.entries).to_have_count(3)
    expect(sheet.filter.get_by_label("Period")).to_have_value("30-days")
    sheet.page.go_forward()
    expect(sheet.entries).to_have_count(4)


def test_an_address_with_a_filter_can_be_shared(sheet: Timesheet) -> None:
    sheet.page.goto(f"/?from={days_ago(2)}&to={days_ago(2)}")
    sheet.expect_ready()
    assert sheet.issues() == ["No issue"]
    expect(sheet.filter.get_by_label("From", exact=True)).to_have_value(days_ago(2).isoformat())
    sheet.filter.get_by_role("button", name="Reset").click()
    expect(sheet.entries).to_have_count(3)
    assert sheet.page.url.endswith("/")


def test_signing_in_returns_to_the_filter(open_page: OpenPage, sign_in: SignIn, ann: Account) -> None:
    page = open_page(**IN_BERLIN)
    page.goto("/?period=all&issue=8")
    sign_in(page, ann)
    expect(page.get_by_label("Issue number")).to_have_value("8")
    expect(page.get_by_label("Period")).to_have_value("all")


def test_invalid_parameters_in_the_address_are_ignored(sheet: Timesheet) -> None:
    sheet.page.goto("/?period=never&from=2026-02-31x&issue=-1")
    sheet.expect_ready()
    expect(sheet.entries).to_have_count(3)
    expect(sheet.filter.get_by_label("Period")).to_have_value("30-days")
    expect(sheet.status).to_be_empty()


def test_the_filter_accepts_the_first_and_the_last_valid_day(sheet: Timesheet) -> None:
    sheet.page.goto("/?from=1970-01-02&to=9998-12-31")
    sheet.expect_ready()
    expect(sheet.entries).to_have_count(4)
    assert sheet.page.url.endswith("/?from=1970-01-02&to=9998-12-31")


def test_a_thousand_entries_are_loaded_page_by_page(open_as: OpenAs, ann: Account, site: Site) -> None:
    put_timers(
        site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(1000)]
    )
    sheet = open_timesheet(open_as, ann, "/?period=all")
    more = sheet.page.get_by_role("button", name="Load more")
    for shown in range(100, 1000, 100):
        expect(sheet.entries).to_have_count(shown)
        expect(sheet.page.get_by_text(f"Latest {shown}")).to_be_visible()
        more.click()
        expect(sheet.status).to_have_text("100 more entries loaded.")
    expect(more).to_be_hidden()
    expect(sheet.page.get_by_text("1000 entries")).to_be_visible()
    assert sorted(sheet.issues()) == sorted(f"{REPO}#{i + 1}" for i in range(1000))
    expect(sheet.days).to_have_count(100)
    # The focus moves to the first new entry, because the button is hidden.
    expect(sheet.entries.nth(900).get_by_role("button", name="Edit")).to_be_focused()


@pytest.mark.parametrize("entries_a_day", [1, 10])
def test_load_more_does_not_move_while_entries_render(
    open_as: OpenAs, ann: Account, site: Site, entries_a_day: int
) -> None:
    put_timers(
        site,
        [finished_timer(ann, 1 + i // entries_a_day, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(110)],
    )
    sheet = open_timesheet(open_as, ann, "/?period=all")
    expect(sheet.entries).to_have_count(100)
    moved = sheet.page.get_by_role("button", name="Load more").evaluate("""async (button) => {
        button.scrollIntoView({ block: "center" });
        const before = button.getBoundingClientRect().top;
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return button.getBoundingClientRect().top - before;
    }""")
    assert moved == pytest.approx(0, abs=1)


def test_empty_pages_of_a_list_are_skipped(sheet: Timesheet) -> None:
    found = sheet.stored_timers()

    def respond(route: Route) -> None:
        address = route.request.url
        if "cursor=begin" in address:
            page = {"next": address.replace("begin", "end"), "previous": None, "results": found}
        elif "cursor=end" in address:
            page = {"next": None, "previous": None, "results": []}
        else:
            page = {"next": f"{address}&cursor=begin", "previous": None, "results": []}
        route.fulfill(json=page)

    sheet.page.route(re.compile(r"/api/timelogs/\?.*page_size=100(&cursor=\w+)?$"), respond)
    sheet.choose("All time")
    assert sheet.issues() == [f"{REPO}#8", f"{REPO}#7", "No issue", "octocat/spoon-knife#7"]
    expect(sheet.page.get_by_text("Latest 4")).to_be_visible()
    more = sheet.page.get_by_role("button", name="Load more")
    more.click()
    expect(more).to_be_hidden()
    expect(sheet.page.get_by_text("4 entries")).to_be_visible()
    expect(sheet.entries.last.get_by_role("button", name="Edit")).to_be_focused()
    sheet.page.get_by_role("button", name="Export CSV").click()
    expect(sheet.status).to_have_text("4 entries exported.")


def test_a_page_of_the_previous_filter_is_not_added_to_the_entries_of_the_next(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_as, ann)
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/?*cursor=*")
    with sheet.page.expect_request("**/api/timelogs/?*cursor=*"):
        sheet.page.get_by_role("button", name="Load more").click()
    sheet.choose("All time", Issue_number="3")
    assert sheet.issues() == [f"{REPO}#3"]
    with sheet.page.expect_response("**/api/timelogs/?*cursor=*"):
        blocked.release_first()
    sheet.page.wait_for_timeout(500)
    assert sheet.issues() == [f"{REPO}#3"]


def test_an_entry_that_moved_to_a_later_page_is_shown_once(open_as: OpenAs, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_as, ann)
    last = sheet.stored_timers("?page_size=100")[-1]
    page = {"next": None, "results": [last, last | {"id": f"{ann.id}-another", "github_issue_number": 999}]}
    sheet.page.route("**/api/timelogs/?*cursor=*", lambda route: route.fulfill(json=page))
    sheet.page.get_by_role("button", name="Load more").click()
    expect(sheet.status).to_have_text("1 more entry loaded.")
    assert sheet.issues().count(f"{REPO}#{last['github_issue_number']}") == 1
    assert sheet.issues()[-1] == f"{REPO}#999"
