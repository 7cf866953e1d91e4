"""Taking the entries along as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from datetime import datetime, time
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.seed import REPO, ZONE, days_ago, finished_timer, put_timers
from tests.browser.timesheet import Timesheet, open_timesheet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.conftest import OpenPage, SignIn
    from tests.e2e.conftest import Site
    from tests.support.fake_github.model import Account


def export(sheet: Timesheet, folder: Path) -> tuple[str, str]:
    """Return the name and the text of the file."""
    with sheet.page.expect_download() as started:
        sheet.page.get_by_role("button", name="Export CSV").click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    return file.name, file.read_bytes().decode()


def read(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True))


def test_the_filter_decides_what_is_exported_of_all_pages(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site, tmp_path: Path
) -> None:
    put_timers(
        site, [finished_timer(ann, 1 + i // 10, f"{8 + i % 10:02}:00", 30, 7 + i % 2) for i in range(250)]
    )
    sheet = open_timesheet(open_page, sign_in, ann, "/?issue=7")
    name, content = export(sheet, tmp_path)
    assert name == f"issue-timer-{days_ago(29)}-{days_ago(0)}.csv"
    rows = read(content)
    assert len({row["id"] for row in rows}) == 125
    assert {(row["repository"], row["issue"]) for row in rows} == {(REPO, "7")}
    expect(sheet.status).to_have_text("125 entries are exported.")


def test_times_are_exact_and_as_spreadsheets_read_them(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site, tmp_path: Path
) -> None:
    put_timers(site, [finished_timer(ann, 2, "23:30", 90.5, 7)])
    sheet = open_timesheet(open_page, sign_in, ann)
    ((row),) = read(export(sheet, tmp_path)[1])
    assert row["start_local"] == f"{days_ago(2)} 23:30:00"
    assert row["end_local"] == f"{days_ago(1)} 01:00:30"
    start = datetime.fromisoformat(row["start_utc"]).astimezone(ZONE)
    assert start == datetime.combine(days_ago(2), time(23, 30), ZONE)
    assert (row["active_seconds"], row["active_time"], row["paused_seconds"]) == ("5430", "1:30:30", "0")


def test_the_file_is_as_the_standard_says_and_no_formula_is_in_it(
    open_page: OpenPage, sign_in: SignIn, ann: Account, site: Site, tmp_path: Path
) -> None:
    texts = [
        '=HYPERLINK("https://evil.example";"x")',
        "+1",
        "-1",
        "@SUM(A1)",
        'a "b", c',
        'x;=HYPERLINK("https://evil.example")',
        'x;"=1+1',
        "x; +1",
        "x\t@SUM(A1)",
        "zwölf\n-1\r\n=2",
        "\t=1",
        "zwölf\nZeilen; und Ende",
        "a=b",
    ]
    put_timers(site, [finished_timer(ann, 1 + i, description=text) for i, text in enumerate(texts)])
    sheet = open_timesheet(open_page, sign_in, ann)
    _, content = export(sheet, tmp_path)
    # RFC 4180: lines end with CRLF, and what holds a quote, a comma or a line break is quoted.
    assert content.startswith("\ufeffid,status,")
    assert content.endswith("\r\n")
    assert ',"a ""b"", c",' in content
    exported = [row["description"] for row in read(content)]
    assert exported == [
        '\'=HYPERLINK("https://evil.example";"x")',
        "'+1",
        "'-1",
        "'@SUM(A1)",
        'a "b", c',
        # Excel parts lines at these semicolons in German, in spite of the quotes, and others do at tabs.
        'x;\'=HYPERLINK("https://evil.example")',
        "x;'\"=1+1",
        "x;' +1",
        "x\t'@SUM(A1)",
        "zwölf\n'-1\r\n'=2",
        "'\t'=1",
        "zwölf\nZeilen; und Ende",
        "a=b",
    ]
