"""Reports through the API: who sees whose time, filters, limits, and files."""

from __future__ import annotations

import base64
import csv
import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from tests.integration.test_api import add, problem
from tests.support.gateway import Client, Context
from tests.support.handlers import Clock, as_function, loaded
from tests.support.invocations import Invocations
from timer_core.domain.ids import new_ulid
from timer_core.domain.issue_details import IssueDetails, ProjectStatus
from timer_core.domain.issues import Issue
from timer_core.domain.schedule import local_date
from timer_core.domain.timers import finished
from timer_core.domain.visibility import Visibility
from timer_core.store.items import IssueDetailsItem, raw
from timer_core.store.keys import DETAILS_SK, PEOPLE_PK, REPORT_EXPORT_SK, issue_pk, user_pk
from timer_core.store.people import PeopleStore, Person
from timer_core.store.table import Table, Write
from timer_core.store.tokens import TokenStore
from timer_core.store.writes import put_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from openpyxl.worksheet.worksheet import Worksheet

    from tests.support.gateway import Answer
    from timer_core.api.auth import Caller

HOUR, DAY = 3600, 86_400
BOSS = Person(1, "boss")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture(scope="module")
def reports(shared_table: Table) -> Iterator[ModuleType]:
    with loaded("reports.api", shared_table.name, ADMIN_LOGINS=BOSS.login) as module:
        yield module


@dataclass
class People:
    """Ann and Bob, who add entries, and clients of the reports of them and of an admin."""

    reports: ModuleType
    timers: dict[str, Client]
    clients: dict[str, Client]
    ann: Person
    bob: Person
    clock: Clock

    def add(self, login: str, ago_s: float, duration: float, **body: Any) -> dict[str, Any]:
        return add(self.timers[login], self.clock, ago_s, duration, **body)

    def get(self, login: str, query: str = "", accept_language: str = "") -> Answer:
        return self.clients[login]("GET", f"/api/reports/?{query}", accept_language=accept_language)

    def report(self, login: str, query: str = "") -> dict[str, Any]:
        answer = self.get(login, query)
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.json()
        return body

    @property
    def logins(self) -> str:
        return f"person={self.ann.login}&person={self.bob.login}"

    def know(self, *details: IssueDetails) -> None:
        """Store the details of issues."""
        self.reports.shared.details.read = lambda issues: {
            one.issue.key: one for one in details if one.issue.key in {issue.key for issue in issues}
        }


@pytest.fixture
def people(
    reports: ModuleType,
    timelogs: ModuleType,
    shared_table: Table,
    clock: Clock,
    new_person: Callable[[], Person],
    monkeypatch: pytest.MonkeyPatch,
) -> People:
    # In the middle of a month, so that the entries of a test are in it.
    clock.ms = 1_794_735_000_000  # 2026-11-15T09:30:00Z, a Sunday
    monkeypatch.setattr(reports, "now_ms", clock)
    store, tokens, ann, bob = PeopleStore(shared_table), TokenStore(shared_table), new_person(), new_person()
    timers, clients = {}, {}
    for name, person in (("ann", ann), ("bob", bob), ("boss", BOSS)):
        store.register(person.user_id, person.login, now_ms=clock.ms - 40 * DAY * 1000, name=name.title())
        shared_table.write(Write("Put", PEOPLE_PK, user_pk(person.user_id), item={}))
        token = tokens.mint(person, name="test", now_ms=clock.ms)[1]
        timers[name], clients[name] = Client(timelogs.handler, token), Client(reports.handler, token)
    # The details of issues that a test stores.
    monkeypatch.setattr(reports.shared.details, "read", reports.shared.details.read)
    return People(reports, timers, clients, ann, bob, clock)


# ---------------------------------------------------------------------- who sees whom


def test_a_person_sees_the_report_of_their_own_time(people: People) -> None:
    people.add("ann", 2 * HOUR, HOUR, github_issue_url="octo/app#7")
    people.add("bob", 2 * HOUR, HOUR, github_issue_url="octo/app#7")
    found = people.report("ann", "group_by=person,issue")
    (row,) = found["rows"]
    assert row == {
        "person": {"id": people.ann.user_id, "login": people.ann.login, "name": "Ann"},
        "issue": {
            "github_repo": "octo/app",
            "github_issue_number": 7,
            "github_issue_url": "https://github.com/octo/app/issues/7",
            "github_issue_title": None,
        },
        "working_duration": HOUR,
        "active_duration": HOUR,
        "confirmed_duration": 0,
        "entries": 1,
        "estimate": None,
        "left": None,
        "working_duration_with_sub_issues": HOUR,
    }
    assert (found["from"], found["to"], found["time_zone"]) == ("2026-11-01", "2026-11-15", "UTC")
    assert [person["login"] for person in found["people"]] == [people.ann.login]


