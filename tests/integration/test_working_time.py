"""Working time through the API: timers, lists, totals and the timeline show the same slices."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import ISSUE, act, add, problem, start, time_of
from tests.support.handlers import Clock
from timer_core.domain.calendar import ConcurrentTimers, Policy
from timer_core.domain.own_calendar import OwnCalendar
from timer_core.domain.schedule import Interval, ScheduleVersion, Week
from timer_core.domain.timers import Period, Timer
from timer_core.store.calendars import Calendars
from timer_core.store.queries import TimerQueries
from timer_core.store.stored_days import StoredDays
from timer_core.store.table import RawItem, Table

HOUR, DAY = 3600, 86_400
BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Week("Europe/Berlin", ((Interval(540, 720), Interval(780, 1080)),) * 5 + ((), ()))


@pytest.fixture
def monday(clock: Clock) -> Clock:
    """The API's clock at 10:00 in Berlin on a Monday, within the lifetime of the tokens."""
    now = datetime.fromtimestamp(clock.ms / 1000, BERLIN)
    days = (7 - now.weekday()) % 7 or 7
    morning = now.replace(hour=10, minute=0, second=0, microsecond=0)
    clock.ms = int(
        datetime.fromordinal(morning.toordinal() + days).replace(hour=10, tzinfo=BERLIN).timestamp()
    )
    clock.ms *= 1000
    return clock


@pytest.fixture
def office(api: Api, shared_table: Table, monday: Clock) -> Clock:
    """The same, for a person with working hours."""

    def choose(own: OwnCalendar) -> OwnCalendar:
        return own.with_version(ScheduleVersion(date(2020, 1, 1), OFFICE))

    Calendars(shared_table).change(api.ann_id, choose, now_ms=monday.ms)
    return monday


@pytest.fixture
def shared_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The organization's policy ``shared``, at all times."""
    policies = (Policy(concurrent_timers=ConcurrentTimers.SHARED),)
    monkeypatch.setattr(api.module.shared.calendars, "organization", lambda **_: policies)


def open_timers(api: Api) -> dict[str, dict[str, Any]]:
    found = api.ann("GET", "/api/timelogs/?end_time__isnull=true").json()["results"]
    return {timer["id"]: timer for timer in found}


