"""The list, the totals and the count of one period agree, through the API.

`Worked` is the reference: the stretches in which a timer ran, as the test made them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.integration.test_api import ISSUE, act, add, ids, problem, start, target, time_of
from tests.support.examples import examples
from tests.support.gateway import Client
from timer_core.clock import now_ms
from timer_core.store.tokens import TokenStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from tests.integration.conftest import Api
    from tests.support.handlers import Clock
    from timer_core.store.people import Person
    from timer_core.store.table import Table

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
# Zones with offsets of half and quarter hours, and changes of the clocks by one hour, by half an hour, and at
# midnight.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
]
# The clocks change in most of these zones within two weeks of these days.
CHANGES = [date(2026, 3, 29), date(2026, 4, 5), date(2025, 10, 26), date(2025, 11, 2), date(2026, 7, 1)]


def ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def midnight(day: date, zone: ZoneInfo) -> int:
    return ms(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC))


def listed(client: Client, **query: Any) -> list[dict[str, Any]]:
    """Return the timers on all pages, and check that the links lead back over the same pages."""
    answer = client("GET", f"/api/timelogs/?{urlencode({'page_size': 100, **query})}")
    pages = [ids(answer)]
    found: list[dict[str, Any]] = answer.json()["results"]
    while (link := answer.json()["next"]) is not None:
        answer = client("GET", target(link))
        pages.append(ids(answer))
        found += answer.json()["results"]
    back = [pages[-1]]
    while (link := answer.json()["previous"]) is not None:
        answer = client("GET", target(link))
        back.append(ids(answer))
    assert [page for page in back[::-1] if page] == [page for page in pages if page]
    return found


def totals(client: Client, **query: Any) -> dict[str, Any]:
    answer = client("GET", f"/api/timelogs/totals/?{urlencode(query)}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


@dataclass
class Worked:
    """A timer as the test made it: its issue, its start and end, and the stretches in which it ran."""

    id: str
    issue: int | None
    start_ms: int
    end_ms: int | None
    stretches: list[tuple[int, int]] = field(default_factory=list)

    def overlaps(self, since_ms: int, until_ms: int) -> bool:
        if since_ms <= self.start_ms < until_ms:
            return True
        return self.start_ms < since_ms and (self.end_ms is None or self.end_ms > since_ms)

    def active_ms(self, since_ms: int, until_ms: int) -> int:
        return sum(max(0, min(end, until_ms) - max(begin, since_ms)) for begin, end in self.stretches)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[ZoneInfo, int, int, int, list[tuple[str, int | None, list[int]]]]:
    """Draw a time zone, a period, the present, and the timers: their kind, issue and moments in order.

    Most moments are near the beginning of a day in the zone, so that timers begin and end exactly on the
    boundaries of days and of the period.
    """
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    first = draw(st.sampled_from(CHANGES)) - timedelta(days=draw(st.integers(0, 9)))
    moment = st.builds(
        lambda days, offset_ms: midnight(first + timedelta(days=days), zone) + offset_ms,
        st.integers(0, 70) | st.integers(0, 12),
        st.sampled_from([0, 0, 1, -1, 10 * MINUTE, -10 * MINUTE]) | st.integers(0, DAY),
    )
    since_ms, until_ms = sorted(draw(st.lists(moment, min_size=2, max_size=2, unique=True)))
    timers = []
    for number in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(["added", "stopped", "open"]))
        least = 2 if kind != "open" else 1
        moments = sorted(draw(st.lists(moment, min_size=least, max_size=2 if kind == "added" else 6)))
        # A person has at most one open timer on an issue.
        issue = (
            draw(st.sampled_from([None, 1, 2]))
            if kind != "open"
            else draw(st.sampled_from([None, 10 + number]))
        )
        timers.append((kind, issue, moments))
    latest = max([since_ms, *(moments[-1] for _, _, moments in timers)])
    return zone, since_ms, until_ms, latest + draw(st.integers(0, 3 * DAY)), timers


def make(
    client: Client, clock: Clock, kind: str, issue: int | None, moments: list[int], present_ms: int
) -> Worked:
    """Create a timer through the API: start, pause and resume it, or stop it, at the moments."""
    body: dict[str, Any] = {} if issue is None else {"github_issue_url": ISSUE.format(issue)}
    if kind == "added":
        clock.ms = present_ms
        begin, end = moments
        times = {"start_time": time_of(begin), "end_time": time_of(end)}
        answer = client("POST", "/api/timelogs/", times | body)
        assert answer.status == 201, answer.body
        return Worked(answer.json()["id"], issue, begin, end, [(begin, end)])
    clock.ms = moments[0]
    timer = start(client, **body)
    last = moments[-1] if kind == "stopped" else None
    stretches, since = [], moments[0]
    is_running = True
    for at_ms in moments[1:-1] if kind == "stopped" else moments[1:]:
        clock.ms = at_ms
        assert act(client, timer, "pause" if is_running else "resume").status == 200
        if is_running:
            stretches.append((since, at_ms))
        is_running, since = not is_running, at_ms
    if last is not None:
        clock.ms = last
        assert act(client, timer, "stop").status == 200
    if is_running:
        stretches.append((since, present_ms if last is None else last))
    return Worked(timer["id"], issue, moments[0], last, stretches)


def seconds(durations: list[float]) -> int:
    """Return a sum of durations in milliseconds, without the error of adding floats."""
    return sum(round(duration * 1000) for duration in durations)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(0.5)
)
@given(world=worlds(), page_size=st.integers(1, 4))
def test_days_issues_rows_and_total_of_a_period_agree(
    timelogs: ModuleType,
    shared_table: Table,
    new_person: Callable[[], Person],
    clock: Clock,
    world: tuple[ZoneInfo, int, int, int, list[tuple[str, int | None, list[int]]]],
    page_size: int,
) -> None:
    zone, since_ms, until_ms, present_ms, timers = world
    token = TokenStore(shared_table).mint(new_person(), name="test", now_ms=now_ms())[1]
    client = Client(timelogs.handler, token)
    made = [make(client, clock, *timer, present_ms) for timer in timers]
    clock.ms = present_ms
    query = {"since": time_of(since_ms), "until": time_of(until_ms), "time_zone": zone.key}

    rows = listed(client, page_size=page_size, **query)
    total = totals(client, **query)
    expected = {timer.id: timer for timer in made if timer.overlaps(since_ms, until_ms)}
    event(f"{min(len(expected), 3)} of {min(len(made), 3)} timers overlap the period")

    assert sorted(row["id"] for row in rows) == sorted(expected)
    starts = [row["start_time"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    for row in rows:
        active_ms = expected[row["id"]].active_ms(since_ms, until_ms)
        assert round(row["part_active_duration"] * 1000) == active_ms
        assert row["part_active_duration"] <= row["active_duration"]
        working = row["part_working_duration"]
        assert 0 <= row["part_first_day_working_duration"] <= working <= row["working_duration"]
    for name in ("working_duration", "active_duration"):
        sum_ms = seconds([total[name]])
        assert seconds([row[f"part_{name}"] for row in rows]) == sum_ms
        assert seconds([day[name] for day in total["days"]]) == sum_ms
        assert seconds([issue[name] for issue in total["issues"]]) == sum_ms
    assert total["complete"]

    for day in total["days"]:
        begin = max(since_ms, midnight(date.fromisoformat(day["date"]), zone))
        end = min(until_ms, midnight(date.fromisoformat(day["date"]) + timedelta(days=1), zone))
        assert seconds([day["active_duration"]]) == sum(timer.active_ms(begin, end) for timer in made)
    by_issue: Counter[int | None] = Counter()
    for row in rows:
        by_issue[row["github_issue_number"]] += round(row["part_active_duration"] * 1000)
    assert {
        issue["github_issue_number"]: seconds([issue["active_duration"]]) for issue in total["issues"]
    } == {number: active_ms for number, active_ms in by_issue.items() if active_ms}
    counted = client("GET", f"/api/timelogs/?{urlencode({**query, 'count': 'true', 'page_size': 1})}")
    assert counted.json()["count"] == len(rows)


def test_an_entry_over_midnight_belongs_to_both_months(api: Api, clock: Clock) -> None:
    clock.ms = ms(datetime(2026, 5, 2, tzinfo=UTC))
    times = {"start_time": "2026-04-30T23:50:00Z", "end_time": "2026-05-01T09:03:00Z"}
    api.ann("POST", "/api/timelogs/", times)
    april = {"since": "2026-04-01T00:00:00Z", "until": "2026-05-01T00:00:00Z"}
    may = {"since": "2026-05-01T00:00:00Z", "until": "2026-06-01T00:00:00Z"}
    for period, part in ((april, 600), (may, 9 * 3600 + 180)):
        (row,) = listed(api.ann, **period)
        assert row["part_working_duration"] == row["part_first_day_working_duration"] == part
        assert row["part_active_duration"] == part
        assert row["active_duration"] == row["duration"] == 9 * 3600 + 780
        assert totals(api.ann, **period)["active_duration"] == part


def test_the_first_day_of_a_part_is_that_of_the_time_zone(api: Api, clock: Clock) -> None:
    clock.ms = ms(datetime(2026, 5, 4, tzinfo=UTC))
    times = {"start_time": "2026-05-01T18:00:00Z", "end_time": "2026-05-02T08:00:00Z"}
    api.ann("POST", "/api/timelogs/", times)
    (row,) = listed(api.ann, since="2026-05-01T00:00:00Z", time_zone="Asia/Kolkata")
    assert row["part_working_duration"] == 14 * 3600
    assert row["part_first_day_working_duration"] == 1800


def test_a_list_without_a_period_has_neither_parts_nor_a_count(api: Api, clock: Clock) -> None:
    add(api.ann, clock, 100)
    answer = api.ann("GET", "/api/timelogs/").json()
    assert answer["count"] is None
    (row,) = answer["results"]
    assert {row[name] for name in row if name.startswith("part_")} == {None}


def test_an_open_timer_does_not_belong_to_a_period_in_the_future(api: Api, clock: Clock) -> None:
    start(api.ann, 7)
    clock.advance(60)
    tomorrow = {"since": time_of(clock.ms + DAY), "until": time_of(clock.ms + 2 * DAY)}
    assert listed(api.ann, **tomorrow) == listed(api.ann, end_time__isnull="true", **tomorrow) == []
    assert totals(api.ann, **tomorrow)["issues"] == []
    (row,) = listed(api.ann, since=time_of(clock.ms - 30_000))
    assert row["part_working_duration"] == row["part_active_duration"] == 30


@pytest.mark.parametrize("days", [1, 2, 2.5, 63, 64, 65, 400, 3000])
@pytest.mark.parametrize("correction", ["none", "start", "end", "both"])
def test_a_timer_of_any_length_is_in_every_period_that_it_reaches(
    api: Api, clock: Clock, days: float, correction: str
) -> None:
    """The index has a class for each length of timers, and a correction may change the class."""
    end_ms, length_ms = clock.ms - 3 * DAY, round(days * DAY)
    start_ms = end_ms - length_ms
    if correction == "none":
        timer = add(api.ann, clock, (clock.ms - start_ms) / 1000, length_ms / 1000)
    else:
        # A timer of four days with one end that is right.
        begin_ms = end_ms - 4 * DAY if correction == "start" else start_ms
        timer = add(
            api.ann, clock, (clock.ms - begin_ms) / 1000, 4 * DAY / 1000 if correction == "start" else 60
        )
        new = {"start_time": time_of(start_ms), "end_time": time_of(end_ms)}
        sent = {f"{correction}_time": new[f"{correction}_time"]} if correction != "both" else new
        assert api.ann("PATCH", f"/api/timelogs/{timer['id']}/", sent).status == 200
    for since_ms, is_listed in (
        (start_ms - 1, True),
        (start_ms + 1, True),
        (start_ms + length_ms // 2, True),
        (end_ms - 1, True),
        (end_ms, False),
        (end_ms + 1, False),
    ):
        found = listed(api.ann, since=time_of(since_ms), until=time_of(since_ms + 2))
        assert [row["id"] for row in found] == [timer["id"]] * is_listed, since_ms


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_a_period_has_the_filters_of_the_list(api: Api, clock: Clock, page_size: int) -> None:
    def added(ago_h: float, hours: float, issue: int) -> str:
        body = {"github_issue_url": ISSUE.format(issue)}
        return str(add(api.ann, clock, ago_h * 3600, hours * 3600, **body)["id"])

    before, across, within = added(50, 1, 7), added(30, 10, 7), added(20, 1, 7)
    other = added(31, 10, 8)
    running = start(api.ann, 7)["id"]
    clock.advance(60)
    since = time_of(clock.ms - 25 * HOUR)
    assert before not in {row["id"] for row in listed(api.ann, since=since)}

    def select(**query: Any) -> list[str]:
        return [row["id"] for row in listed(api.ann, page_size=page_size, since=since, **query)]

    assert select() == [running, within, across, other]
    assert select(github_repo="octocat/hello-world", github_issue_number=8) == [other]
    assert select(end_time__isnull="true") == [running]
    assert select(end_time__isnull="false") == [within, across, other]
    assert select(start_time__gte=since) == [running, within]
    assert select(start_time__lt=since) == [across, other]
    assert select(start_time__gte=time_of(clock.ms - 31 * HOUR)) == [running, within, across]
    assert select(start_time__gte=time_of(clock.ms - 31 * HOUR), start_time__lt=since) == [across]
    assert select(until=time_of(clock.ms - 24 * HOUR)) == [across, other]


@pytest.mark.parametrize("query", ["", "end_time__isnull=true&", "github_issue_number=1&"])
def test_the_count_is_that_of_all_pages_and_is_made_once(api: Api, clock: Clock, query: str) -> None:
    for number in range(5):
        start(api.ann, 1 + number)
        add(api.ann, clock, 100, github_issue_url=ISSUE.format(1 + number % 2))
    found = listed(api.ann, **dict([pair.split("=") for pair in query.split("&") if pair]))
    answer = api.ann("GET", f"/api/timelogs/?{query}count=true&page_size=1").json()
    assert answer["count"] == len(found) > 1
    assert api.ann("GET", target(answer["next"])).json()["count"] is None


def test_an_invalid_period_is_refused(api: Api) -> None:
    for query, name in (
        ("since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("since=2026-01-01", "since"),
        ("until=tomorrow", "until"),
        ("time_zone=Mars/Base", "time_zone"),
        ("count=perhaps", "count"),
    ):
        refused = problem(api.ann("GET", f"/api/timelogs/?{query}"), 400)
        assert [error["loc"] for error in refused["errors"]] == [["query", name]]


def test_a_cursor_of_another_period_is_refused(api: Api, clock: Clock) -> None:
    for ago in (100, 200, 300):
        add(api.ann, clock, ago)
    link = api.ann("GET", f"/api/timelogs/?page_size=1&until={time_of(clock.ms)}").json()["next"]
    cursor = target(link).split("cursor=")[1]
    problem(api.ann("GET", f"/api/timelogs/?until={time_of(clock.ms - 150_000)}&cursor={cursor}"), 400)


def test_a_tag_covers_the_parts_but_not_elapsed_time(api: Api, clock: Clock) -> None:
    start(api.ann, 7)
    clock.advance(60)
    query = f"/api/timelogs/?since={time_of(clock.ms - 30_000)}"
    tag = api.ann("GET", query).headers["etag"]
    clock.advance(60)
    assert api.ann("GET", query, if_none_match=tag).status == 304
    act(api.ann, api.ann("GET", query).json()["results"][0], "pause")
    assert api.ann("GET", query, if_none_match=tag).status == 200


@pytest.mark.parametrize("path", ["/api/timelogs/", "/api/timelogs/totals/"])
def test_a_response_about_a_period_describes_one_moment(
    api: Api, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    start(api.ann, 1)
    reads: list[int] = []

    def read() -> int:
        reads.append(now_ms())
        return reads[-1]

    monkeypatch.setattr(api.module, "now_ms", read)
    query = {"since": time_of(now_ms() - HOUR), "github_repo": "octocat/Hello-World"}
    query |= {"count": "true"} if path == "/api/timelogs/" else {}
    assert api.ann("GET", f"{path}?{urlencode(query)}").status == 200
    assert len(reads) == 1
