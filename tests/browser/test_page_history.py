"""The history of one's timers on the page: finding, correcting, deleting and adding entries."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.timesheet import IN_BERLIN, Timesheet, open_timesheet
from tests.browser.widget import OFFLINE, Widget, noon_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Complaints, OpenPage, SignIn
    from tests.e2e.conftest import Site
    from tests.support.fake_github import FakeGitHub
    from tests.support.fake_github.model import Account


@pytest.fixture
def sheet(open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site) -> Timesheet:
    """Ann's page; she worked on three days."""
    put_timers(
        site,
        [
            finished_timer(ann, 1, "09:00", 90, 7, description="Say hello"),
            finished_timer(ann, 1, "14:00", 20, 8),
            finished_timer(ann, 2, "10:00", 45, None, description="Planning"),
            finished_timer(ann, 40, "10:00", 30, 7, repo="octocat/spoon-knife"),
        ],
    )
    return open_timesheet(open_page, sign_in, ann)


def stored(sheet: Timesheet, query: str = "") -> list[dict[str, Any]]:
    """Return the timers that the API has, newest first."""
    timers: list[dict[str, Any]] = sheet.page.evaluate(
        "(query) => fetch(`/api/timelogs/${query}`).then((it) => it.json())", query
    )["results"]
    return timers


def long_day(ago: int) -> str:
    date = days_ago(ago)
    return f"{date:%A} {date.day} {date:%B}"


# ------------------------------------------------------------------ finding


def test_entries_are_listed_by_day_newest_first(sheet: Timesheet) -> None:
    assert sheet.issues() == [f"{REPO}#8", f"{REPO}#7", "No issue"]
    expect(sheet.days).to_have_text(
        [re.compile(f"^{long_day(1)}.*1h.50m$"), re.compile(f"^{long_day(2)}.*45m$")]
    )
    first = sheet.entry("Say hello")
    expect(first).to_contain_text(re.compile("09:00.*10:30"))
    expect(first).to_contain_text("1h\u00a030m")
    expect(first.get_by_role("link")).to_have_attribute("href", f"https://github.com/{REPO}/issues/7")


def test_nobody_sees_the_time_of_somebody_else(
    sheet: Timesheet, open_page: OpenPage, sign_in: SignIn, github: FakeGitHub, site: Site
) -> None:
    bob = github.new_user(f"bob-{len(github.accounts)}")
    put_timers(site, [finished_timer(bob, 1, "09:00", 15, 99)])
    of_bob = open_timesheet(open_page, sign_in, bob)
    assert of_bob.issues() == [f"{REPO}#99"]
    expect(of_bob.total).to_have_text("15m")
    sheet.page.reload()
    expect(sheet.entries).to_have_count(3)
    expect(sheet.entry("#99")).to_have_count(0)


def test_a_filter_selects_entries_and_is_in_the_address(sheet: Timesheet) -> None:
    sheet.choose("All time")
    expect(sheet.entries).to_have_count(4)
    sheet.choose("All time", Repository="Octo-Org/Hello-World", Issue_number="7")
    assert sheet.issues() == [f"{REPO}#7"]
    expect(sheet.total).to_have_text("1h\u00a030m")
    assert sheet.page.url.endswith("/?repo=Octo-Org/Hello-World&issue=7&period=all")


def test_days_can_be_chosen(sheet: Timesheet) -> None:
    sheet.choose("Custom range", From=days_ago(45).isoformat(), To=days_ago(2).isoformat())
    assert sheet.issues() == ["No issue", "octocat/spoon-knife#7"]
    assert sheet.page.url.endswith(f"/?from={days_ago(45)}&to={days_ago(2)}")


def test_the_way_back_leads_through_the_filters(sheet: Timesheet) -> None:
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


def test_an_address_with_a_filter_can_be_passed_on(sheet: Timesheet) -> None:
    sheet.page.goto(f"/?from={days_ago(2)}&to={days_ago(2)}")
    sheet.expect_ready()
    assert sheet.issues() == ["No issue"]
    expect(sheet.filter.get_by_label("From", exact=True)).to_have_value(days_ago(2).isoformat())
    sheet.filter.get_by_role("button", name="Reset").click()
    expect(sheet.entries).to_have_count(3)
    assert sheet.page.url.endswith("/")


