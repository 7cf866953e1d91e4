"""The export of entries as a CSV file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.seed import REPO, days_ago, finished_timer, put_timers
from tests.browser.timesheet import Timesheet, open_timesheet

if TYPE_CHECKING:
    from pathlib import Path

    from fake_github.model import Account
    from tests.browser.conftest import OpenAs
    from tests.e2e.conftest import Site


def export(sheet: Timesheet, folder: Path, button: str = "Export CSV") -> tuple[str, str]:
    """Export the entries, and return the name and the text of the file."""
    with sheet.page.expect_download() as started:
        sheet.page.get_by_role("button", name=button).click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file.name, file.read_bytes().decode()


def read(content: str, separator: str = ",") -> list[dict[str, str]]:
    lines = io.StringIO(content.removeprefix("\ufeff"), newline="")
    return list(csv.DictReader(lines, delimiter=separator, strict=True))


def test_the_entries_of_all_pages_that_the_filter_selects_are_exported(
    open_as: OpenAs, ann: Account, site: Site, tmp_path: Path
) -> None:
    put_timers(
        site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, 7 + i % 2) for i in range(250)]
    )
    sheet = open_timesheet(open_as, ann, "/?issue=7")
    name, content = export(sheet, tmp_path)
    assert name == f"issue-timer-{days_ago(29)}-{days_ago(0)}.csv"
    assert content.startswith("\ufeffid,status,")
    rows = read(content)
    assert len({row["id"] for row in rows}) == 125
    assert {(row["repository"], row["issue"]) for row in rows} == {(REPO, "7")}
    expect(sheet.status).to_have_text("125 entries exported.")
    expect(sheet.status).to_have_text("125 entries exported.")
    expect(sheet.page.get_by_role("button", name="CSV with semicolons")).to_be_hidden()


def test_the_parts_of_a_period_are_exported_neutrally_and_in_the_readers_locale(
    open_as: OpenAs, ann: Account, site: Site, tmp_path: Path
) -> None:
    put_timers(site, [finished_timer(ann, 3, "23:50", 20.25, 7), finished_timer(ann, 3, "09:00", 1.5, 7)])
    day = days_ago(2).isoformat()
    sheet = open_timesheet(open_as, ann, f"/?from={day}&to={day}", locale="fr-FR")
    _, neutral = export(sheet, tmp_path)
    _, local = export(sheet, tmp_path, "CSV with semicolons")
    for content, separator, part in ((neutral, ",", "615"), (local, ";", "615")):
        (row,) = read(content, separator)
        assert (row["part_working_seconds"], row["active_time"]) == (part, "0:20:15")
    sheet.choose("Custom period", From=days_ago(3).isoformat(), To=days_ago(3).isoformat())
    assert [row["part_working_seconds"] for row in read(export(sheet, tmp_path)[1])] == ["600", "90"]
    stored = sheet.stored_timers()[0]
    sheet.page.evaluate(
        """([id, end_time]) => fetch(`/api/timelogs/${id}/`, {
            method: "PATCH",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({ end_time }),
        })""",
        [stored["id"], stored["start_time"].replace(".000Z", ".250Z")],
    )
    rows = read(export(sheet, tmp_path, "CSV with semicolons")[1], ";")
    assert [row["part_working_seconds"] for row in rows] == ["0,25", "90"]