def test_an_admin_sees_the_time_of_everybody(people: People) -> None:
    people.add("ann", 2 * HOUR, HOUR)
    people.add("bob", 3 * HOUR, 2 * HOUR)
    found = people.report("boss", people.logins)
    assert [(row["person"]["name"], row["working_duration"]) for row in found["rows"]] == [
        ("Bob", 2 * HOUR),
        ("Ann", HOUR),
    ]
    assert found["totals"]["working_duration"] == 3 * HOUR


def test_a_filter_shows_nobody_whose_time_one_does_not_see(people: People) -> None:
    people.add("bob", 2 * HOUR, HOUR)
    for login in (people.bob.login, "nobody-has-this-login", "%23" + str(people.bob.user_id)):
        refused = problem(people.get("ann", f"person={login}"), 400)
        (error,) = refused["errors"]
        assert (error["loc"], error["code"]) == (["query", "person"], "unknown_person")


def test_without_credentials_there_is_no_report(people: People) -> None:
    problem(Client(people.reports.handler)("GET", "/api/reports/"), 401)


# ---------------------------------------------------------------------- the same figures as elsewhere


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia"])
def test_a_report_equals_the_totals_of_its_person(people: People, zone: str) -> None:
    for days in range(6):
        people.add(
            "ann", days * DAY + 9 * HOUR, 2 * HOUR + days / 8, github_issue_url=f"octo/app#{days % 2 + 1}"
        )
    people.add("ann", 40 * HOUR, 90, description="Planning")
    people.timers["ann"]("POST", "/api/timelogs/start/", {"github_issue_url": "octo/app#3"})
    people.clock.advance(61.5)
    query = f"time_zone={zone}&from=2026-11-10&to=2026-11-15"
    day = people.report("ann", f"{query}&group_by=day")
    issue = people.report("ann", f"{query}&group_by=issue")
    begins, ends = (_instant(zone, date) for date in ("2026-11-10", "2026-11-16"))
    totals = people.timers["ann"](
        "GET", f"/api/timelogs/totals/?since={begins}&until={ends}&time_zone={zone}"
    ).json()
    assert [(row["day"], row["working_duration"], row["active_duration"]) for row in day["rows"]] == [
        (of["date"], of["working_duration"], of["active_duration"]) for of in totals["days"]
    ]
    assert [
        ((row["issue"] or {}).get("github_issue_number"), row["working_duration"], row["entries"])
        for row in issue["rows"]
    ] == [(of["github_issue_number"], of["working_duration"], of["timers"]) for of in totals["issues"]]
    for found in (day, issue):
        assert found["totals"]["working_duration"] == totals["working_duration"]


def _instant(zone: str, date: str) -> str:
    local = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo(zone))
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def test_confirmed_time_is_shown_apart(people: People) -> None:
    people.add("ann", DAY, HOUR)
    people.add("ann", 2 * DAY, 2 * HOUR)
    day = local_date("UTC", people.clock.ms - DAY * 1000)
    path = f"/api/timesheets/{day}/confirm/"
    assert people.timers["ann"]("POST", path, if_match="*").status == 200
    (row,) = people.report("ann")["rows"]
    assert (row["working_duration"], row["confirmed_duration"]) == (3 * HOUR, HOUR)


# ---------------------------------------------------------------------- details of issues


def issue(number: int) -> Issue:
    return Issue.of("octo/app", number)