def test_who_signs_in_comes_back_to_the_filter(open_page: OpenPage, sign_in: SignIn, ann: Account) -> None:
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


def test_the_first_and_the_last_valid_day_can_be_chosen(sheet: Timesheet) -> None:
    sheet.page.goto("/?from=1970-01-02&to=9998-12-31")
    sheet.expect_ready()
    expect(sheet.entries).to_have_count(4)
    assert sheet.page.url.endswith("/?from=1970-01-02&to=9998-12-31")


def test_a_thousand_entries_can_be_gone_through(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(
        site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(1000)]
    )
    sheet = open_timesheet(open_page, sign_in, ann, "/?period=all")
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
    # Where it goes on, for who has pressed a button that is gone.
    expect(sheet.entries.nth(900).get_by_role("button").first).to_be_focused()


@pytest.mark.parametrize("entries_a_day", [1, 10])
def test_the_way_to_more_stays_under_the_pointer(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site, entries_a_day: int
) -> None:
    put_timers(
        site,
        [finished_timer(ann, 1 + i // entries_a_day, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(110)],
    )
    sheet = open_timesheet(open_page, sign_in, ann, "/?period=all")
    expect(sheet.entries).to_have_count(100)
    moved = sheet.page.get_by_role("button", name="Load more").evaluate("""async (button) => {
        button.scrollIntoView({ block: "center" });
        const before = button.getBoundingClientRect().top;
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return button.getBoundingClientRect().top - before;
    }""")
    assert moved == pytest.approx(0, abs=1)


def test_a_search_goes_on_where_a_page_has_nothing(sheet: Timesheet) -> None:
    found = stored(sheet)

    def answer(route: Route) -> None:
        address = route.request.url
        if "cursor=begin" in address:
            page = {"next": address.replace("begin", "end"), "previous": None, "results": found}
        elif "cursor=end" in address:
            page = {"next": None, "previous": None, "results": []}
        else:
            page = {"next": f"{address}&cursor=begin", "previous": None, "results": []}
        route.fulfill(json=page)

    sheet.page.route(re.compile(r"/api/timelogs/\?.*page_size=100(&cursor=\w+)?$"), answer)
    sheet.choose("All time")
    assert sheet.issues() == [f"{REPO}#8", f"{REPO}#7", "No issue", "octocat/spoon-knife#7"]
    expect(sheet.page.get_by_text("Latest 4")).to_be_visible()
    more = sheet.page.get_by_role("button", name="Load more")
    more.click()
    expect(more).to_be_hidden()
    expect(sheet.page.get_by_text("4 entries")).to_be_visible()
    expect(sheet.entries.last.get_by_role("button").first).to_be_focused()
    sheet.page.get_by_role("button", name="Export CSV").click()
    expect(sheet.status).to_have_text("4 entries exported.")


def test_what_is_loaded_late_is_not_mixed_into_what_another_filter_selects(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_page, sign_in, ann)
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/?*cursor=*")
    with sheet.page.expect_request("**/api/timelogs/?*cursor=*"):
        sheet.page.get_by_role("button", name="Load more").click()
    sheet.choose("All time", Issue_number="3")
    assert sheet.issues() == [f"{REPO}#3"]
    with sheet.page.expect_response("**/api/timelogs/?*cursor=*"):
        blocked.first().continue_()
    sheet.page.wait_for_timeout(500)
    assert sheet.issues() == [f"{REPO}#3"]


def test_an_entry_that_was_moved_back_is_shown_once(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_page, sign_in, ann)
    last = stored(sheet, "?page_size=100")[-1]
    page = {"next": None, "results": [last, last | {"id": f"{ann.id}-another", "github_issue_number": 999}]}
    sheet.page.route("**/api/timelogs/?*cursor=*", lambda route: route.fulfill(json=page))
    sheet.page.get_by_role("button", name="Load more").click()
    expect(sheet.status).to_have_text("1 more entry loaded.")
    assert sheet.issues().count(f"{REPO}#{last['github_issue_number']}") == 1
    assert sheet.issues()[-1] == f"{REPO}#999"


# ------------------------------------------------------------------ correcting


def test_an_entry_is_corrected(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit {REPO}#8").click()
    expect(sheet.dialog.get_by_label("Issue")).to_be_focused()
    sheet.fill(
        Issue="https://github.com/octocat/spoon-knife/issues/3",
        Description="Forks",
        Start=f"{days_ago(1)}T13:30",
        End=f"{days_ago(1)}T15:00",
    )
    sheet.save()
    expect(sheet.status).to_have_text("Saved.")
    entry = sheet.entry("octocat/spoon-knife#3")
    expect(entry).to_contain_text("Forks")
    expect(entry).to_contain_text("1h\u00a030m")
    expect(entry.get_by_role("button", name="Edit")).to_be_focused()
    expect(sheet.total).to_have_text("3h\u00a045m")
    sheet.page.reload()
    expect(entry).to_contain_text(re.compile("13:30.*15:00"))


def test_what_is_not_touched_stays_to_the_millisecond(sheet: Timesheet, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 3, "09:00:01.234", 10.0017, 9)])
    sheet.page.reload()
    before = stored(sheet)
    sheet.page.get_by_role("button", name=f"Edit {REPO}#9").click()
    sheet.fill(Description="Later")
    sheet.save()
    expect(sheet.entry("Later")).to_be_visible()
    after = stored(sheet)
    changed = [timer for timer in after if timer not in before]
    assert [timer["description"] for timer in changed] == ["Later"]
    assert {**changed[0], "description": ""} in before


def test_an_entry_is_taken_off_its_issue(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit {REPO}#8").click()
    sheet.fill(Issue="")
    sheet.save()
    expect(sheet.entry("No issue")).to_have_count(2)
    assert [timer["github_repo"] for timer in stored(sheet)].count(None) == 2


def test_mistakes_are_said_beside_their_fields_before_anything_is_sent(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit {REPO}#8").click()
    sheet.fill(Issue="seven", End=f"{days_ago(1)}T12:00")
    sheet.save()
    expect(sheet.mistake("Issue")).to_have_text(re.compile("That is no issue on GitHub"))
    expect(sheet.mistake("End")).to_have_text("The end is before the start.")
    expect(sheet.dialog.get_by_label("Issue")).to_be_focused()
    sheet.fill(Issue="", Start="")
    sheet.save()
    expect(sheet.mistake("Issue")).to_be_hidden()
    expect(sheet.dialog.get_by_label("Start")).to_be_focused()
    sheet.page.keyboard.press("Escape")
    expect(sheet.dialog).to_be_hidden()
    assert f"{REPO}#8" in sheet.issues()


def test_what_only_the_server_finds_wrong_is_said_beside_its_field(
    sheet: Timesheet, complaints: Complaints
) -> None:
    complaints.provoke(r"status of 400 .*/api/timelogs/")
    # Its start was corrected elsewhere, meanwhile.
    (timer,) = stored(sheet, "?github_issue_number=8")
    sheet.page.evaluate(
        """([id, start_time]) => fetch(`/api/timelogs/${id}/`, {
            method: "PATCH",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ start_time }),
        })""",
        [timer["id"], datetime.combine(days_ago(1), time(14, 15), ZONE).isoformat()],
    )
    sheet.page.get_by_role("button", name=f"Edit {REPO}#8").click()
    sheet.fill(End=f"{days_ago(1)}T14:10")
    sheet.save()
    expect(sheet.mistake("End")).to_have_text("Must not be before start_time.")
    # Whatever language the page is in.
    expect(sheet.mistake("End")).to_have_attribute("lang", "en")
    expect(sheet.dialog.get_by_label("End", exact=True)).to_be_focused()


def test_an_entry_over_the_change_of_the_clocks_is_corrected(
    sheet: Timesheet, ann: Account, site: Site
) -> None:
    # In Berlin from 02:50 to 02:10, an hour after which it was 03:10.
    ago = (days_ago(0) - date(2026, 10, 25)).days
    put_timers(site, [finished_timer(ann, ago, "02:50", 20, 12)])
    sheet.page.goto("/?from=2026-10-25&to=2026-10-25")
    sheet.page.get_by_role("button", name="Edit").click()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_have_value(re.compile("T02:50"))
    expect(sheet.dialog.get_by_label("End", exact=True)).to_have_value(re.compile("T02:10"))
    sheet.fill(Description="At night")
    sheet.save()
    entry = sheet.entry("At night")
    expect(entry).to_contain_text("20m")
    # Only what was changed is new: the end is the second 02:10 of that day.
    entry.get_by_role("button", name="Edit").click()
    sheet.fill(Start="2026-10-25T02:40")
    sheet.save()
    expect(entry).to_contain_text("30m")
    (timer,) = stored(sheet, "?github_issue_number=12")
    assert timer["end_time"] == "2026-10-25T01:10:00.000Z"


def test_an_edited_entry_disappears_if_the_filter_no_longer_selects_it(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30) for i in range(110)])
    sheet = open_timesheet(open_page, sign_in, ann, f"/?repo={REPO.upper()}")
    sheet.page.get_by_role("button", name="Load more").click()
    expect(sheet.entries).to_have_count(110)
    sheet.entries.last.get_by_role("button", name="Edit").click()
    sheet.fill(Issue="octocat/spoon-knife#7")
    sheet.save()
    expect(sheet.status).to_have_text("Saved.")
    expect(sheet.entries).to_have_count(109)
    expect(sheet.entries.last.get_by_role("button", name="Edit")).to_be_focused()
    sheet.expect_ready()
    expect(sheet.entries).to_have_count(109)


@pytest.mark.parametrize(
    "ahead", [timedelta(days=-1), timedelta(days=1), timedelta(days=400), timedelta(minutes=3)]
)
def test_the_present_is_the_servers(
    open_page: OpenPage,
    sign_in: SignIn,
    ann: Account,
    ann_elsewhere: Callable[..., Any],
    ahead: timedelta,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    page = open_page(**IN_BERLIN | {"timezone_id": noon_zone()})
    ann_elsewhere(
        "", {"start_time": (now - timedelta(minutes=50)).isoformat(), "duration": 600, "description": "Now"}
    )
    page.clock.install(time=now + ahead)
    sheet = Timesheet(sign_in(page, ann))
    entry = sheet.entry("Now")
    expect(entry).to_contain_text("10m")
    expect(sheet.total).to_have_text("10m")
    expect(sheet.page.locator("#total-of")).to_contain_text(f"{now.day} {now:%b}")
    expect(sheet.days).to_have_text(re.compile(f"^{now:%A} {now.day} {now:%B}10m$"))
    entry.get_by_role("button", name="Edit").click()
    later = (now - timedelta(minutes=10)).astimezone(timezone(timedelta(hours=12 - now.hour)))
    sheet.fill(End=f"{later:%Y-%m-%dT%H:%M:%S}")
    sheet.save()
    expect(entry).to_contain_text("40m")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Description="Added")
    sheet.save()
    expect(sheet.entry("Added")).to_contain_text("1h")


@pytest.fixture
def running(
    open_page: OpenPage, sign_in: SignIn, ann: Account, ann_elsewhere: Callable[..., Any]
) -> Timesheet:
    """Ann's page with a running timer, at noon, and with a clock that tests can set."""
    ann_elsewhere("start/", {"github_repo": REPO, "github_issue_number": 7})
    page = open_page(**IN_BERLIN | {"timezone_id": noon_zone()})
    page.clock.install()
    sheet = Timesheet(sign_in(page, ann))
    expect(sheet.entry("running")).to_be_visible()
    Widget(page).expect_state("Running")
    sheet.expect_ready()
    return sheet


def test_what_runs_is_counted_on(running: Timesheet, complaints: Complaints) -> None:
    complaints.provoke(OFFLINE)
    running.page.route("**/api/**", lambda route: route.abort())
    running.page.clock.fast_forward("03:00:00")
    expect(Widget(running.page).clock()).to_contain_text("03:00:")
    for shown in (running.entry("running"), running.days, running.total):
        expect(shown).to_contain_text("3h")
    Widget(running.page).button("Pause").click()
    running.page.clock.fast_forward("01:00:00")
    running.page.wait_for_timeout(300)
    expect(running.total).to_have_text("3h")


def test_what_runs_is_counted_on_only_where_it_belongs(running: Timesheet) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    running.choose("Custom range", From=yesterday, To=yesterday)
    expect(running.entries).to_have_count(0)
    running.page.clock.fast_forward("00:02:00")
    running.page.wait_for_timeout(300)
    expect(running.total).to_have_text("0m")


def test_what_has_become_old_is_asked_for_again_while_somebody_sees_it(running: Timesheet) -> None:
    totals = "**/api/timelogs/totals/?*until=*"
    with running.page.expect_request(totals):
        running.page.clock.fast_forward("03:05")
    running.expect_ready()
    widget = Widget(running.page)
    widget.hide()
    asked: list[str] = []
    running.page.on("request", lambda request: asked.append(request.url))
    running.page.clock.fast_forward("10:00")
    running.page.wait_for_timeout(300)
    assert asked == []
    with running.page.expect_request(totals):
        widget.hide(hidden=False)


def test_what_could_not_be_had_at_first_is_asked_for_again(
    ann_page: Page, ann_elsewhere: Callable[..., Any], complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    ann_elsewhere("", {"start_time": datetime.now(UTC).isoformat(), "duration": 0, "description": "Now"})
    history = "**/api/timelogs/?*start_time__gte=*"
    ann_page.route(history, lambda route: route.abort())
    ann_page.clock.install()
    ann_page.reload()
    sheet = Timesheet(ann_page)
    expect(sheet.status).to_have_text("No connection to the server.")
    ann_page.unroute(history)
    ann_page.clock.fast_forward("00:31")
    expect(sheet.entry("Now")).to_be_visible()
    expect(sheet.status).to_be_empty()


def test_the_times_are_those_of_where_one_has_travelled(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1, "09:00", 90)])
    sheet = Timesheet(sign_in(open_page(locale="en-GB"), ann))
    page = sheet.page
    devtools = page.context.new_cdp_session(page)
    for zone, times in (("Europe/Berlin", "09:00.*10:30"), ("Etc/GMT-5", "1[23]:00.*1[34]:30")):
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": zone})
        with page.expect_request(f"**/api/timelogs/totals/?*until=*time_zone={zone.replace('/', '%2F')}"):
            Widget(page).ask()
        expect(sheet.entries).to_contain_text(re.compile(times))
        devtools.send("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_what_is_shown_goes_along_with_the_days(
    open_page: OpenPage, sign_in: SignIn, ann: Account, complaints: Complaints
) -> None:
    complaints.provoke(OFFLINE)
    page = open_page(timezone_id="UTC")
    page.clock.install()
    days = []
    history = re.compile(r"/api/timelogs/\?start_time__gte=(....-..-..)T00")
    page.on("request", lambda request: days.extend(history.findall(request.url)))
    Timesheet(sign_in(page, ann)).expect_ready()
    # A day has passed of which the server has not said anything.
    page.route("**/api/**", lambda route: route.abort())
    with page.expect_request(history):
        page.clock.fast_forward("24:00:00")
    assert days == [(datetime.now(UTC) - timedelta(days=ago)).date().isoformat() for ago in (29, 28)]


