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

    from tests.browser.conftest import OpenPage, SignIn
    from tests.e2e.conftest import Site
    from tests.support.fake_github.model import Account


def export(sheet: Timesheet, folder: Path) -> tuple[str, str]:
    """Export the entries, and return the name and the text of the file."""
    with sheet.page.expect_download() as started:
        sheet.page.get_by_role("button", name="Export CSV").click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file.name, file.read_bytes().decode()


def read(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True))


def test_the_entries_of_all_pages_that_the_filter_selects_are_exported(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site, tmp_path: Path
) -> None:
    put_timers(
        site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, 7 + i % 2) for i in range(250)]
    )
    sheet = open_timesheet(open_page, sign_in, ann, "/?issue=7")
    name, content = export(sheet, tmp_path)
    assert name == f"issue-timer-{days_ago(29)}-{days_ago(0)}.csv"
    assert content.startswith("\ufeffid,status,")
    rows = read(content)
    assert len({row["id"] for row in rows}) == 125
    assert {(row["repository"], row["issue"]) for row in rows} == {(REPO, "7")}
    expect(sheet.status).to_have_text("125 entries exported.")
    expect(sheet.status).to_have_text("125 entries exported.")