def get(api: Api, timer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = api.ann("GET", f"/api/timelogs/{timer['id']}/").json()
    return found


def test_without_working_hours_working_time_is_active_time(api: Api, clock: Clock) -> None:
    timer = start(api.ann, 7)
    clock.advance(90)
    act(api.ann, timer, "pause")
    clock.advance(10)
    found = get(api, timer)
    assert (found["active_duration"], found["working_duration"]) == (90, 90)
    assert (found["is_counting"], found["waiting_for"], found["why"]["rule"]) == (False, None, "paused")


def test_only_the_timer_with_the_focus_counts(api: Api, monday: Clock) -> None:
    one = start(api.ann, 7)
    monday.advance(60)
    two = start(api.ann, 8)
    assert (two["is_counting"], two["counting_share"], two["why"]["rule"]) == (True, 1, "focus")
    monday.advance(60)
    timers = open_timers(api)
    first, second = timers[one["id"]], timers[two["id"]]
    assert (first["working_duration"], first["active_duration"]) == (60, 120)
    assert (first["is_counting"], first["waiting_for"]) == (False, "focus")
    assert (first["why"]["timer"], first["why"]["action"], first["why"]["by"]) == (
        two["id"],
        "start",
        "manual",
    )
    assert (second["working_duration"], second["active_duration"]) == (60, 60)
    act(api.ann, two, "stop")
    monday.advance(60)
    assert get(api, one)["working_duration"] == 120
    assert get(api, two)["working_duration"] == 60


def test_outside_of_working_hours_a_timer_waits_for_them(api: Api, office: Clock) -> None:
    timer = start(api.ann, 7)
    assert timer["counting_changes_at"] == time_of(office.ms + 2 * HOUR * 1000)
    office.advance(9 * HOUR)
    found = get(api, timer)
    assert (found["working_duration"], found["active_duration"]) == (7 * HOUR, 9 * HOUR)
    assert (found["waiting_for"], found["counting_share"]) == ("schedule", 0)
    assert found["counting_changes_at"] == time_of(office.ms + 14 * HOUR * 1000)


def test_a_pause_by_hand_is_a_break(api: Api, office: Clock) -> None:
    waiting = start(api.ann, 7)
    office.advance(1)
    timer = start(api.ann, 8)
    office.advance(59)
    act(api.ann, timer, "pause")
    found = open_timers(api)[waiting["id"]]
    assert (found["waiting_for"], found["working_duration"]) == ("break", 1)
    assert (found["why"]["timer"], found["why"]["action"]) == (timer["id"], "pause")
    assert found["counting_changes_at"] == time_of(office.ms - 60_000 + 23 * HOUR * 1000)


def test_a_break_goes_on_if_its_timer_is_deleted(api: Api, office: Clock) -> None:
    waiting = start(api.ann, 7)
    office.advance(60)
    timer = start(api.ann, 8)
    office.advance(60)
    act(api.ann, timer, "pause")
    office.advance(60)
    before = api.ann("GET", "/api/timelogs/totals/").json()["issues"]
    assert api.ann("DELETE", f"/api/timelogs/{timer['id']}/").status == 204
    office.advance(60)
    found = open_timers(api)[waiting["id"]]
    assert (found["waiting_for"], found["working_duration"]) == ("break", 60)
    after = api.ann("GET", "/api/timelogs/totals/").json()["issues"]
    assert [one["working_duration"] for one in after] == [60]
    assert len(before) == 2


@pytest.mark.usefixtures("shared_time")
def test_shared_time_is_divided(api: Api, monday: Clock) -> None:
    one, two = start(api.ann, 7), start(api.ann, 8)
    monday.advance(60)
    timers = open_timers(api)
    assert [timers[one["id"]][name] for name in ("working_duration", "counting_share")] == [30, 0.5]
    assert [timers[two["id"]][name] for name in ("working_duration", "counting_share")] == [30, 0.5]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("", {"present": 1}), ("?since=2020-01-01T00:00:00Z", {"calendar": 2, "timers": 1})],
)
def test_a_page_derives_the_working_time_once(
    api: Api, monday: Clock, monkeypatch: pytest.MonkeyPatch, query: str, expected: dict[str, int]
) -> None:
    """The page has an open timer, and stopped ones of stored days and of today.

    The search for timers that started before a period also reads which days are stored.
    """
    store = api.module.shared.timesheets
    act(api.ann, start(api.ann, 7), "stop")
    monday.advance(4 * DAY)
    store.refresh(api.ann_id, now_ms=monday.ms)
    act(api.ann, start(api.ann, 8), "stop")
    start(api.ann, 9)
    reads = Counter[str]()
    get_item, overlapping, with_calendar = Table.get, TimerQueries.overlapping, TimerQueries.with_calendar

    def get(table: Table, pk: str, sk: str) -> RawItem | None:
        reads[sk] += 1
        return get_item(table, pk, sk)

    def derive(queries: TimerQueries, user_id: int, period: Period) -> list[Timer]:
        reads["timers"] += 1
        return overlapping(queries, user_id, period)

    def read_present(queries: TimerQueries, user_id: int, since_ms: int) -> tuple[list[RawItem], RawItem]:
        reads["present"] += 1
        return with_calendar(queries, user_id, since_ms)

    monkeypatch.setattr(Table, "get", get)
    monkeypatch.setattr(TimerQueries, "overlapping", derive)
    monkeypatch.setattr(TimerQueries, "with_calendar", read_present)
    assert len(api.ann("GET", f"/api/timelogs/{query}").json()["results"]) == 3
    assert reads == expected