def test_an_entry_is_deleted_only_when_that_is_confirmed(sheet: Timesheet) -> None:
    delete = sheet.page.get_by_role("button", name=f"Delete {REPO}#8")
    delete.click()
    expect(sheet.dialog).to_contain_text(f"20m on {REPO}#8")
    sheet.dialog.get_by_role("button", name="Cancel").click()
    expect(sheet.dialog).to_be_hidden()
    expect(delete).to_be_focused()
    delete.click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(sheet.status).to_have_text(f"20m on {REPO}#8 deleted.")
    assert sheet.issues() == [f"{REPO}#7", "No issue"]
    expect(sheet.entries.first.get_by_role("button", name="Edit")).to_be_focused()
    expect(sheet.total).to_have_text("2h\u00a015m")
    assert f"{REPO}#8" not in json.dumps(stored(sheet))


def test_an_entry_that_was_deleted_elsewhere_is_deleted(sheet: Timesheet, complaints: Complaints) -> None:
    complaints.provoke(r"status of 404 .*/api/timelogs/[^?/]+/$")
    (timer,) = stored(sheet, "?github_issue_number=8")
    sheet.page.evaluate("id => fetch(`/api/timelogs/${id}/`, { method: 'DELETE' })", timer["id"])
    sheet.page.get_by_role("button", name=f"Delete {REPO}#8").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(sheet.status).to_have_text(f"20m on {REPO}#8 deleted.")
    assert sheet.issues() == [f"{REPO}#7", "No issue"]
    expect(sheet.total).to_have_text("2h\u00a015m")