def test_labels_projects_and_estimates_are_those_of_the_details(people: People) -> None:
    people.know(
        IssueDetails(
            issue(7),
            title="Pay",
            labels=("bug", "ui, web"),
            parent=issue(1),
            estimate_ms=4 * HOUR * 1000,
            projects=(ProjectStatus("Roadmap", "Todo"),),
        ),
        IssueDetails(issue(1), title="Shop"),
    )
    people.add("ann", 3 * HOUR, HOUR, github_issue_url="octo/app#7")
    found = people.report("ann", "group_by=label")
    assert [row["label"] for row in found["rows"]] == ["bug", "ui, web"]
    assert found["overlapping"]
    assert found["totals"]["working_duration"] == HOUR
    assert (found["totals"]["estimate"], found["totals"]["left"]) == (4 * HOUR, 3 * HOUR)
    by_issue = people.report("ann", "group_by=issue,project&label=ui,%20web&label=other")["rows"]
    assert [(row["issue"]["github_issue_title"], row["project"]) for row in by_issue] == [("Pay", "Roadmap")]
    tree = people.report("ann", "group_by=issue")["rows"]
    assert [
        (row["issue"]["github_issue_title"], row["working_duration"], row["working_duration_with_sub_issues"])
        for row in tree
    ] == [("Pay", HOUR, HOUR), ("Shop", 0, HOUR)]


def test_the_details_are_those_that_deliveries_have_told(people: People, shared_table: Table) -> None:
    told = Issue.of("octo/told", 7, repo_id=77)
    start_ms = people.clock.ms - 3 * HOUR * 1000
    timer = finished(
        user_id=people.ann.user_id,
        ulid=new_ulid(start_ms),
        start_ms=start_ms,
        end_ms=start_ms + HOUR * 1000,
        now_ms=people.clock.ms,
        issue=told,
    )
    shared_table.write(put_new(timer))
    registers = {"labels": [1, 1, ["bug"]], "title": [1, 1, "Pay"], "estimate": [1, 1, 2 * HOUR * 1000]}
    item = IssueDetailsItem(pk=issue_pk(told), sk=DETAILS_SK, registers=json.dumps(registers), version=1)
    shared_table.write(Write("Put", issue_pk(told), DETAILS_SK, item=raw(item)))
    (row,) = people.report("ann", "group_by=label,issue")["rows"]
    assert (row["label"], row["issue"]["github_issue_title"]) == ("bug", "Pay")
    assert (row["estimate"], row["left"]) == (2 * HOUR, HOUR)


def test_time_without_an_issue_can_be_selected(people: People) -> None:
    people.add("ann", 3 * HOUR, HOUR, github_issue_url="octo/app#7")
    people.add("ann", 2 * HOUR, 60, description="Planning")
    found = people.report("ann", "group_by=repository&issue=")
    assert [(row["repository"], row["working_duration"]) for row in found["rows"]] == [(None, 60)]
    found = people.report("ann", "issue=Octo/App%237")
    assert found["totals"]["working_duration"] == HOUR


# ---------------------------------------------------------------------- invalid and large requests


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("from=2026-11-02&to=2026-11-01", "from", "end_before_start"),
        ("from=2025-11-01&to=2026-11-02", "from", "out_of_range"),
        ("from=yesterday", "from", "invalid_date"),
        ("time_zone=Mars/Base", "time_zone", "unknown_time_zone"),
        ("group_by=person,issue,day,label", "group_by", "too_many_values"),
        ("group_by=year", "group_by", "invalid_value"),
        ("group_by=", "group_by", "invalid_value"),
        ("format=pdf", "format", "invalid_value"),
        ("label=" + "x" * 257, "label", "too_long"),
        ("&".join(["label=a"] * 101), "label", "too_many_values"),
        ("labels=bug", "labels", "unknown_field"),
    ],
)
def test_invalid_parameters_are_refused_with_the_name_of_their_field(
    people: People, query: str, field: str, code: str
) -> None:
    (error,) = problem(people.get("ann", query), 400)["errors"]
    assert (error["loc"][-1], error["code"]) == (field, code)


def limit(monkeypatch: pytest.MonkeyPatch, name: str, **fields: int) -> None:
    for module in map(import_module, ("reports.routes", "reports.export")):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, getattr(module, name)._replace(**fields))


def test_a_report_of_too_much_time_is_refused_before_it_is_read(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, "OF_REQUEST", person_days=29)
    monkeypatch.setattr(people.reports.shared.timesheets, "worked", None)
    refused = problem(people.get("boss", f"{people.logins}&from=2026-11-01&to=2026-11-15"), 413)
    assert refused["code"] == "report_too_large"


def test_a_report_with_too_many_rows_is_refused(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, "OF_REQUEST", rows=1)
    people.add("ann", 2 * DAY, HOUR)
    assert people.get("ann", "group_by=day").status == 200
    people.add("ann", DAY, HOUR)
    assert problem(people.get("ann", "group_by=day"), 413)["code"] == "report_too_large"


