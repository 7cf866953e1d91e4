"""Editing, deleting and adding entries on the Time page."""

from __future__ import annotations

import json
import os
import re
from datetime import date, datetime, time
from itertools import permutations
from typing import TYPE_CHECKING, cast

import pytest
from playwright.sync_api import expect

from tests.browser.blocked_requests import BlockedRequests
from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.timesheet import Timesheet, open_timesheet
from tests.browser.widget import wait_for_ticket

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam
    from playwright.sync_api import Page

    from fake_github.model import Account
    from tests.browser.conftest import BrowserErrors, OpenAs
    from tests.e2e.conftest import Site


# ------------------------------------------------------------------ editing


def test_an_entry_is_edited(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
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


@pytest.mark.parametrize(
    ("locale", "labels", "expected"),
    [
        ("en-GB", ("Edit.*#8", "Changes", "Reason (optional)", "Description"), ("You: corrected", "none → ")),
        (
            "de",
            ("#8.*bearbeiten", "Änderungen", "Grund (freiwillig)", "Beschreibung"),
            ("Du: korrigiert", "keine Angabe → "),
        ),
    ],
)
def test_an_entry_shows_its_changes(
    sheet: Timesheet,
    ann: Account,
    open_as: OpenAs,
    locale: str,
    labels: tuple[str, str, str, str],
    expected: tuple[str, str],
) -> None:
    edit, changes, reason, description = labels
    page = sheet.page if locale == "en-GB" else open_timesheet(open_as, ann, locale=locale).page
    button = page.get_by_role("button", name=re.compile(edit))
    dialog = page.get_by_role("dialog")
    button.click()
    dialog.get_by_text(changes, exact=True).click()
    entries = dialog.locator("#entry-changes-list > li")
    expect(entries).to_have_count(1)
    dialog.get_by_label(description).fill("Forks")
    dialog.get_by_label(reason).fill("Wrong text")
    dialog.locator("form > .buttons .primary").click()
    expect(dialog).to_be_hidden()
    button.click()
    expect(dialog.get_by_label(reason)).to_have_value("")
    dialog.get_by_text(changes, exact=True).click()
    for text in (*expected, "Wrong text", "Forks"):
        expect(entries.first).to_contain_text(text)
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/changes-{locale}.png")


def test_unchanged_fields_keep_their_milliseconds(sheet: Timesheet, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 3, "09:00:01.234", 10.0017, 9)])
    sheet.page.reload()
    before = sheet.stored_timers()
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#9").click()
    sheet.fill(Description="Later")
    sheet.save()
    expect(sheet.entry("Later")).to_be_visible()
    after = sheet.stored_timers()
    changed = [timer for timer in after if timer not in before]
    assert [timer["description"] for timer in changed] == ["Later"]
    assert {**changed[0], "description": ""} in before