def test_a_day_without_entries_goes_with_its_last_one(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name="Delete No issue").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(sheet.days).to_have_count(1)


def test_what_is_shown_by_now_stays_when_an_entry_is_deleted_that_is_not(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, re.compile(r"/api/timelogs/[^?/]+/$"), "DELETE")
    sheet.page.get_by_role("button", name=f"Delete {REPO}#8").click()
    with sheet.page.expect_request(re.compile(r"/api/timelogs/[^?/]+/$")):
        sheet.dialog.get_by_role("button", name="Delete").click()
    sheet.choose("All time", Issue_number="7")
    # What is asked for afterwards would put it right.
    BlockedRequests(sheet.page, "**/api/timelogs/?*")
    blocked.first().continue_()
    expect(sheet.status).to_have_text(f"20m on {REPO}#8 deleted.")
    assert sheet.issues() == [f"{REPO}#7", "octocat/spoon-knife#7"]


def test_what_was_worked_today_follows_what_is_added_and_deleted(
    open_page: OpenPage, sign_in: SignIn, ann: Account
) -> None:
    sheet = open_timesheet(open_page, sign_in, ann, timezone_id=noon_zone())
    today = Widget(sheet.page).element.get_by_role("timer", name="Today")
    expect(today).to_have_text("00:00:00")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.save()
    expect(today).to_have_text("01:00:00")
    sheet.page.get_by_role("button", name="Delete No issue").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(today).to_have_text("00:00:00")