def test_reports_of_more_than_a_week_of_a_person_count_toward_the_write_limit(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    def count(caller: Caller, *, now_ms: int) -> None:
        assert now_ms == people.clock.ms
        counted.append(caller.user_id)

    monkeypatch.setattr(people.reports.shared.guard, "count_write", count)
    people.report("ann", "from=2026-11-01&to=2026-11-07")
    assert not counted
    people.report("ann", "from=2026-11-01&to=2026-11-08")
    people.report("boss", f"{people.logins}&from=2026-11-01&to=2026-11-04")
    assert counted == [people.ann.user_id, BOSS.user_id]


# ---------------------------------------------------------------------- files


def lines(text: str, delimiter: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text[1:]), delimiter=delimiter))


def test_a_csv_file_has_the_separators_of_its_locale(people: People) -> None:
    people.add("ann", 2 * DAY, 5400.25, description="x")
    answer = people.get("ann", "group_by=day,person&format=csv&locale=de-DE")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = 'attachment; filename="report-2026-11-01-2026-11-15.csv"'
    assert answer.headers["content-disposition"] == name
    heading, row = lines(answer.body, ";")
    figures = dict(zip(heading, row, strict=True))
    assert figures["day"] == "2026-11-13"
    assert figures["person"] == people.ann.login
    assert (figures["working_hours"], figures["working_seconds"]) == ("1,5001", "5400,25")
    for accepted, delimiter in (("en", ","), ("de-CH", ","), ("fr;q=0.8, en;q=0.5", ";"), ("*", ",")):
        body = people.get("ann", "format=csv", accept_language=accepted).body
        assert len(lines(body, delimiter)[0]) > 5, accepted


def test_a_csv_file_has_no_formulas(people: People) -> None:
    names = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "bug;=1", '"=1', "\uff1d1")
    people.know(IssueDetails(issue(7), title='=HYPERLINK("https://evil.example";"x")', labels=names))
    people.add("ann", 2 * DAY, HOUR, github_issue_url="octo/app#7")
    rows = lines(people.get("ann", "group_by=label,issue&format=csv&locale=en").body, ",")[1:]
    assert sorted(row[0] for row in rows) == sorted(
        ("'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\t'=1", "bug;'=1", "'\"=1", "'\uff1d1")
    )
    assert {row[2] for row in rows} == {'\'=HYPERLINK("https://evil.example";"x")'}


def test_an_empty_csv_file_has_the_names_of_its_columns(people: People) -> None:
    (heading,) = lines(people.get("ann", "group_by=issue,week&format=csv").body, ",")
    assert heading[:4] == ["issue", "issue_title", "issue_url", "week"]


def workbook(answer: Answer, *, computed: bool = False) -> Worksheet:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == XLSX
    book = openpyxl.load_workbook(BytesIO(base64.b64decode(answer.body)), data_only=computed)
    (sheet,) = book.worksheets
    return sheet


def test_a_workbook_has_numbers_dates_and_sums(people: People) -> None:
    people.add("ann", 2 * DAY, 26 * HOUR)
    people.add("ann", 2 * DAY, 1800)
    answer = people.get("ann", "group_by=day&format=xlsx&locale=en")
    sheet, computed = workbook(answer), workbook(answer, computed=True)
    headings = [cell.value for cell in sheet[1]]
    assert headings[:3] == ["Day", "Working time", "Working time (h)"]
    assert sheet.freeze_panes == "A2"
    first, second, total = sheet[2], sheet[3], sheet[4]
    assert [str(cell.value)[:10] for cell in (first[0], second[0])] == ["2026-11-13", "2026-11-14"]
    assert first[0].number_format == "yyyy-mm-dd"
    assert first[1].number_format == "[h]:mm"
    assert (first[2].value, second[2].value) == (15, 11.5)
    assert (total[0].value, total[1].value, total[2].value) == ("Total", "=SUM(B2:B3)", "=SUM(C2:C3)")
    assert computed["C4"].value == 26.5
    # openpyxl reads a number with this format as a length of time.
    assert computed["B4"].value == timedelta(hours=26.5)
    # The entry of the night is in both rows, so the rows do not add up to the number of entries.
    entries = headings.index("Entries")
    assert [row[entries].value for row in (first, second, total)] == [2, 1, 2]