def test_a_page_of_a_long_period_reads_only_the_days_of_its_timers(
    api: Api, monday: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        timer = start(api.ann, 7)
        monday.advance(HOUR)
        act(api.ann, timer, "stop")
        monday.advance(DAY)
    monday.advance(2 * DAY)
    api.module.shared.timesheets.refresh(api.ann_id, now_ms=monday.ms)
    read: list[str] = []
    contents = StoredDays.contents

    def note(days: StoredDays, user_id: int, since_ms: int, until_ms: int) -> dict[str, bytes]:
        found = contents(days, user_id, since_ms, until_ms)
        read.extend(found)
        return found

    monkeypatch.setattr(StoredDays, "contents", note)
    path: str | None = "/api/timelogs/?since=2020-01-01T00:00:00Z&page_size=1"
    parts = []
    while path:
        page = api.ann("GET", path).json()
        parts += [timer["part_working_duration"] for timer in page["results"]]
        path = page["next"] and page["next"].removeprefix("https://api.example.com")
    assert parts == [HOUR] * 5
    assert len(read) == 5


def test_a_page_of_the_open_timers_derives_the_present_once(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start(api.ann, 7)
    clock.advance(60)
    second = start(api.ann, 8)
    clock.advance(60)
    read: list[int] = []
    with_calendar = TimerQueries.with_calendar

    def note(queries: TimerQueries, user_id: int, since_ms: int) -> tuple[list[RawItem], RawItem]:
        read.append(user_id)
        return with_calendar(queries, user_id, since_ms)

    monkeypatch.setattr(TimerQueries, "with_calendar", note)
    page = api.ann("GET", "/api/timelogs/?end_time__isnull=true&page_size=1").json()
    assert [timer["id"] for timer in page["results"]] == [second["id"]]
    assert page["results"][0]["working_duration"] == 60
    assert page["next"]
    assert len(read) == 1
    assert get(api, first)["working_duration"] == 60


class TestTags:
    def tag(self, api: Api) -> str:
        tag: str = api.ann("GET", "/api/timelogs/?end_time__isnull=true").headers["etag"]
        return tag

    def test_elapsed_time_does_not_change_the_tag(self, api: Api, office: Clock) -> None:
        start(api.ann, 7)
        office.advance(1)
        start(api.ann, 8)
        tag = self.tag(api)
        office.advance(HOUR)
        assert self.tag(api) == tag

    @pytest.mark.usefixtures("shared_time")
    def test_elapsed_time_does_not_change_the_tag_of_shared_time(self, api: Api, monday: Clock) -> None:
        start(api.ann, 7)
        start(api.ann, 8)
        tag = self.tag(api)
        monday.advance(1.234)
        assert self.tag(api) == tag

    def test_the_end_of_working_hours_changes_the_tag(self, api: Api, office: Clock) -> None:
        start(api.ann, 7)
        tag = self.tag(api)
        office.advance(2 * HOUR)
        assert self.tag(api) != tag

    def test_an_entry_that_takes_time_from_a_timer_changes_the_tag(self, api: Api, office: Clock) -> None:
        timer = start(api.ann, 7)
        office.advance(HOUR)
        path = f"/api/timelogs/{timer['id']}/"
        tag = api.ann("GET", path).headers["etag"]
        add(api.ann, office, 1800, 600)
        changed = api.ann("GET", path)
        assert changed.headers["etag"] != tag
        assert changed.json()["working_duration"] == HOUR - 600

    def test_a_period_has_the_same_tag_while_only_time_elapses(self, api: Api, office: Clock) -> None:
        start(api.ann, 7)
        path = f"/api/timelogs/?since={time_of(office.ms - HOUR * 1000)}"
        tag = api.ann("GET", path).headers["etag"]
        office.advance(60)
        assert api.ann("GET", path).headers["etag"] == tag


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "9996-09-01T00:00:00Z", "9999-12-31T12:00:00Z"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_last_times_are_answered_or_refused(
    api: Api, shared_table: Table, monday: Clock, time: str, zone: str
) -> None:
    def choose(own: OwnCalendar) -> OwnCalendar:
        return own.with_version(ScheduleVersion(date(2020, 1, 1), Week(zone, OFFICE.days)))

    Calendars(shared_table).change(api.ann_id, choose, now_ms=monday.ms)
    timer = start(api.ann, 7)
    monday.advance(HOUR)
    is_past = time.startswith("1970")
    for query in (f"since={time}", f"until={time}", f"since={time}&until=9999-12-31T23:59:59.999Z"):
        for path in ("timelogs/", "timelogs/totals/"):
            assert api.ann("GET", f"/api/{path}?{query}&time_zone={zone}").status in {200, 400}
        answer = api.ann("GET", f"/api/timeline/?{query}")
        if is_past and "&" not in query:
            assert answer.status == 200
        else:
            assert [error["code"] for error in problem(answer, 400)["errors"]] == ["out_of_range"]
    for path, body in (
        ("split/", {"at": time}),
        ("pauses/", {"start": time, "end": time}),
        ("pauses/", {"start": "1970-01-01T00:00:00Z", "end": time}),
        ("stop/", {"at": time}),
        ("focus/", {"at": time}),
    ):
        problem(api.ann("POST", f"/api/timelogs/{timer['id']}/{path}", body), 400)
    moved = api.ann("PATCH", f"/api/timelogs/{timer['id']}/", {"start_time": time})
    assert moved.status == (200 if is_past else 400)
    for query in ("", f"?since={time}&time_zone={zone}"):
        assert api.ann("GET", f"/api/timelogs/{query}").status == 200


def test_the_day_of_a_timeline_has_a_zone(api: Api, office: Clock) -> None:
    start(api.ann, 7)
    office.advance(HOUR)

    def period(query: str) -> tuple[str, str]:
        shown = api.ann("GET", f"/api/timeline/?{query}").json()
        return shown["since"], shown["until"]

    at = datetime.fromtimestamp(office.ms / 1000, UTC)
    for zone, query in (("Europe/Berlin", ""), ("Asia/Kathmandu", "time_zone=Asia/Kathmandu")):
        midnight = at.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        ends = [midnight, midnight + timedelta(days=1)]
        assert period(query) == tuple(time_of(round(end.timestamp() * 1000)) for end in ends)
    refused = problem(api.ann("GET", "/api/timeline/?time_zone=Nowhere"), 400)
    assert refused["errors"][0]["code"] == "unknown_time_zone"


def test_lists_totals_and_the_timeline_agree(api: Api, office: Clock) -> None:
    since = time_of(office.ms - HOUR * 1000)
    one = start(api.ann, 7)
    office.advance(60)
    two = start(api.ann, 8)
    office.advance(HOUR)
    act(api.ann, two, "stop")
    office.advance(3 * HOUR)
    add(api.ann, office, HOUR, 1800, github_issue_url=ISSUE.format(9))
    listed = api.ann("GET", f"/api/timelogs/?since={since}").json()["results"]
    totals = api.ann("GET", f"/api/timelogs/totals/?since={since}&time_zone=Europe/Berlin").json()
    timeline = api.ann("GET", "/api/timeline/").json()
    timesheets = api.ann("GET", "/api/timesheets/").json()
    parts = {timer["github_issue_number"]: timer["part_working_duration"] for timer in listed}
    assert parts == {7: 60 + 1.5 * HOUR, 8: HOUR, 9: 0.5 * HOUR}
    assert {timer["github_issue_number"]: timer["working_duration"] for timer in listed} == parts
    assert {issue["github_issue_number"]: issue["working_duration"] for issue in totals["issues"]} == parts
    assert totals["working_duration"] == timeline["working_duration"] == 60 + 3 * HOUR
    (day,) = [day for day in timesheets["days"] if day["state"] == "running"]
    assert {row["issue"]["github_issue_number"]: row["working_duration"] for row in day["issues"]} == parts
    assert timesheets["working_duration"] == day["working_duration"] == totals["working_duration"]
    assert totals["active_duration"] == 60 + 4 * HOUR + HOUR + 0.5 * HOUR
    slices = [(piece["timer"], piece["from"], piece["until"]) for piece in timeline["slices"]]
    at = office.ms - 4 * HOUR * 1000
    assert slices[1] == (two["id"], time_of(at), time_of(at + HOUR * 1000))
    assert slices[2] == (one["id"], time_of(at + HOUR * 1000), time_of(at - 60_000 + 2 * HOUR * 1000))
    assert timeline["gaps"] == [{"from": time_of(at - 3_660_000), "until": time_of(at - 60_000)}]
    assert [hours["from"] for hours in timeline["working_hours"]] == [
        time_of(at - 3_660_000),
        time_of(at - 60_000 + 3 * HOUR * 1000),
    ]


class TestClocks:
    def test_a_timer_that_a_fast_machine_has_started_counts_at_once(self, api: Api, office: Clock) -> None:
        office.advance(5)
        timer = start(api.ann, 7)
        office.advance(-5)
        found = open_timers(api)[timer["id"]]
        assert (found["is_counting"], found["working_duration"]) == (True, 0)
        assert get(api, timer)["is_counting"]

    def test_days_that_a_fast_machine_has_stored_too_early_are_derived(self, api: Api, office: Clock) -> None:
        timer = start(api.ann, 7)
        office.advance(HOUR)
        api.module.shared.timesheets.refresh(api.ann_id, now_ms=office.ms + 10 * DAY * 1000)
        assert get(api, timer)["working_duration"] == HOUR
        act(api.ann, timer, "pause")
        office.advance(HOUR)
        assert api.ann("GET", "/api/timeline/").json()["working_duration"] == HOUR