def test_the_widget_and_the_history_agree(sheet: Timesheet) -> None:
    widget = Widget(sheet.page)
    widget.start("octocat/spoon-knife#4")
    entry = sheet.entry("octocat/spoon-knife#4")
    expect(entry).to_contain_text("running")
    widget.button("Pause").click()
    expect(entry).to_contain_text("paused")
    entry.get_by_role("button", name="Edit").click()
    expect(sheet.dialog.get_by_label("Start")).to_be_hidden()
    sheet.fill(Description="Cutlery")
    sheet.save()
    expect(sheet.entry("Cutlery")).to_contain_text("paused")
    entry.get_by_role("button", name="Delete").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)
    expect(widget.timers).to_have_count(0)


def test_what_starts_elsewhere_appears_and_leaves_one_where_one_is(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, i + 1) for i in range(150)])
    sheet = open_timesheet(open_page, sign_in, ann)
    sheet.page.get_by_role("button", name="Load more").click()
    expect(sheet.entries).to_have_count(150)
    last = sheet.entries.last.get_by_role("button", name="Delete")
    last.focus()
    sheet.page.evaluate("""async () => {
        await fetch("/api/timelogs/start/", { method: "POST" });
        await document.querySelector("issue-timer").manager.refresh();
    }""")
    expect(sheet.entry("running")).to_be_visible()
    expect(sheet.entries).to_have_count(151)
    expect(last).to_be_focused()