def test_an_entry_is_removed_from_its_issue(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
    sheet.fill(Issue="")
    sheet.save()
    expect(sheet.entry("No issue")).to_have_count(2)
    assert [timer["github_repo"] for timer in sheet.stored_timers()].count(None) == 2


def test_errors_are_shown_beside_their_fields_before_a_request_is_sent(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
    sheet.fill(Issue="seven", End=f"{days_ago(1)}T12:00")
    sheet.save()
    expect(sheet.error("Issue")).to_have_text(re.compile("This is not an issue on GitHub"))
    expect(sheet.error("End")).to_have_text("The end is before the start.")
    expect(sheet.dialog.get_by_label("Issue")).to_be_focused()
    sheet.fill(Issue="", Start="")
    sheet.save()
    expect(sheet.error("Issue")).to_be_hidden()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_be_focused()
    sheet.page.keyboard.press("Escape")
    expect(sheet.dialog).to_be_hidden()
    assert f"{REPO}#8" in sheet.issues()


def test_errors_from_the_server_are_shown_beside_their_fields(
    sheet: Timesheet, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 400 .*/api/timelogs/")
    # Another page edits the start of the same timer.
    (timer,) = sheet.stored_timers("?github_issue_number=8")
    sheet.page.evaluate(
        """([id, start_time]) => fetch(`/api/timelogs/${id}/`, {
            method: "PATCH",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ start_time }),
        })""",
        [timer["id"], datetime.combine(days_ago(1), time(14, 15), ZONE).isoformat()],
    )
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
    sheet.fill(End=f"{days_ago(1)}T14:10")
    sheet.save()
    expect(sheet.error("End")).to_have_text("Must not be before start_time.")
    # The server's messages are always in English.
    expect(sheet.error("End")).to_have_attribute("lang", "en")
    expect(sheet.dialog.get_by_label("End", exact=True)).to_be_focused()


def test_an_entry_during_a_clock_change_is_edited(sheet: Timesheet, ann: Account, site: Site) -> None:
    # The entry is from 02:50 to 02:10 in Berlin, because clocks were put back from 03:00 to 02:00 in between.
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
    # The unchanged end is the second 02:10 of that day.
    entry.get_by_role("button", name="Edit").click()
    sheet.fill(Start="2026-10-25T02:40")
    sheet.save()
    expect(entry).to_contain_text("30m")
    (timer,) = sheet.stored_timers("?github_issue_number=12")
    assert timer["end_time"] == "2026-10-25T01:10:00.000Z"


def test_an_edited_entry_disappears_if_the_filter_no_longer_selects_it(
    open_as: OpenAs, ann: Account, site: Site
) -> None:
    put_timers(site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30) for i in range(110)])
    sheet = open_timesheet(open_as, ann, f"/?repo={REPO.upper()}")
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


# ------------------------------------------------------------------ deleting


def test_an_entry_is_deleted_after_confirmation(sheet: Timesheet) -> None:
    delete = sheet.page.get_by_role("button", name=f"Delete \u2068{REPO}#8")
    delete.click()
    expect(sheet.dialog).to_contain_text("becomes a gap, which no other timer gets.")
    expect(sheet.dialog).to_contain_text("“Undo” in the card of the day restores the entry.")
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
    assert f"{REPO}#8" not in json.dumps(sheet.stored_timers())


def test_deleting_an_entry_that_was_deleted_elsewhere_succeeds(
    sheet: Timesheet, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow(r"status of 404 .*/api/timelogs/[^?/]+/$")
    (timer,) = sheet.stored_timers("?github_issue_number=8")
    sheet.page.evaluate("id => fetch(`/api/timelogs/${id}/`, { method: 'DELETE' })", timer["id"])
    sheet.page.get_by_role("button", name=f"Delete \u2068{REPO}#8").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(sheet.status).to_have_text(f"20m on {REPO}#8 deleted.")
    assert sheet.issues() == [f"{REPO}#7", "No issue"]
    expect(sheet.total).to_have_text("2h\u00a015m")


def test_deleting_the_last_entry_of_a_day_removes_the_day(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name="Delete \u2068No issue").click()
    sheet.dialog.get_by_role("button", name="Delete").click()
    expect(sheet.days).to_have_count(1)


def test_a_late_deletion_does_not_change_the_entries_of_another_filter(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, re.compile(r"/api/timelogs/[^?/]+/$"), "DELETE")
    sheet.page.get_by_role("button", name=f"Delete \u2068{REPO}#8").click()
    with sheet.page.expect_request(re.compile(r"/api/timelogs/[^?/]+/$")):
        sheet.dialog.get_by_role("button", name="Delete").click()
    sheet.choose("All time", Issue_number="7")
    # Block the refresh that follows, because the refresh would restore the entries.
    BlockedRequests(sheet.page, "**/api/timelogs/?*")
    blocked.release_first()
    expect(sheet.status).to_have_text(f"20m on {REPO}#8 deleted.")
    assert sheet.issues() == [f"{REPO}#7", "octocat/spoon-knife#7"]


# ------------------------------------------------------------------ adding


def test_time_is_added_with_an_end(sheet: Timesheet) -> None:
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


def test_time_is_added_with_a_duration_by_keyboard(sheet: Timesheet) -> None:
    keyboard = sheet.page.keyboard
    sheet.page.get_by_role("button", name="Add time").focus()
    keyboard.press("Enter")
    keyboard.type("octocat/spoon-knife#6")
    sheet.dialog.get_by_label("Start", exact=True).fill(f"{days_ago(2)}T16:00")
    sheet.dialog.get_by_role("radio", name="Start and end").focus()
    keyboard.press("ArrowRight")
    expect(sheet.dialog.get_by_label("End", exact=True)).to_be_hidden()
    sheet.dialog.get_by_label("Start", exact=True).focus()
    sheet.dialog.get_by_label("Duration", exact=True).focus()
    keyboard.press("ControlOrMeta+a")
    keyboard.type("2h 5m")
    expect(sheet.result).to_have_text(re.compile(r"^2h\s5m \(.*16:00.*18:05\)$"))
    keyboard.press("Enter")
    expect(sheet.entry("octocat/spoon-knife#6")).to_contain_text("2h\u00a05m")
    expect(sheet.page.get_by_role("button", name="Add time")).to_be_focused()


def test_time_is_added_with_a_duration_and_an_end(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.dialog.get_by_role("radio", name="Duration and end").check()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_be_hidden()
    expect(sheet.dialog.get_by_label("Duration", exact=True)).to_have_value("1:00")
    sheet.fill(Issue="octocat/spoon-knife#6", Duration="1,5 h", End=f"{days_ago(2)}T18:00")
    sheet.save()
    expect(sheet.entry("octocat/spoon-knife#6")).to_contain_text(re.compile("16:30.*18:00"))


def test_an_ambiguous_duration_is_questioned(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.dialog.get_by_role("radio", name="Start and duration").check()
    sheet.fill(Start=f"{days_ago(2)}T08:00", Duration="90")
    expect(sheet.error("Duration")).to_have_text("Do you mean 90m or 90h?")
    expect(sheet.result).to_be_empty()
    sheet.save()
    expect(sheet.dialog.get_by_label("Duration", exact=True)).to_be_focused()
    sheet.dialog.get_by_role("button", name="90m").click()
    expect(sheet.error("Duration")).to_be_hidden()
    expect(sheet.result).to_have_text(re.compile(r"^1h\s30m "))
    sheet.save()
    expect(sheet.status).to_have_text("1h\u00a030m added.")


def test_choosing_other_values_keeps_the_entry(sheet: Timesheet, ann: Account, site: Site) -> None:
    put_timers(site, [finished_timer(ann, 3, "09:00:01.234", 10.0017, 9)])
    sheet.page.reload()
    before = sheet.stored_timers()
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#9").click()
    for name in ("Start and duration", "Duration and end", "Start and end"):
        sheet.dialog.get_by_role("radio", name=name).check()
        expect(sheet.result).to_have_text(re.compile(r"^10m "))
    sheet.dialog.get_by_role("radio", name="Start and duration").check()
    expect(sheet.dialog.get_by_label("Duration", exact=True)).to_have_value("0:10")
    sheet.save()
    expect(sheet.dialog).to_be_hidden()
    assert sheet.stored_timers() == before


VALUES = {
    "Start and end": ("Start", "End"),
    "Start and duration": ("Start", "Duration"),
    "Duration and end": ("Duration", "End"),
}


@pytest.mark.parametrize("choices", list(permutations(VALUES)), ids=", ".join)
def test_choosing_other_values_keeps_what_was_typed(sheet: Timesheet, choices: tuple[str, ...]) -> None:
    edited = choices[0]
    typed = {"Start": f"{days_ago(3)}T09:00", "End": f"{days_ago(3)}T11:30", "Duration": "2:30"}
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.dialog.get_by_role("radio", name=edited).check()
    sheet.fill(**{label: typed[label] for label in VALUES[edited]})
    for name in (*choices, edited):
        sheet.dialog.get_by_role("radio", name=name).check()
        for label in VALUES[name]:
            expect(sheet.dialog.get_by_label(label, exact=True)).to_have_value(typed[label])
        expect(sheet.result).to_have_text(re.compile(r"^2h\s30m \(.*9:00.*11:30\)$"))


# ------------------------------------------------------------------ clock changes


def add_on(sheet: Timesheet, start: str, end: str) -> None:
    """Open the form for a new entry, and fill in its start and end."""
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="octocat/spoon-knife#5", Start=start, End=end)


def saved_span(sheet: Timesheet) -> tuple[str, str]:
    """Save the new entry, and return its start and end in UTC."""
    sheet.save()
    expect(sheet.dialog).to_be_hidden()
    (timer,) = sheet.stored_timers("?github_issue_number=5")
    return timer["start_time"][:16], timer["end_time"][:16]


def test_a_time_that_does_not_exist_is_corrected(sheet: Timesheet) -> None:
    add_on(sheet, "2026-03-29T02:30", "2026-03-29T03:30")
    expect(sheet.error("Start")).to_have_text(
        re.compile(r"does not exist. Clocks go from 0?1:59 CET to 0?3:00 CEST \(Europe/Berlin\)")
    )
    expect(sheet.result).to_be_empty()
    sheet.save()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_be_focused()
    sheet.dialog.get_by_role("button", name=re.compile("1:30 CET$")).click()
    expect(sheet.dialog.get_by_label("Start", exact=True)).to_have_value("2026-03-29T01:30")
    expect(sheet.error("Start")).to_be_hidden()
    expect(sheet.result).to_have_text(re.compile(r"^1h \(.* 0?1:30 CET – .* 0?3:30 CEST\)$"))
    assert saved_span(sheet) == ("2026-03-29T00:30", "2026-03-29T01:30")


@pytest.mark.parametrize(
    ("start", "end", "duration", "span"),
    [
        ("CEST", "CEST", r"15m \(", ("2026-10-25T00:15", "2026-10-25T00:30")),
        ("CEST", "CET", r"1h\s15m \(.*CEST – .*CET", ("2026-10-25T00:15", "2026-10-25T01:30")),
        ("CET", "CET", r"15m \(", ("2026-10-25T01:15", "2026-10-25T01:30")),
    ],
)
def test_a_time_that_occurs_twice_is_chosen(
    sheet: Timesheet, start: str, end: str, duration: str, span: tuple[str, str]
) -> None:
    add_on(sheet, "2026-10-25T02:15", "2026-10-25T02:30")
    sheet.dialog.get_by_role("radio", name=re.compile(f"^0?2:15 {start}$")).check()
    sheet.dialog.get_by_role("radio", name=re.compile(f"^0?2:30 {end}$")).check()
    expect(sheet.result).to_have_text(re.compile(f"^{duration}"))
    assert saved_span(sheet) == span


@pytest.mark.parametrize(
    ("zone", "start", "end", "before", "after"),
    [
        ("America/New_York", "2026-03-08T02:15", "2026-03-08T04:00", r"1:59 GMT-5", r"3:00 GMT-4"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-04T04:00", r"1:59 GMT\+10:30", r"2:30 GMT\+11"),
    ],
)
def test_the_clock_change_is_that_of_the_browsers_time_zone(
    open_as: OpenAs,
    ann: Account,
    zone: str,
    start: str,
    end: str,
    before: str,
    after: str,
) -> None:
    sheet = open_timesheet(open_as, ann, timezone_id=zone)
    add_on(sheet, start, end)
    expect(sheet.error("Start")).to_have_text(re.compile(f"{before} to 0?{after} \\({zone}\\)"))
    sheet.dialog.get_by_role("button", name=re.compile(f"{before.split()[1]}$")).click()
    expect(sheet.error("Start")).to_be_hidden()
    expect(sheet.result).not_to_be_empty()


def test_an_hour_is_proposed_even_when_clocks_are_put_back(sheet: Timesheet) -> None:
    # The entry is added at the second 02:30 of that night in Berlin.
    sheet.page.evaluate("""async () => {
        const { addEntry } = await import("/page/edit-entry.js");
        addEntry(() => new Date("2026-10-25T01:30Z"));
    }""")
    for label, clock in (("Start", "CEST"), ("End", "CET")):
        expect(sheet.dialog.get_by_label(label, exact=True)).to_have_value("2026-10-25T02:30")
        chosen = sheet.dialog.locator(f"#entry-{label.lower()}-choice").get_by_role("radio", name=clock)
        expect(chosen).to_be_checked()
    expect(sheet.result).to_have_text(re.compile("^1h "))


# ------------------------------------------------------------------ questions


def test_an_entry_over_midnight_is_offered_the_next_day(sheet: Timesheet) -> None:
    add_on(sheet, f"{days_ago(3)}T22:00", f"{days_ago(3)}T01:00")
    expect(sheet.error("End")).to_have_text("The end is before the start.")
    sheet.dialog.get_by_role("button", name="End: ").click()
    expect(sheet.dialog.get_by_label("End", exact=True)).to_have_value(f"{days_ago(2)}T01:00")
    expect(sheet.result).to_have_text(re.compile("^3h "))
    sheet.save()
    expect(sheet.status).to_have_text("3h added.")


@pytest.mark.parametrize(
    ("end", "question", "added"),
    [
        ("3T22:00", "The entry begins and ends at the same time.", "0m added."),
        ("2T22:01", "The entry is longer than 24 hours: 24h\u00a01m.", "24h\u00a01m added."),
    ],
)
def test_an_unusual_duration_is_saved_after_a_question(
    sheet: Timesheet, end: str, question: str, added: str
) -> None:
    days, time_of_day = end.split("T")
    add_on(sheet, f"{days_ago(3)}T22:00", f"{days_ago(int(days))}T{time_of_day}")
    sheet.save()
    group = sheet.dialog.get_by_role("group", name=question)
    expect(group).to_be_focused()
    sheet.save()
    expect(group).to_be_focused()
    sheet.page.keyboard.press("Tab")
    expect(group.get_by_role("button", name="Save anyway")).to_be_focused()
    sheet.page.keyboard.press("Enter")
    expect(sheet.status).to_have_text(added)


def test_an_overlapping_entry_is_saved_after_a_question(sheet: Timesheet) -> None:
    add_on(sheet, f"{days_ago(1)}T09:30", f"{days_ago(1)}T14:10")
    sheet.save()
    question = sheet.dialog.get_by_role("group", name=re.compile("^The entry overlaps .*#8"))
    expect(question).to_be_focused()
    expect(question).to_contain_text(re.compile(r"14:00.*14:20\) and 1 more\."))
    expect(question).not_to_contain_text("\u2068")
    # Another input is another entry.
    sheet.fill(Start=f"{days_ago(1)}T10:30")
    expect(sheet.dialog.get_by_role("button", name="Save anyway")).to_be_hidden()
    sheet.save()
    expect(question).to_be_focused()
    expect(question).not_to_contain_text("more")
    assert sheet.stored_timers("?github_issue_number=5") == []
    sheet.dialog.get_by_role("button", name="Save anyway").click()
    expect(sheet.status).to_have_text("3h\u00a040m added.")


def test_an_entry_does_not_overlap_itself(sheet: Timesheet) -> None:
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
    sheet.fill(End=f"{days_ago(1)}T14:15")
    sheet.save()
    expect(sheet.status).to_have_text("Saved.")


def test_time_is_not_added_twice_when_the_response_is_lost(sheet: Timesheet) -> None:
    sheet.page.evaluate("""() => {
        const real = fetch;
        window.fetch = async (address, options) => {
            const response = await real(address, options);
            // The page may request the ticket of its live connection meanwhile.
            if (options.method !== "POST" || !`${address}`.endsWith("/timelogs/")) return response;
            window.fetch = real;
            throw new TypeError("The connection broke before the response arrived.");
        };
    }""")
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="octocat/spoon-knife#5", Start=f"{days_ago(1)}T11:00", End=f"{days_ago(1)}T12:15")
    sheet.save()
    expect(sheet.dialog.get_by_role("alert")).to_have_text("No connection to the server.")
    sheet.save()
    expect(sheet.entry("octocat/spoon-knife#5")).to_have_count(1)
    assert [timer["github_repo"] for timer in sheet.stored_timers()].count("octocat/spoon-knife") == 2


def test_the_form_stays_open_while_it_is_saved(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/")
    sheet.page.get_by_role("button", name="Add time").click()
    with sheet.page.expect_request("**/api/timelogs/"):
        sheet.save()
    sheet.page.keyboard.press("Escape")
    sheet.dialog.get_by_role("button", name="Cancel").click()
    expect(sheet.dialog).to_be_visible()
    blocked.release_first()
    expect(sheet.dialog).to_be_hidden()
    expect(sheet.status).to_have_text("1h added.")


def test_a_form_closed_while_saving_does_not_close_the_next_one(sheet: Timesheet) -> None:
    blocked = BlockedRequests(sheet.page, "**/api/timelogs/")
    sheet.page.get_by_role("button", name="Add time").click()
    with sheet.page.expect_request("**/api/timelogs/"):
        sheet.save()
    # Close the dialog as a browser does when Escape is pressed twice.
    sheet.page.evaluate("document.querySelector('dialog').close()")
    sheet.page.get_by_role("button", name=f"Edit \u2068{REPO}#8").click()
    sheet.fill(Description="Still there")
    blocked.release_first()
    expect(sheet.entries).to_have_count(4)
    expect(sheet.dialog.get_by_label("Description")).to_have_value("Still there")
    sheet.save()
    expect(sheet.entry("Still there")).to_be_visible()


@pytest.mark.parametrize("is_noticed", [False, True])
def test_an_open_form_survives_an_expired_session(
    sheet: Timesheet, browser_errors: BrowserErrors, is_noticed: bool
) -> None:
    """Whether the page has noticed by a request of its own that the session has expired, or not."""
    browser_errors.allow("status of 401 ")
    # Later requests of the page itself would find that the session has ended.
    wait_for_ticket(sheet.page)
    sheet.page.get_by_role("button", name="Add time").click()
    sheet.fill(Issue="octocat/spoon-knife#5", Start=f"{days_ago(1)}T11:00", End=f"{days_ago(1)}T12:15")
    cookies = cast("list[SetCookieParam]", sheet.page.context.cookies())
    sheet.page.context.clear_cookies()
    if is_noticed:
        expire(sheet.page)
    sheet.save()
    expect(sheet.dialog.get_by_role("alert")).to_have_text(re.compile("Sign in again in another tab"))
    sheet.page.context.add_cookies(cookies)
    sheet.save()
    expect(sheet.entry("octocat/spoon-knife#5")).to_be_visible()


def test_a_page_whose_session_has_expired_comes_back_after_signing_in_in_another_tab(
    sheet: Timesheet, browser_errors: BrowserErrors
) -> None:
    browser_errors.allow("status of 401 ")
    wait_for_ticket(sheet.page)
    cookies = cast("list[SetCookieParam]", sheet.page.context.cookies())
    sheet.page.context.clear_cookies()
    expire(sheet.page)
    expect(sheet.entries).to_have_count(0)
    sheet.page.context.add_cookies(cookies)
    sheet.page.context.new_page().goto("/")
    expect(sheet.entry("Planning")).to_be_visible()


def expire(page: Page) -> None:
    """Let a page without cookies request its data."""
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.get_by_role("link", name="Sign in with GitHub")).to_be_visible()
