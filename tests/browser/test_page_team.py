"""The Team page: reports over the time of the people whose time one can see."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.seed import days_ago, finished_timer, put_timers
from tests.support.axe import violations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page, Route

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs, OpenPage
    from tests.e2e.conftest import Site


@pytest.fixture
def worked(ann: Account, site: Site) -> Account:
    """A person with entries on three days, on two issues and on none."""
    put_timers(
        site,
        [
            finished_timer(ann, 1, "09:00", 90, 7),
            finished_timer(ann, 2, "09:00", 60, 7),
            finished_timer(ann, 2, "11:00", 30, 8, repo="octo-org/other"),
            finished_timer(ann, 3, "10:00", 15.5, None, description="Planning"),
        ],
    )
    return ann


def wait_for_report(page: Page) -> None:
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")


def rows(page: Page) -> list[list[str]]:
    """Return the texts of the cells of the table, without the totals."""
    wait_for_report(page)
    found = page.locator("#report-rows tr").all()
    return [
        [text.replace("\u00a0", " ") for text in row.locator("th, td").all_inner_texts()] for row in found
    ]


def test_a_report_of_oneself_has_the_time_of_each_issue(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html")
    name = worked.name or worked.login
    assert rows(page) == [
        [name, "octo-org/hello-world#7", "2h 30m", "2"],
        [name, "octo-org/other#8", "30m", "1"],
        [name, "No issue", "15m", "1"],
    ]
    expect(page.locator("#report-sum")).to_have_text("3h\u00a015m")
    expect(page.locator("#report-people")).to_contain_text(name)
    expect(page.locator("#report-total")).to_contain_text("3h\u00a015m")
    assert violations(page) == []


def test_the_address_has_the_report_so_that_it_can_be_passed_on(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html")
    assert len(rows(page)) == 3
    page.get_by_label("Group by").select_option("Repository")
    page.get_by_label("Then by").select_option("–")
    expect(page).to_have_url(re.compile(r"/team\.html\?group_by=repository$"))
    by_repository = [
        ["octo-org/hello-world", "2h 30m", "2"],
        ["octo-org/other", "30m", "1"],
        ["none", "15m", "1"],
    ]
    assert rows(page) == by_repository
    page.reload()
    assert rows(page) == by_repository
    page.go_back()
    expect(page.get_by_label("Then by")).to_have_value("issue")
    expect(page.locator("#report-rows tr")).to_have_count(3)
    expect(page.locator("#report-rows").get_by_text("octo-org/other#8")).to_be_visible()


def test_filters_select_time_and_can_be_removed(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html?group_by=issue")
    assert len(rows(page)) == 3
    page.get_by_label("Only").select_option("Repository")
    page.get_by_label("With the value").fill("octo-org/OTHER")
    page.get_by_role("button", name="Add filter").click()
    expect(page).to_have_url(re.compile(r"\?group_by=issue&repository=octo-org/OTHER$"))
    expect(page.locator("#report-rows tr")).to_have_count(1)
    page.get_by_role("button", name=re.compile("Remove the filter .*OTHER")).click()
    expect(page.locator("#report-rows tr")).to_have_count(3)
    expect(page.get_by_label("With the value")).to_be_focused()


def test_a_person_leads_to_their_days_and_issues(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html?group_by=person")
    page.locator("#report-rows").get_by_role("link").click()
    expect(page.locator("#report-rows tr")).to_have_count(4)
    expect(page.locator("#filters")).to_contain_text(worked.login)
    # The days are bars too.
    expect(page.get_by_role("img")).to_have_accessible_name(re.compile("1h"))
    assert violations(page) == []


def test_a_filter_selects_people(open_as: OpenAs, site: Site, admin: Account) -> None:
    put_timers(site, [finished_timer(admin, 1, "09:00", 45, 7)])
    page = open_as(admin, f"/team.html?group_by=person&person={admin.login}")
    assert [row[1:] for row in rows(page)] == [["45m", "1"]]


def test_files_are_downloaded(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html?group_by=day", locale="de-DE")
    expect(page.locator("#report-rows tr")).to_have_count(3)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    text = started.value.path().read_bytes().decode("utf-8-sig")
    assert started.value.suggested_filename.endswith(".csv")
    assert text.splitlines()[1].startswith(f"{days_ago(3)};0,2583;930")
    with page.expect_download() as started:
        page.get_by_role("link", name="Excel").click()
    assert started.value.path().read_bytes().startswith(b"PK")


def refuse_reports(page: Page) -> None:
    """Refuse reports as the API refuses one of too many people, of whom a stack of tests has too few."""
    problem = {"title": "Request Entity Too Large", "status": 413, "code": "report_too_large"}

    def refuse(route: Route) -> None:
        route.fulfill(status=413, body=json.dumps(problem), content_type="application/problem+json")

    page.route("**/api/reports/?*", refuse)


@pytest.mark.parametrize(("locale", "width", "scheme"), [("en-GB", 1280, "light"), ("de-DE", 320, "dark")])
def test_a_report_that_is_too_large_for_the_page_is_made_as_a_file(
    open_as: OpenAs, worked: Account, browser_errors: BrowserErrors, locale: str, width: int, scheme: str
) -> None:
    browser_errors.allow(r"status of 413 .*/api/reports/")
    page = open_as(
        worked,
        "/embed.html",
        locale=locale,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    refuse_reports(page)
    page.goto("/team.html?group_by=issue")
    card = page.locator("#export")
    expect(card.get_by_role("button", name="CSV")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()
    # The file is not ready until the page has asked twice.
    states = iter(({"state": "running", "people": 40, "people_done": 12}, None))

    def state(route: Route) -> None:
        shown = next(states, None)
        if shown is None:
            return route.continue_()
        return route.fulfill(json=route.fetch().json() | shown | {"file": None})

    page.route("**/api/reports/export/", state)
    card.get_by_role("button", name="CSV").click()
    expect(card.get_by_role("progressbar")).to_have_js_property("value", 12)
    expect(card.get_by_role("status")).to_contain_text("12")
    assert violations(page) == []
    link = card.get_by_role("link")
    expect(link).to_be_visible(timeout=60_000)
    expect(card.get_by_role("progressbar")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert violations(page) == []
    # The link is there when the person comes back.
    page.reload()
    with page.expect_download() as download:
        link.click()
    text = download.value.path().read_text("utf-8-sig")
    issues = [re.split("[,;]", line)[0] for line in text.splitlines()[1:]]
    assert issues == ["octo-org/hello-world#7", "octo-org/other#8", ""]


def test_the_export_of_another_person_is_not_looked_for_twice(
    open_as: OpenAs, worked: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 404 .*/api/reports/export/")
    page = open_as(worked, "/embed.html")
    page.evaluate("localStorage['issue-timer:report-export'] = 'true'")
    with page.expect_response("**/api/reports/export/"):
        page.goto("/team.html")
    wait_for_report(page)
    expect(page.locator("#export")).to_be_hidden()
    assert page.evaluate("localStorage['issue-timer:report-export'] ?? null") is None


def test_a_period_without_time_says_so(open_as: OpenAs, worked: Account) -> None:
    page = open_as(worked, "/team.html?from=2020-01-01&to=2020-01-31")
    expect(page.locator("#no-time")).to_be_visible()
    expect(page.locator("#report-table")).to_be_hidden()
    assert violations(page) == []


def test_an_error_of_the_server_is_shown_in_the_persons_language(
    open_as: OpenAs, worked: Account, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/reports/")
    page = open_as(worked, "/team.html?person=somebody-else", locale="de-DE")
    expect(page.locator("#status")).to_contain_text("Die Zeit dieser Person kannst du nicht sehen.")
    expect(page.locator("#report")).to_be_hidden()


def test_without_a_session_the_page_asks_to_sign_in(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/team.html?group_by=label")
    link = page.get_by_role("link", name="Sign in with GitHub")
    expect(link).to_have_attribute("href", re.compile("next=%2Fteam.html%3Fgroup_by%3Dlabel"))
    assert violations(page) == []


def figures(seconds: int, **others: Any) -> dict[str, Any]:
    return {
        "working_duration": seconds,
        "active_duration": seconds,
        "confirmed_duration": 0,
        "entries": 1,
        "estimate": None,
        "left": None,
    } | others


def answer_with(page: Page, group_by: Sequence[str], found: Sequence[dict[str, Any]], **others: Any) -> None:
    """Answer requests for reports, so that the page shows what the stack of the tests does not know."""
    people = [{"id": 1, "login": "octocat", "name": "Mona"}, {"id": 2, "login": "hubot", "name": ""}]
    body = {
        "from": "2026-11-01",
        "to": "2026-11-30",
        "time_zone": "Europe/Berlin",
        "group_by": list(group_by),
        "rows": list(found),
        "totals": figures(3600, estimate=36_000, left=-3600, confirmed_duration=60),
        "overlapping": False,
        "complete": True,
        "people": people,
        "note": "",
        **others,
    }

    def answer(route: Route) -> None:
        route.fulfill(body=json.dumps(body), content_type="application/json")

    page.route("**/api/reports/**", answer)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_estimates_sub_issues_and_labels_are_shown(open_as: OpenAs, ann: Account, scheme: str) -> None:
    page = open_as(ann, "/embed.html", color_scheme=scheme)
    issue = {
        "github_repo": "octo-org/hello-world",
        "github_issue_number": 7,
        "github_issue_url": "https://github.com/octo-org/hello-world/issues/7",
        "github_issue_title": "<b>Bold</b>",
    }
    row = {
        "label": "bug",
        "issue": issue,
        **figures(3600, estimate=1800, left=-1800, working_duration_with_sub_issues=7200),
    }
    answer_with(page, ["label", "issue"], [row, {**row, "label": None}], overlapping=True)
    page.goto("/team.html?group_by=label,issue")
    wait_for_report(page)
    heading = page.locator("#report-head th").all_inner_texts()
    assert heading == [
        "Label", "Issue", "Working time", "With sub-issues", "Estimate", "Left", "Confirmed", "Entries",
    ]  # fmt: skip
    assert rows(page)[1][2:] == ["1h", "2h", "30m", "\u221230m", "0m", "1"]
    expect(page.locator("#report-rows").get_by_text("<b>Bold</b>").first).to_be_visible()
    expect(page.locator("#overlapping")).to_be_visible()
    expect(page.locator("#report-people")).to_have_text("Time of 2 people")
    assert violations(page) == []


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_narrow_screen_shows_everything(open_as: OpenAs, worked: Account, locale: str) -> None:
    page = open_as(
        worked,
        "/team.html?group_by=day,person,issue&label=&repository=octo-org/a-repository-with-a-long-name",
        viewport={"width": 360, "height": 800},
        locale=locale,
    )
    wait_for_report(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name=re.compile("a-repository-with")).click()
    expect(page.locator("#report-rows tr")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_narrow_screen_shows_the_figures_without_scrolling(
    open_as: OpenAs, ann: Account, locale: str
) -> None:
    page = open_as(ann, "/embed.html", viewport={"width": 360, "height": 800}, locale=locale)
    issue = {
        "github_repo": "octo-org/a-repository-with-a-long-name",
        "github_issue_number": 1234,
        "github_issue_url": "https://github.com/octo-org/a-repository-with-a-long-name/issues/1234",
        "github_issue_title": "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz",
    }
    person = {"id": 1, "login": "octocat", "name": "Mona Lisa Octocat"}
    found = [
        {"issue": issue, **figures(123_400, working_duration_with_sub_issues=223_400)},
        {"issue": issue, "person": person, **figures(123_400)},
    ]
    for group_by, row in zip((["issue"], ["person", "issue"]), found, strict=True):
        page.unroute_all()
        answer_with(page, group_by, [row], totals=figures(123_400))
        page.goto(f"/team.html?group_by={','.join(group_by)}")
        wait_for_report(page)
        table = page.locator("#report-table")
        assert table.evaluate("element => element.scrollWidth <= element.clientWidth"), group_by


@pytest.mark.parametrize("locale", ["en-GB", "de-DE", "ar"])
def test_the_labels_of_the_chart_lie_in_the_chart(open_as: OpenAs, worked: Account, locale: str) -> None:
    page = open_as(worked, "/team.html?group_by=day", viewport={"width": 360, "height": 800}, locale=locale)
    wait_for_report(page)
    chart = page.locator(".chart")
    expect(chart).to_be_visible()
    outside = chart.evaluate("""chart => {
        const { left, right } = chart.getBoundingClientRect();
        return [...chart.querySelectorAll(".axis text")].filter((label) => {
            const box = label.getBoundingClientRect();
            return box.left < left - 1 || box.right > right + 1;
        }).map((label) => label.textContent);
    }""")
    assert outside == []
    labels = chart.locator(".axis text").all()
    widest = max(label.bounding_box()["width"] for label in labels)  # type: ignore[index]
    axis = chart.locator(".axis").bounding_box()
    assert axis
    assert axis["width"] <= widest + 12


def test_many_rows_are_shown_on_request(open_as: OpenAs, ann: Account) -> None:
    page = open_as(ann, "/embed.html")
    answer_with(page, ["label"], [{"label": f"label {number}", **figures(60)} for number in range(201)])
    page.goto("/team.html?group_by=label")
    expect(page.locator("#report-rows tr")).to_have_count(200)
    page.get_by_role("button", name="Show all 201 rows").click()
    expect(page.locator("#report-rows tr")).to_have_count(201)