# ------------------------------------------------------------------ adding


def test_time_is_added_by_its_end(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(
        Issue="octocat/spoon-knife#5",
        Description="Review",
        Start=f"{days_ago(1)}T11:00",
        End=f"{days_ago(1)}T12:15",
    )
    sheet.save()
    expect(sheet.status).to_have_text("1h\u00a015m added.")
    expect(sheet.entry("octocat/spoon-knife#5")).to_contain_text("Review")
    assert sheet.issues() == [f"{REPO}#8", "octocat/spoon-knife#5", f"{REPO}#7", "No issue"]
    expect(sheet.total).to_have_text("3h\u00a050m")


def test_an_hour_is_proposed_also_when_the_clocks_are_put_back(sheet: Timesheet) -> None:
    # The second half past two of that night in Berlin.
    sheet.page.evaluate("""async () => {
        const { addEntry } = await import("/page/entry-dialog.js");
        addEntry(() => new Date("2026-10-25T01:30Z"));
    }""")
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_have_value("2026-10-25T01:30")
    expect(sheet.dialog.get_by_label("End", exact=True)).to_have_value("2026-10-25T02:30")


def test_time_is_added_by_its_duration_and_without_a_mouse(sheet: Timesheet) -> None:
    keyboard = sheet.page.keyboard
    sheet.page.get_by_role("button", name="Add time").focus()
    keyboard.press("Enter")
    keyboard.type("octocat/spoon-knife#6")
    sheet.dialog.get_by_label("Start", exact=True).fill(f"{days_ago(2)}T16:00")
    sheet.dialog.get_by_role("radio", name="End time").focus()
    keyboard.press("ArrowRight")
    expect(sheet.dialog.get_by_label("End", exact=True)).to_be_hidden()
    keyboard.press("Tab")
    keyboard.type("2")
    keyboard.press("Tab")
    keyboard.type("5")
    keyboard.press("Enter")
    expect(sheet.entry("octocat/spoon-knife#6")).to_contain_text("2h\u00a05m")
    expect(sheet.page.get_by_role("button", name="Add time")).to_be_focused()


def test_time_is_not_added_twice_when_its_answer_gets_lost(sheet: Timesheet) -> None:
    sheet.page.evaluate("""() => {
        const real = fetch;
        window.fetch = async (address, options) => {
            const answer = await real(address, options);
            if (options.method !== "POST") return answer;
            window.fetch = real;
            throw new TypeError("The connection broke before the answer was there.");
        };
    }""")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="octocat/spoon-knife#5", Start=f"{days_ago(1)}T11:00", End=f"{days_ago(1)}T12:15")
    sheet.save()
    expect(sheet.dialog.get_by_role("alert")).to_have_text("No connection to the server.")
    sheet.save()
    expect(sheet.entry("octocat/spoon-knife#5")).to_have_count(1)
    assert [timer["github_repo"] for timer in stored(sheet)].count("octocat/spoon-knife") == 2


