"""A forgotten timer is ended by the requests of the Time page (`endTimer` in `web/page/corrections.js`)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.conftest import Api
from tests.integration.test_api import time_of
from tests.integration.test_timesheets_api import day_of, get_day
from tests.integration.test_working_time import DAY, HOUR, monday, office
from tests.support.handlers import Clock
from tests.support.repositories import identified
from timer_core.domain.events import Event
from timer_core.domain.issues import Issue
from timer_core.services.issue_timers import IssueTimers

__all__ = ["monday", "office"]

COLLEAGUE = 99
LAST_MOMENT_MS = 1
A_MOMENT_AGO_MS = 1_000


class Absence:
    """Ann works on issue 7 on Monday; issue 8 waits. Colleagues have assigned both."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self.api = api
        self.clock = clock
        self.midnight_ms = clock.ms - 10 * HOUR * 1000
        self.deliver("assigned", 7)
        clock.advance(60)
        self.deliver("assigned", 8)
        self.days = [day_of(clock)]

    def at(self, day: int, hour: float) -> int:
        """Return an instant in milliseconds: the hour of Monday (0) or Tuesday (1) in Berlin."""
        return self.midnight_ms + round((day * DAY + hour * HOUR) * 1000)

    def go_to(self, day: int, hour: float) -> None:
        self.clock.ms = self.at(day, hour)
        if (today := day_of(self.clock)) not in self.days:
            self.days.append(today)

    def deliver(self, kind: str, issue: int, *, actor: int = COLLEAGUE) -> None:
        event = Event(
            f"{kind} {issue} {self.clock.ms} {self.api.ann_id}",
            kind,
            self.clock.ms,
            users=frozenset({self.api.ann_id}),
            actor=actor,
        )
        timers = IssueTimers(self.api.module.shared.table, self.api.module.shared.timers)
        timers.apply(event, identified(Issue("octocat", "Hello-World", issue)), now_ms=self.clock.ms)

    def timer(self, issue: int) -> dict[str, Any]:
        found = self.api.ann("GET", "/api/timelogs/?end_time__isnull=true").json()["results"]
        (timer,) = (one for one in found if one["github_issue_number"] == issue)
        return dict(timer)

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.api.ann(method, f"/api/timelogs/{path}", body)
        assert answer.status in {200, 201}, answer.body
        return dict(answer.json())

    @property
    def figures(self) -> list[dict[int, float]]:
        """The hours of each issue on each day, to the second."""
        return [
            {
                issue["issue"]["github_issue_number"]: round(issue["working_duration"] / HOUR, 3)
                for issue in get_day(self.api, day)["issues"]
                if issue["working_duration"] > A_MOMENT_AGO_MS / 1000
            }
            for day in self.days
        ]

    def end(self, timer: dict[str, Any], at_ms: int, stop_ms: int) -> None:
        self.send("POST", f"{timer['id']}/stop/", {"at": time_of(stop_ms)})
        self.send("PATCH", f"{timer['id']}/", {"end_time": time_of(at_ms)})

    def undo(self, timer: dict[str, Any], at_ms: int, stop_ms: int, counted: list[tuple[int, int]]) -> None:
        """Undo an end, given the parts that had counted since."""
        self.send("PATCH", f"{timer['id']}/", {"end_time": time_of(stop_ms)})
        since_ms = at_ms
        for part_since_ms, part_until_ms in counted:
            if since_ms < part_since_ms:
                pause = {"start": time_of(since_ms), "end": time_of(part_since_ms)}
                self.send("POST", f"{timer['id']}/pauses/", pause)
            since_ms = part_until_ms
        self.send("POST", "start/", {"github_issue_url": timer["github_issue_url"], "at": time_of(stop_ms)})


@pytest.fixture
def absence(api: Api, office: Clock) -> Absence:
    return Absence(api, office)


@pytest.mark.parametrize("hour", [16, 19])
def test_time_since_a_sign_on_an_earlier_day_falls_to_no_other_timer(absence: Absence, hour: int) -> None:
    absence.go_to(0, hour)
    absence.deliver("commented", 7, actor=absence.api.ann_id)
    absence.go_to(1, 11)
    timer = absence.timer(7)
    sign_ms = absence.at(0, hour)
    assert datetime.fromisoformat(timer["last_sign_at"]) == datetime.fromtimestamp(sign_ms / 1000, UTC)
    before = absence.figures
    assert before == [{7: 7}, {7: 2}]
    stop_ms = absence.clock.ms - A_MOMENT_AGO_MS
    absence.end(timer, sign_ms, stop_ms)
    assert absence.figures == [{7: 7 - max(0, 18 - hour)}, {}]
    counted = [(absence.at(1, 9), absence.clock.ms)]
    if hour < 18:
        counted.insert(0, (sign_ms, absence.at(0, 18)))
    absence.undo(timer, sign_ms, stop_ms, counted)
    assert absence.figures == before
    absence.go_to(1, 20)
    assert absence.figures == [{7: 7}, {7: 8}]


def test_undoing_an_end_after_working_hours_opens_no_overtime(absence: Absence) -> None:
    absence.go_to(0, 14)
    absence.deliver("commented", 7, actor=absence.api.ann_id)
    absence.go_to(0, 20)
    timer = absence.timer(7)
    stop_ms = absence.at(0, 18) - LAST_MOMENT_MS
    absence.end(timer, absence.at(0, 14), stop_ms)
    assert absence.figures == [{7: 3}]
    counted = [(absence.at(0, 14), absence.at(0, 18))]
    absence.undo(timer, absence.at(0, 14), stop_ms, counted)
    assert absence.timer(7)["waiting_for"] == "schedule"
    absence.go_to(1, 11)
    assert absence.figures == [{7: 7}, {7: 2}]