def test_the_total_of_overlapping_rows_is_no_sum(people: People) -> None:
    people.know(IssueDetails(issue(7), labels=("a", "b")))
    people.add("ann", 2 * HOUR, HOUR, github_issue_url="octo/app#7")
    sheet = workbook(people.get("ann", "group_by=label&format=xlsx&locale=de"))
    assert [sheet.cell(row, 3).value for row in (1, 2, 3, 4)] == ["Arbeitszeit (Std.)", 1, 1, 1]
    notes = {cell.value for row in sheet.iter_rows(min_row=5) for cell in row if cell.value}
    assert any("mehreren Zeilen" in str(note) for note in notes)


def test_texts_in_a_workbook_are_neither_formulas_nor_links(people: People) -> None:
    people.know(IssueDetails(issue(7), title="=1+1", labels=("https://evil.example",)))
    people.add("ann", 2 * HOUR, HOUR, github_issue_url="octo/app#7")
    sheet = workbook(people.get("ann", "group_by=label,issue&format=xlsx"))
    for cell in sheet[2][:4]:
        assert (cell.data_type, cell.hyperlink) == ("s", None)
    assert sheet["C2"].value == "=1+1"


def test_an_empty_report_has_a_workbook(people: People) -> None:
    sheet = workbook(people.get("ann", "group_by=person,day&format=xlsx"))
    assert [cell.value for cell in sheet[1]][:3] == ["Person", "Name", "Day"]
    assert sheet["A2"].value == "Total"


# ---------------------------------------------------------------------- exports


@dataclass
class Exports:
    """Exports, which are made when the test says so."""

    people: People
    invocations: Invocations
    export: ModuleType

    def ask(self, login: str, query: str = "") -> Answer:
        return self.people.clients[login]("POST", f"/api/reports/export/?{query}")

    def state(self, login: str) -> dict[str, Any]:
        answer = self.people.clients[login]("GET", "/api/reports/export/")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.json()
        return body

    def file(self, login: str, accept_encoding: str = "") -> Answer:
        path = "/api/reports/export/file/"
        return self.people.clients[login]("GET", path, accept_encoding=accept_encoding)

    def make(self) -> None:
        self.export.handler(self.invocations.events[-1], Context())


@pytest.fixture
def exports(people: People, shared_table: Table, monkeypatch: pytest.MonkeyPatch) -> Exports:
    # The admin is the same person in all tests.
    shared_table.write(Write("Delete", user_pk(BOSS.user_id), REPORT_EXPORT_SK))
    invocations, export = Invocations(), import_module("reports.export")
    monkeypatch.setattr(import_module("reports.exporting"), "_lambda", lambda: invocations)
    monkeypatch.setattr(export, "now_ms", people.clock)
    monkeypatch.setattr(export, "handler", as_function("reports.export", export.handler))
    return Exports(people, invocations, export)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_is_the_file_of_the_report(exports: Exports, form: str) -> None:
    people = exports.people
    people.add("ann", 2 * DAY, HOUR, github_issue_url="octo/app#7")
    people.add("bob", 3 * DAY, 2 * HOUR, github_issue_url="octo/app#8")
    query = f"{people.logins}&group_by=person,issue&format={form}&locale=de-DE"
    direct = people.get("boss", query)
    asked = exports.ask("boss", query)
    assert (asked.status, asked.headers["location"]) == (202, "/api/reports/export/")
    assert asked.json() == exports.state("boss")
    assert (asked.json()["state"], asked.json()["file"], asked.json()["people"]) == ("waiting", None, 2)
    problem(exports.file("boss"), 404)
    # The export has the time until it was asked for.
    people.clock.advance(30)
    exports.make()
    found = exports.state("boss")
    assert (found["state"], found["people_done"], found["complete"]) == ("done", 2, True)
    assert (found["from"], found["to"], found["format"]) == ("2026-11-01", "2026-11-15", form)
    plain = exports.file("boss", "identity")
    for header in ("content-disposition", "content-type"):
        assert plain.headers[header] == direct.headers[header]
    compressed = [exports.file("boss", accepted) for accepted in ("", "br, gzip", "*")]
    assert [answer.headers["content-encoding"] for answer in compressed] == ["gzip"] * 3
    (content,) = {gzip.decompress(base64.b64decode(answer.body)) for answer in compressed}
    if form == "csv":
        assert content.decode() == plain.body == direct.body
    else:
        assert content == base64.b64decode(plain.body)
        rows = [[[cell.value for cell in row] for row in workbook(one)] for one in (plain, direct)]
        assert rows[0] == rows[1]