def test_a_form_stays_open_until_it_is_saved(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/")
    sheet.page.get_by_role("button", name="Add time").click()
    with sheet.page.expect_request("**/api/timelogs/"):
        sheet.save()
    sheet.page.keyboard.press("Escape")
    sheet.dialog.get_by_role("button", name="Cancel").click()
    expect(sheet.dialog).to_be_visible()
    blocked.first().continue_()
    expect(sheet.dialog).to_be_hidden()
    expect(sheet.status).to_have_text("1h added.")


def test_a_form_that_was_closed_while_it_was_saved_does_not_close_the_next_one(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/")
    sheet.page.get_by_role("button", name="Add time").click()
    with sheet.page.expect_request("**/api/timelogs/"):
        sheet.save()
    # As a browser does when somebody presses Escape twice.
    sheet.page.evaluate("document.querySelector('dialog').close()")
    sheet.page.get_by_role("button", name=f"Edit {REPO}#8").click()
    sheet.fill(Description="Still there")
    blocked.first().continue_()
    expect(sheet.entries).to_have_count(4)
    expect(sheet.dialog.get_by_label("Description")).to_have_value("Still there")
    sheet.save()
    expect(sheet.entry("Still there")).to_be_visible()


def test_what_is_entered_survives_a_session_that_is_over(sheet: Timesheet, complaints: Complaints) -> None:
    complaints.provoke("status of 401 ")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="octocat/spoon-knife#5", Start=f"{days_ago(1)}T11:00", End=f"{days_ago(1)}T12:15")
    cookies = sheet.page.context.cookies()
    sheet.page.context.clear_cookies()
    sheet.save()
    expect(sheet.dialog.get_by_role("alert")).to_have_text(re.compile("Sign in again in another tab"))
    sheet.page.context.add_cookies(cookies)
    sheet.save()
    expect(sheet.entry("octocat/spoon-knife#5")).to_be_visible()