def test_a_report_is_the_same_however_many_people_are_read_at_once(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.know(
        IssueDetails(issue(7), title="Pay", parent=issue(1)),
        IssueDetails(issue(8), title="Send", parent=issue(1), labels=("bug",)),
        IssueDetails(issue(1), title="Shop"),
    )
    for days, login in enumerate(("ann", "bob", "ann", "bob")):
        people.add(login, days * DAY + 5 * HOUR, HOUR + days, github_issue_url=f"octo/app#{7 + days // 2}")
    for query in ("group_by=issue", "group_by=label,person", "group_by=day"):
        whole = people.report("boss", f"{people.logins}&{query}")
        with monkeypatch.context() as patch:
            patch.setattr(import_module("reports.answers"), "_BATCH", 1)
            assert people.report("boss", f"{people.logins}&{query}") == whole


def test_a_person_has_one_export_at_a_time(exports: Exports) -> None:
    problem(exports.people.clients["ann"]("GET", "/api/reports/export/"), 404)
    assert exports.ask("ann").status == 202
    assert problem(exports.ask("ann"), 409)["code"] == "export_running"
    assert exports.ask("bob").status == 202
    exports.make()
    assert exports.state("bob")["state"] == "done"
    assert exports.ask("bob", "group_by=day").status == 202
    assert exports.state("bob")["state"] == "waiting"
    problem(exports.file("bob"), 404)


def test_an_export_whose_function_was_stopped_has_failed_and_can_be_repeated(exports: Exports) -> None:
    exports.ask("ann")
    stopped = exports.invocations.events[-1]
    exports.people.clock.advance(21 * 60)
    assert (exports.state("ann")["state"], exports.state("ann")["failure"]) == ("failed", "internal_error")
    assert exports.ask("ann", "group_by=day").status == 202
    # The former invocation changes nothing any more.
    exports.export.handler(stopped, Context())
    assert exports.state("ann")["state"] == "waiting"
    exports.make()
    made = exports.file("ann").body
    exports.export.handler(exports.invocations.events[-1], Context())
    assert (exports.state("ann")["state"], exports.file("ann").body) == ("done", made)


def test_an_export_that_cannot_begin_can_be_repeated_at_once(exports: Exports) -> None:
    exports.invocations.is_down = True
    problem(exports.ask("ann"), 500)
    exports.invocations.is_down = False
    assert exports.ask("ann").status == 202


def test_an_export_fails_with_its_reason(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, "OF_EXPORT", person_days=29, rows=0)
    query = f"{exports.people.logins}&from=2026-11-01&to=2026-11-15"
    assert problem(exports.ask("boss", query), 413)["code"] == "report_too_large"
    exports.people.add("ann", DAY, HOUR)
    exports.ask("ann")
    exports.make()
    assert (exports.state("ann")["state"], exports.state("ann")["failure"]) == ("failed", "report_too_large")
    monkeypatch.setattr(exports.export, "find", None)
    exports.ask("ann")
    exports.make()
    assert (exports.state("ann")["state"], exports.state("ann")["failure"]) == ("failed", "internal_error")


def test_a_file_is_refused_when_somebody_in_it_is_no_longer_seen(
    exports: Exports, shared_table: Table
) -> None:
    people = exports.people
    exports.ask("boss", people.logins)
    exports.make()
    assert exports.file("boss").status == 200
    PeopleStore(shared_table).choose_visibility(people.bob.user_id, Visibility.NOBODY)
    problem(exports.file("boss"), 404)


def test_an_export_expires_after_a_day(exports: Exports) -> None:
    exports.ask("ann")
    exports.make()
    exports.people.clock.advance(DAY + 1)
    problem(exports.people.clients["ann"]("GET", "/api/reports/export/"), 404)
    problem(exports.file("ann"), 404)


def test_a_large_file_is_stored_in_parts(exports: Exports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("timer_core.store.report_exports"), "_PART_BYTES", 7)
    exports.people.add("ann", DAY, HOUR)
    exports.ask("ann", "group_by=day")
    exports.make()
    assert lines(exports.file("ann", "identity").body, ",")[1][0] == "2026-11-14"
